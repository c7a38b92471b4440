//! `GET /v1/metrics/step-up`

use super::{MetricsParams, MetricsQuestion, StepUpReport, answer};
use crate::{
    Context,
    api::{
        extract::{AsReader, Caller},
        respond::Answer,
    },
    usecases::step_up_reports,
};
use actix_web::{HttpRequest, get, web::Data};

/// Report all step-ups.
///
/// Of every tenant that the caller may see: operators and auditors see all, a partner its own. Answers CSV to
/// `Accept: text/csv`. A slice without events is left out.
///
/// A report is of whole slices: `from` and `to` of the answer say of which time; those of a CSV are in the file's name.
#[utoipa::path(
    operation_id = "getStepUpMetrics", tag = "metrics",
    params(MetricsParams),
    responses((status = 200, description = "The report", content(
        (StepUpReport = "application/json"), (String = "text/csv")))),
    extensions(("x-problems" = json!(["validation_failed"])))
)]
#[get("/v1/metrics/step-up")]
pub(crate) async fn get_step_up_metrics(
    caller: Caller<AsReader>,
    context: Data<Context>,
    question: MetricsQuestion,
    request: HttpRequest,
) -> Answer {
    let answered = step_up_reports::of_all(&context, &caller.request, question.0).await?;
    Ok(answer(&request, answered))
}
