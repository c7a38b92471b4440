//! Fuzzing on stable Rust: a test that is fed damaged files of a corpus, for a moment or for hours.
//!
//! A fuzz target is a plain test that calls [`run`]. Among the other tests it replays its corpus and tries a few
//! hundred damaged inputs, the same on every run. Under `cargo xtask fuzz`, which sets [`SECONDS`], it goes on with
//! others until the time is up. Damage and reduction are proptest's: what makes the check panic is reduced, written
//! into the corpus as one more file, and from then on replayed by every run.

#![expect(
    clippy::panic,
    clippy::expect_used,
    reason = "called by tests, which fail by panicking"
)]

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestCaseError, TestError, TestRunner};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Variable that says for how many seconds a target goes on.
pub const SECONDS: &str = "STEPGATE_FUZZ_SECONDS";

/// Inputs of a run without a time, and between two looks at the clock.
const CASES: u32 = 256;
/// Largest input.
const MAX_BYTES: usize = 64 * 1024;
/// What parsers stumble over, whatever they parse.
const WORDS: [&str; 20] = [
    "null",
    "true",
    "-0",
    "1e999",
    "9223372036854775808",
    "-1",
    "\"\"",
    "{}",
    "[]",
    "[[[[[[[[",
    "{\"\":",
    "\\u0000",
    "\\ud800",
    "\u{feff}",
    "\u{202e}",
    "\0",
    "..",
    "=",
    "'",
    "\u{ff}",
];

/// What is fuzzed.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Name, for people.
    pub name: &'a str,
    /// Folders with inputs to begin with.
    pub corpus: &'a [PathBuf],
    /// The one of them that inputs go to which make the check panic.
    pub found: &'a Path,
    /// What stands before a found input's name.
    pub found_prefix: &'a str,
}

/// Feeds the corpus and damaged files of it to `check`, which panics when something is wrong.
///
/// # Panics
///
/// With the path of the input, when `check` does.
pub fn run(target: &Target<'_>, check: impl Fn(&[u8])) {
    let files = files(target.corpus);
    assert!(!files.is_empty(), "{}: the corpus is empty", target.name);
    for (path, bytes) in &files {
        let replayed = catch_unwind(AssertUnwindSafe(|| check(bytes)));
        assert!(replayed.is_ok(), "{}: {} fails", target.name, path.display());
    }
    let seconds = std::env::var(SECONDS).ok().and_then(|text| text.parse().ok());
    let begin = Instant::now();
    let until = seconds.map(|seconds| begin + Duration::from_secs(seconds));
    let mut round = 0_u64;
    loop {
        batch(target, &files, round, until.is_some(), &check);
        round += 1;
        if until.is_none_or(|until| Instant::now() >= until) {
            break;
        }
    }
    tell(&format!(
        "{}: {} files replayed, {} damaged inputs in {} s, nothing found",
        target.name,
        files.len(),
        round * u64::from(CASES),
        begin.elapsed().as_secs()
    ));
}

#[expect(clippy::print_stdout, reason = "shown under `cargo xtask fuzz`")]
fn tell(text: &str) {
    println!("{text}");
}

/// A round of inputs. Without a time limit they are the same on every run.
fn batch(
    target: &Target<'_>,
    files: &[(PathBuf, Vec<u8>)],
    round: u64,
    by_chance: bool,
    check: &impl Fn(&[u8]),
) {
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        max_shrink_iters: 4_096,
        rng_algorithm: RngAlgorithm::ChaCha,
        rng_seed: if by_chance {
            RngSeed::Random
        } else {
            RngSeed::Fixed(round)
        },
        ..Config::default()
    };
    let seeds: Vec<Vec<u8>> = files.iter().map(|(_, bytes)| bytes.clone()).collect();
    let outcome = TestRunner::new(config).run(&damaged(seeds), |bytes| {
        check(&bytes);
        Ok::<(), TestCaseError>(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, bytes)) => {
            let path = keep(target, &bytes);
            panic!("{}: {reason}\nthe input is {}", target.name, path.display());
        }
        Err(TestError::Abort(reason)) => panic!("{}: {reason}", target.name),
    }
}

/// Writes an input into the corpus, under a name that is its own.
fn keep(target: &Target<'_>, bytes: &[u8]) -> PathBuf {
    let mut name = format!("{}found-", target.found_prefix);
    for byte in &Sha256::digest(bytes)[..6] {
        let _infallible = write!(name, "{byte:02x}");
    }
    let path = target.found.join(name);
    std::fs::write(&path, bytes).expect("the corpus can be written to");
    path
}

fn files(folders: &[PathBuf]) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for folder in folders {
        for entry in std::fs::read_dir(folder).expect("a folder of the corpus") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                let bytes = std::fs::read(&path).expect("a file of the corpus");
                files.push((path, bytes));
            }
        }
    }
    files.sort();
    files
}

