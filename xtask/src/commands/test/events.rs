//! What a test executable prints, read line by line.
//!
//! The standard harness tells most as JSON, which it offers as an unstable option; where it does not know the option, its plain lines
//! are read instead, and only the times are missing.

use std::time::Duration;

use serde::Deserialize;

/// One thing a test executable told.
#[derive(Debug, PartialEq)]
pub(super) enum Event {
    Started {
        name: String,
    },
    Passed {
        name: String,
        time: Option<Duration>,
    },
    Failed {
        name: String,
        time: Option<Duration>,
        output: String,
    },
    Ignored {
        name: String,
    },
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: String,
    event: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    exec_time: Option<f64>,
    #[serde(default)]
    stdout: String,
    #[serde(default)]
    message: Option<String>,
}

/// Reads a line of the JSON format.
///
/// A test that writes around the harness' capture may leave text in front of the JSON on the same line.
pub(super) fn from_json(line: &str) -> Option<Event> {
    let line: Line = serde_json::from_str(line.get(line.find("{ \"type\":")?..)?).ok()?;
    if line.kind != "test" {
        return None;
    }
    let (name, time) = (
        line.name,
        line.exec_time
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
    );
    match line.event.as_str() {
        "started" => Some(Event::Started { name }),
        "ok" => Some(Event::Passed { name, time }),
        "failed" => Some(Event::Failed {
            name,
            time,
            output: line.stdout + &line.message.unwrap_or_default(),
        }),
        "ignored" => Some(Event::Ignored { name }),
        _ => None,
    }
}

/// Reads a line of the plain format: `test name ... ok`.
pub(super) fn from_plain(line: &str) -> Option<Event> {
    let (name, result) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let name = name.trim_end_matches(" - should panic").to_owned();
    match result.split([',', ' ']).next()? {
        "ok" => Some(Event::Passed { name, time: None }),
        "FAILED" => Some(Event::Failed {
            name,
            time: None,
            output: String::new(),
        }),
        "ignored" => Some(Event::Ignored { name }),
        _ => None,
    }
}

/// Passed, failed and ignored of a `test result:` line, which is all that doc tests tell.
pub(super) fn summary(line: &str) -> Option<(usize, usize, usize)> {
    let mut counts = line
        .strip_prefix("test result: ")?
        .split_once(". ")?
        .1
        .split(';')
        .map(|part| {
            let (count, what) = part.trim().split_once(' ')?;
            Some((count.parse::<usize>().ok()?, what.to_owned()))
        });
    let mut next = |expected: &str| {
        let (count, what) = counts.next()??;
        (what == expected).then_some(count)
    };
    Some((next("passed")?, next("failed")?, next("ignored")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_lines_become_events() {
        assert_eq!(
            from_json(r#"{ "type": "test", "event": "started", "name": "a::b" }"#),
            Some(Event::Started {
                name: "a::b".to_owned()
            })
        );
        assert_eq!(
            from_json(r#"{ "type": "test", "name": "a", "event": "ok", "exec_time": 0.25 }"#),
            Some(Event::Passed {
                name: "a".to_owned(),
                time: Some(Duration::from_millis(250))
            })
        );
        assert_eq!(
            from_json(
                r#"noise{ "type": "test", "name": "a", "event": "failed", "exec_time": 1.0, "stdout": "why\n" }"#
            ),
            Some(Event::Failed {
                name: "a".to_owned(),
                time: Some(Duration::from_secs(1)),
                output: "why\n".to_owned()
            })
        );
        assert_eq!(
            from_json(r#"{ "type": "test", "name": "a", "event": "ignored" }"#),
            Some(Event::Ignored { name: "a".to_owned() })
        );
        assert_eq!(
            from_json(r#"{ "type": "suite", "event": "started", "test_count": 3 }"#),
            None
        );
        assert_eq!(from_json("anything else"), None);
    }

    #[test]
    fn plain_lines_become_events() {
        assert_eq!(
            from_plain("test a::b ... ok"),
            Some(Event::Passed {
                name: "a::b".to_owned(),
                time: None
            })
        );
        assert_eq!(
            from_plain("test a - should panic ... ok"),
            Some(Event::Passed {
                name: "a".to_owned(),
                time: None
            })
        );
        assert_eq!(
            from_plain("test a ... ignored, slow"),
            Some(Event::Ignored { name: "a".to_owned() })
        );
        assert!(matches!(
            from_plain("test a ... FAILED"),
            Some(Event::Failed { .. })
        ));
        assert_eq!(from_plain("test result: ok. 1 passed"), None);
    }

    #[test]
    fn summaries_are_counted() {
        let line =
            "test result: ok. 3 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.02s";
        assert_eq!(summary(line), Some((3, 0, 2)));
        assert_eq!(
            summary("test result: FAILED. 1 passed; 4 failed; 0 ignored; 0 measured"),
            Some((1, 4, 0))
        );
        assert_eq!(summary("running 3 tests"), None);
    }
}
