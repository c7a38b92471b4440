//! `GET /v1/events`

use super::{StepUpEvent, StepUpEventPage};
use crate::{
    Context,
    api::{
        extract::{AsReader, BadValue, Caller, Filter, Filtered, PagingParams},
        metrics::{read_text, read_time},
        respond::{Answer, ok},
    },
    ids::TenantId,
    storage::step_up_events::Sought,
    usecases::step_up_reports,
};
use actix_web::{get, web::Data};
use chrono::{DateTime, Utc};

/// Query parameters of the search.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only documents what `Sought` reads")]
pub struct EventParams {
    /// Only this tenant.
    tenant_id: Option<TenantId>,
    /// Only this user, as hidden in events.
    #[param(max_length = 64)]
    user_hash: Option<String>,
    /// Only this journey: one sign-in as a timeline.
    #[param(max_length = 64)]
    journey_id: Option<String>,
    /// Only events of this type.
    #[param(max_length = 40)]
    r#type: Option<String>,
    /// From this time on.
    from: Option<DateTime<Utc>>,
    /// Before this time.
    to: Option<DateTime<Utc>>,
}

impl Filter for Sought {
    fn take(&mut self, name: &str, value: &str) -> Option<Result<(), BadValue>> {
        let taken = match name {
            "tenant_id" => value
                .parse()
                .map(|id| self.tenant_id = Some(id))
                .map_err(|_| ("invalid", "must be the id of a tenant".to_owned())),
            "user_hash" => read_text(value, 64).map(|text| self.user_hash = Some(text)),
            "journey_id" => read_text(value, 64).map(|text| self.journey_id = Some(text)),
            "type" => read_text(value, 40).map(|text| self.kind = Some(text)),
            "from" => read_time(value).map(|time| self.from = Some(time)),
            "to" => read_time(value).map(|time| self.to = Some(time)),
            _ => return None,
        };
        Some(taken)
    }
}

/// Search step-up events.
///
/// Single events, newest first, for as long as the installation keeps them (30 days unless set otherwise).
#[utoipa::path(
    operation_id = "listEvents", tag = "metrics",
    params(EventParams, PagingParams),
    responses((status = 200, description = "A page of events", body = StepUpEventPage)),
    extensions(("x-problems" = json!(["not_found"])))
)]
#[get("/v1/events")]
pub(crate) async fn list_events(
    caller: Caller<AsReader>,
    context: Data<Context>,
    asked: Filtered<Sought>,
) -> Answer {
    let page = step_up_reports::events(&context, &caller.request, &asked.filter, &asked.page).await?;
    Ok(ok(&StepUpEventPage {
        items: page.items.into_iter().map(StepUpEvent::from).collect(),
        next_cursor: page.next.map(|cursor| cursor.encode()),
    }))
}
