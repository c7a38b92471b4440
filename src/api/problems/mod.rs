//! Kinds of problems, explained where their `type` leads: to this service.

pub mod get;
pub mod list;

use super::problem::{status, type_uri};
use crate::error::Code;
use serde::Serialize;
use std::fmt::Write as _;

/// A kind of problem.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"type": "/problems/name-taken", "code": "name_taken", "title": "Name taken", "status": 409,
    "meaning": "The name is taken by another resource of the same kind."}))]
pub struct ProblemKind {
    /// `type` of its problem documents.
    #[serde(rename = "type")]
    #[schema(format = "uri-reference")]
    pub kind: String,
    /// `code` of its problem documents.
    pub code: &'static str,
    /// Short title.
    pub title: &'static str,
    /// HTTP status that it comes with.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What it means and what to do.
    pub meaning: &'static str,
}

impl From<Code> for ProblemKind {
    fn from(code: Code) -> Self {
        Self {
            kind: type_uri(code),
            code: code.as_str(),
            title: code.title(),
            status: status(code).as_u16(),
            meaning: code.meaning().trim(),
        }
    }
}

/// `docs/problems.md`, made from the list of codes.
pub fn page() -> String {
    let mut page = String::from(
        "# Problems\n\nErrors are problem documents (RFC 9457, `application/problem+json`). Clients branch on `code`; `type` is a path of the service,\n\
         where the same is to be read (`GET /problems`, `GET /problems/name-taken`). `errors` names every field at fault by JSON pointer, or\n\
         `query:name` and `header:name`; `request_id` leads to the service's log. This page is made by `stepgate problems > docs/problems.md` and checked by a test.\n\n\
         | code | status | meaning |\n| --- | --- | --- |\n",
    );
    for code in Code::ALL {
        let ProblemKind {
            code,
            status,
            meaning,
            ..
        } = ProblemKind::from(*code);
        // Writing into a text cannot fail.
        let _ = writeln!(page, "| `{code}` | {status} | {meaning} |");
    }
    page
}
