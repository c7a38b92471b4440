//! `GET /problems`

use super::ProblemKind;
use crate::{
    api::respond::{Answer, ok},
    error::Code,
};
use actix_web::get;
use serde::Serialize;

/// Every kind of problem.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ProblemKindList {
    /// In the order of the documentation.
    pub items: Vec<ProblemKind>,
}

/// List the kinds of problems.
///
/// Every `type` and `code` that an error of this service can have, with what to do about it.
#[utoipa::path(
    operation_id = "listProblems", tag = "service",
    responses((status = 200, description = "Every kind of problem", body = ProblemKindList))
)]
#[get("/problems")]
pub(crate) async fn list_problems() -> Answer {
    Ok(ok(&ProblemKindList {
        items: Code::ALL.iter().copied().map(ProblemKind::from).collect(),
    }))
}
