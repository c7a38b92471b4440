//! What is printed where: results to standard output, progress and errors to standard error.

use crate::args::Output;
use anyhow::Context as _;
use serde::Serialize;
use std::process::ExitCode;
use stepgate_client::{Error, error::Confirmation, events::Progress, types::Operation};

/// The operation did not succeed, or the answer is no.
pub(crate) const NO: u8 = 1;
/// Command line, file or profile at fault.
const USAGE: u8 = 2;
/// The service refused.
const REFUSED: u8 = 3;
/// No answer, or an error of the service's own.
const UNAVAILABLE: u8 = 4;

/// How results are printed.
#[derive(Debug)]
pub(crate) struct Print {
    /// In which form.
    pub(crate) output: Output,
    /// Only the value at this JSON pointer.
    pub(crate) pick: Option<String>,
}

/// Prints a result: the JSON as it came, or `text`; or one value of it.
pub(crate) fn result(
    print: &Print,
    value: &impl Serialize,
    text: impl FnOnce() -> String,
) -> anyhow::Result<()> {
    if let Some(pointer) = &print.pick {
        let whole = serde_json::to_value(value)?;
        let picked = whole
            .pointer(pointer)
            .with_context(|| format!("the answer has nothing at `{pointer}`"))?;
        match picked.as_str() {
            Some(text) => println!("{text}"),
            None => println!("{picked}"),
        }
        return Ok(());
    }
    match print.output {
        Output::Json => println!("{}", serde_json::to_string_pretty(value)?),
        Output::Text => println!("{}", text().trim_end()),
    }
    Ok(())
}

/// Prints why a command failed, and its exit code.
pub(crate) fn failure(error: &anyhow::Error) -> ExitCode {
    eprintln!("stepgatectl: {error:#}");
    ExitCode::from(match error.downcast_ref::<Error>() {
        Some(error) if error.may_pass() => UNAVAILABLE,
        Some(Error::Refused(_)) => REFUSED,
        Some(_) => UNAVAILABLE,
        None => USAGE,
    })
}

/// 0 if the operation succeeded.
pub(crate) fn code_of(operation: &Operation) -> ExitCode {
    if operation.succeeded() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NO)
    }
}

/// A refusal on its way out; what it asks to be repeated is told in the words of this command line.
pub(crate) fn refused(error: Error) -> anyhow::Error {
    if let Some(confirmation) = error.problem().and_then(|problem| problem.confirmation.as_ref()) {
        eprintln!("{}", explanation(confirmation));
    }
    error.into()
}

fn explanation(confirmation: &Confirmation) -> String {
    format!(
        "This loses {}. Nothing was changed yet. If it is meant, give the same command again with\n  --confirm {}",
        confirmation.loses, confirmation.confirm
    )
}

/// A line of progress.
pub(crate) fn progress(progress: &Progress) {
    match progress {
        Progress::Step(step) if step.state == "pending" => {}
        Progress::Step(step) => {
            let said = step
                .error
                .as_deref()
                .or(step.detail.as_deref())
                .unwrap_or_default();
            eprintln!("  {:<9} {:<20} {said}", step.state, step.name);
        }
        Progress::Operation(operation) => {
            eprintln!("{} {}: {}", operation.id, operation.kind, operation.state);
        }
    }
}

/// An operation for people.
pub(crate) fn operation_text(operation: &Operation) -> String {
    let mut lines = vec![format!(
        "{}  {}  {}",
        operation.id, operation.kind, operation.state
    )];
    for step in &operation.steps {
        let said = step
            .error
            .as_deref()
            .or(step.detail.as_deref())
            .unwrap_or_default();
        lines.push(
            format!("  {:<9} {:<20} {said}", step.state, step.name)
                .trim_end()
                .to_owned(),
        );
    }
    if let Some(error) = &operation.error {
        lines.push(format!("  {}: {}", error.code, error.message));
        if let Some(hint) = error.rest.get("hint").and_then(serde_json::Value::as_str) {
            lines.push(format!("  {hint}"));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_explanation_says_what_is_lost_and_what_to_repeat() {
        let text = explanation(&Confirmation {
            confirm: "c0ffee".into(),
            loses: "links and evidence of every user".into(),
        });
        assert!(text.contains("loses links and evidence of every user"), "{text}");
        assert!(text.ends_with("--confirm c0ffee"), "{text}");
    }
}
