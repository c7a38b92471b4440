//! `GET /problems/{problem}`

use super::ProblemKind;
use crate::{
    Error,
    api::{
        problem::type_uri,
        respond::{Answer, ok},
    },
    error::Code,
};
use actix_web::{HttpRequest, HttpResponse, get, http::header, web::Path};

/// Explain a kind of problem.
///
/// The `type` of a problem document leads here. A browser gets a page, anybody else JSON.
#[utoipa::path(
    operation_id = "getProblem", tag = "service",
    params(("problem" = String, Path, description = "Last part of a problem's `type`", example = "name-taken")),
    responses((status = 200, description = "What it means and what to do", body = ProblemKind))
)]
#[get("/problems/{problem}")]
pub(crate) async fn get_problem(request: HttpRequest, problem: Path<String>) -> Answer {
    let asked = format!("/problems/{problem}");
    let code = Code::ALL.iter().copied().find(|code| type_uri(*code) == asked);
    let kind = ProblemKind::from(code.ok_or_else(|| Error::not_found("kind of problem"))?);
    let accepts = request.headers().get(header::ACCEPT);
    if accepts.is_some_and(|accepts| accepts.to_str().is_ok_and(|text| text.contains("text/html"))) {
        return Ok(HttpResponse::Ok()
            .content_type("text/html; charset=utf-8")
            .body(page(&kind)));
    }
    Ok(ok(&kind))
}

/// All of it is text of ours: nothing has to be escaped.
fn page(kind: &ProblemKind) -> String {
    let ProblemKind {
        code,
        title,
        status,
        meaning,
        ..
    } = kind;
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
         <h1>{title}</h1><p>{meaning}</p><dl><dt>code</dt><dd><code>{code}</code></dd><dt>status</dt><dd>{status}</dd></dl>"
    )
}
