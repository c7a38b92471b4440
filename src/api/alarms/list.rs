//! `GET /v1/alarms`

use crate::{
    Context,
    api::{
        extract::{AsReader, BadValue, Caller, Filter, Filtered, PagingParams, parse_filter},
        respond::{Answer, ok},
    },
    domain::alarm::{Alarm, AlarmKind, AlarmState},
    ids::TenantId,
    storage::alarms::Sought,
    usecases::alarms,
};
use actix_web::{get, web::Data};
use serde::Serialize;

/// Query parameters beside those of every list.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only documents what `Sought` reads")]
pub struct AlarmFilter {
    /// Only alarms of this tenant.
    tenant_id: Option<TenantId>,
    /// Only alarms of this kind.
    kind: Option<AlarmKind>,
    /// Only alarms in this state.
    state: Option<AlarmState>,
}

impl Filter for Sought {
    fn take(&mut self, name: &str, value: &str) -> Option<Result<(), BadValue>> {
        Some(match name {
            "tenant_id" => parse_filter(value, "must be the id of a tenant", &mut self.tenant_id),
            "kind" => parse_filter(
                value,
                "must be `success_rate`, `provider_errors` or `latency`",
                &mut self.kind,
            ),
            "state" => parse_filter(value, "must be `raised` or `cleared`", &mut self.state),
            _ => return None,
        })
    }
}

/// A page of alarms.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AlarmPage {
    /// Newest first.
    pub items: Vec<Alarm>,
    /// `cursor` of the next page; `null` on the last one.
    pub next_cursor: Option<String>,
}

/// List alarms.
///
/// Newest first, those that are over among them: a partner's own, and the whole installation's for operators and
/// auditors.
#[utoipa::path(
    operation_id = "listAlarms", tag = "alarms",
    params(AlarmFilter, PagingParams),
    responses((status = 200, description = "A page of alarms", body = AlarmPage)),
    extensions(("x-problems" = json!(["not_found"])))
)]
#[get("/v1/alarms")]
pub(crate) async fn list_alarms(
    caller: Caller<AsReader>,
    context: Data<Context>,
    listing: Filtered<Sought>,
) -> Answer {
    let page = alarms::list(&context, &caller.request, &listing.filter, &listing.page).await?;
    Ok(ok(&AlarmPage {
        items: page.items,
        next_cursor: page.next.map(|cursor| cursor.encode()),
    }))
}