/// One damage.
#[derive(Debug, Clone)]
enum Damage {
    Cut(Index, Index),
    Double(Index, Index),
    Byte(Index, u8),
    Word(Index, usize),
    /// A piece of another file.
    Splice(Index, Index, Index, Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let index = any::<Index>;
    prop_oneof![
        (index(), index()).prop_map(|(from, to)| Damage::Cut(from, to)),
        (index(), index()).prop_map(|(from, to)| Damage::Double(from, to)),
        (index(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        (index(), 0..WORDS.len()).prop_map(|(at, word)| Damage::Word(at, word)),
        (index(), index(), index(), index())
            .prop_map(|(file, from, to, at)| Damage::Splice(file, from, to, at)),
    ]
}

fn damaged(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (any::<Index>(), prop::collection::vec(damage(), 0..10)).prop_map(move |(seed, damages)| {
        let mut bytes = seed.get(&seeds).clone();
        for damage in damages {
            inflict(&damage, &seeds, &mut bytes);
            bytes.truncate(MAX_BYTES);
        }
        bytes
    })
}

fn inflict(damage: &Damage, seeds: &[Vec<u8>], bytes: &mut Vec<u8>) {
    let place = |index: &Index, length: usize| index.index(length + 1);
    let span = |from: &Index, to: &Index, length: usize| {
        let (from, to) = (place(from, length), place(to, length));
        from.min(to)..from.max(to)
    };
    match damage {
        Damage::Cut(from, to) => drop(bytes.drain(span(from, to, bytes.len()))),
        Damage::Double(from, to) => {
            let span = span(from, to, bytes.len());
            let piece = bytes[span.clone()].to_vec();
            bytes.splice(span.end..span.end, piece);
        }
        Damage::Byte(at, byte) => {
            let at = place(at, bytes.len());
            if let Some(place) = bytes.get_mut(at) {
                *place = *byte;
            } else {
                bytes.push(*byte);
            }
        }
        Damage::Word(at, word) => {
            let at = place(at, bytes.len());
            bytes.splice(at..at, WORDS[*word].bytes());
        }
        Damage::Splice(file, from, to, at) => {
            let other = file.get(seeds);
            let piece = other[span(from, to, other.len())].to_vec();
            let at = place(at, bytes.len());
            bytes.splice(at..at, piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("stepgate-fuzzing-{name}-{}", std::process::id()));
        let _left_by_an_earlier_run = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("seed"), b"{\"a\": 1, \"b\": [1, 2, 3]}").expect("a file");
        folder
    }

    #[test]
    fn what_makes_a_check_panic_is_reduced_kept_and_replayed() {
        let folder = folder("planted");
        let corpus = [folder.clone()];
        let target = Target {
            name: "planted",
            corpus: &corpus,
            found: &folder,
            found_prefix: "bad-",
        };
        let check = |bytes: &[u8]| assert!(!bytes.windows(4).any(|piece| piece == b"null"), "planted");
        let found = catch_unwind(|| run(&target, check)).expect_err("it is found");
        let text = found.downcast_ref::<String>().expect("a text");
        assert!(text.contains("bad-found-"), "{text}");
        let kept: Vec<_> = files(&corpus)
            .into_iter()
            .filter(|(path, _)| !path.ends_with("seed"))
            .collect();
        let [(path, bytes)] = kept.as_slice() else {
            panic!("{kept:?}")
        };
        assert!(bytes.windows(4).any(|piece| piece == b"null"));
        assert!(
            bytes.len() <= b"{\"a\": 1, \"b\": [1, 2, 3]}".len() + 4,
            "not reduced: {bytes:?}"
        );
        let again = catch_unwind(|| run(&target, check)).expect_err("it is replayed");
        let text = again.downcast_ref::<String>().expect("a text");
        assert!(text.contains(path.to_str().expect("a path")), "{text}");
        run(&target, |_| ());
        std::fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn a_run_without_a_time_is_the_same_every_time() {
        let folder = folder("same");
        let corpus = [folder.clone()];
        let target = Target {
            name: "same",
            corpus: &corpus,
            found: &folder,
            found_prefix: "",
        };
        let seen = || {
            let seen = std::cell::RefCell::new(Vec::new());
            run(&target, |bytes| seen.borrow_mut().push(bytes.to_vec()));
            seen.into_inner()
        };
        let inputs = seen();
        assert_eq!(inputs, seen());
        let distinct: std::collections::BTreeSet<_> = inputs.iter().collect();
        assert!(distinct.len() > 150, "only {} inputs differ", distinct.len());
        std::fs::remove_dir_all(folder).expect("removed");
    }
}
