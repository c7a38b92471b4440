//! `GET /v1/tenants/{tenant_id}/metrics/step-up`

use super::{MetricsParams, MetricsQuestion, StepUpReport, answer};
use crate::{
    Context,
    api::{
        extract::{AsReader, Caller, PathIds},
        respond::Answer,
    },
    ids::TenantId,
    usecases::step_up_reports,
};
use actix_web::{HttpRequest, get, web::Data};

/// Report a tenant's step-ups.
///
/// What became of step-ups, slice by slice: started, succeeded, failed, abandoned, skipped, refused, with success rate
/// and time to complete. Answers CSV to `Accept: text/csv`. A slice without events is left out.
///
/// A report is of whole slices: `from` and `to` of the answer say of which time; those of a CSV are in the file's name.
#[utoipa::path(
    operation_id = "getTenantStepUpMetrics", tag = "metrics",
    params(("tenant_id" = TenantId, Path, description = "The tenant"), MetricsParams),
    responses((status = 200, description = "The report", content(
        (StepUpReport = "application/json"), (String = "text/csv")))),
    extensions(("x-problems" = json!(["validation_failed"])))
)]
#[get("/v1/tenants/{tenant_id}/metrics/step-up")]
pub(crate) async fn get_tenant_step_up_metrics(
    caller: Caller<AsReader>,
    context: Data<Context>,
    id: PathIds<TenantId>,
    question: MetricsQuestion,
    request: HttpRequest,
) -> Answer {
    let answered = step_up_reports::of_tenant(&context, &caller.request, id.0, question.0).await?;
    Ok(answer(&request, answered))
}
