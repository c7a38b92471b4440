//! What can go wrong: the service says no, or does not say anything.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a call gave no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The service refused, and said why.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// Something answered that is not Stepgate: a proxy, or another server.
    #[error("the answer has status {status} and is not one of Stepgate")]
    Foreign {
        /// HTTP status.
        status: u16,
    },
    /// There was no whole answer.
    #[error("there was no answer: {}", chain(.0))]
    Unreachable(reqwest::Error),
    /// The answer has another form than this client knows.
    #[error("the answer cannot be read: {0}")]
    Unreadable(serde_json::Error),
}

impl Error {
    /// The problem, when the service refused.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(problem) => Some(problem),
            _ => None,
        }
    }

    /// Whether the same call may work later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Refused(problem) => problem.status == 429 || problem.status >= 500,
            Self::Foreign { status } => *status >= 500,
            Self::Unreachable(_) => true,
            Self::Unreadable(_) => false,
        }
    }
}

/// A problem document (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// URI of the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// Short title of the kind of problem.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// Stable code; branch on it.
    pub code: String,
    /// What happened this time.
    pub detail: String,
    /// Every field at fault.
    #[serde(default)]
    pub errors: Vec<FieldProblem>,
    /// What asking again loses, and what to repeat to have it all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<Confirmation>,
    /// Id of the request, for whoever runs the service.
    #[serde(default)]
    pub request_id: String,
}

/// What must be said again before something is lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// What `confirm` of the repeated request must be; good for this change and for a while.
    pub confirm: String,
    /// What is lost.
    pub loses: String,
}

/// One field at fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldProblem {
    /// JSON pointer into the body; `query:name` and `header:name` for parameters.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
    /// Stable code of the rule it breaks.
    pub code: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, request {})", self.detail, self.code, self.request_id)?;
        // One field is in the detail already.
        let many = self.errors.len() > 1;
        for field in self.errors.iter().filter(|_| many) {
            write!(f, "\n  {}: {} ({})", field.pointer, field.detail, field.code)?;
        }
        Ok(())
    }
}

fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
