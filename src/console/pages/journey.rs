//! `/console/tenants/{tenant_id}/journeys/{journey_id}`: one sign-in from the password to the tokens, event by event.

use crate::{
    Context, Error,
    api::{extract::PathIds, respond::Answer},
    console::{
        charts,
        layout::{self, Section},
        session::Visitor,
        words,
    },
    error::Code,
    ids::TenantId,
    reporting::batch::EventRow,
    storage::{MAX_LIMIT, PageRequest, step_up_events::Sought},
    usecases::{step_up_reports, tenants},
};
use actix_web::{get, web::Data};
use maud::{Markup, html};

/// Longest id that is looked for.
const MAX_ID_BYTES: usize = 64;

#[get("/tenants/{tenant_id}/journeys/{journey_id}")]
pub(in crate::console) async fn show(
    visitor: Visitor,
    context: Data<Context>,
    ids: PathIds<(TenantId, String)>,
) -> Answer {
    let PathIds((tenant_id, journey_id)) = ids;
    let tenant = tenants::get(&context, &visitor.request, tenant_id).await?;
    let sought = Sought {
        tenant_id: Some(tenant_id),
        journey_id: Some(journey_id.clone()).filter(|id| id.len() <= MAX_ID_BYTES && !id.contains('\0')),
        ..Sought::default()
    };
    let gone = || {
        let days = context.config.events.retention_days;
        Error::new(
            Code::NotFound,
            format!("There are no events of this journey. Events are kept for {days} days."),
        )
    };
    if sought.journey_id.is_none() {
        return Err(gone().into());
    }
    let page = PageRequest {
        limit: MAX_LIMIT,
        after: None,
    };
    let mut events = step_up_reports::events(&context, &visitor.request, &sought, &page)
        .await?
        .items;
    events.reverse();
    let Some(first) = events.first() else {
        return Err(gone().into());
    };
    let began_at = first.filed_at;
    let took = events.last().map(|last| millis(last, began_at));
    let body = html! {
        (layout::trail(&[
            ("/console/tenants".to_owned(), "Tenants"),
            (format!("/console/tenants/{tenant_id}"), &tenant.name),
        ]))
        div class="head" { h1 { "Journey" } }
        div class="cards" {
            section class="card third" aria-labelledby="about" {
                h2 id="about" { "About" }
                dl class="facts" {
                    dt { "Began" } dd { (words::time(began_at)) }
                    dt { "Last event after" } dd { (words::duration(took)) }
                    dt { "App" } dd { @if let Some(app) = app_of(&events) { a href={ "/console/tenants/" (tenant_id) "/apps/" (app) } { (app) } } @else { (words::NONE) } }
                    dt { "User (hidden)" } dd { code { (events.iter().find_map(|event| event.user_hash.as_deref()).unwrap_or(words::NONE)) } }
                    dt { "Action" } dd { (events.iter().find_map(|event| event.action.as_deref()).unwrap_or("sign-in")) }
                    dt { "Id" } dd { code { (journey_id) } }
                }
            }
            section class="card two-thirds" aria-labelledby="timeline" {
                h2 id="timeline" { "What happened" }
                ol class="timeline" { @for event in &events { (shown(event, began_at)) } }
            }
        }
    };
    Ok(layout::answer(&visitor, "Journey", Section::Tenants, &body))
}

fn app_of(events: &[EventRow]) -> Option<&str> {
    events.iter().find_map(|event| event.app_id.as_deref())
}

fn millis(event: &EventRow, began_at: chrono::DateTime<chrono::Utc>) -> u32 {
    u32::try_from((event.at - began_at).num_milliseconds()).unwrap_or_default()
}

fn shown(event: &EventRow, began_at: chrono::DateTime<chrono::Utc>) -> Markup {
    let slowest = event.hops_ms.values().copied().max().unwrap_or_default();
    html! {
        li class=(words::tone_of(&event.kind)) data-type=(event.kind) {
            h3 { (words::outcome(&event.kind)) " after " (words::duration(Some(millis(event, began_at)))) @if let Some(round) = event.round { span class="quiet" { ", round " (round) } } }
            @if let Some(reason) = &event.reason { p { (words::reason(reason)) } }
            dl class="facts" {
                dt { "At" } dd { (words::time(event.at)) }
                @if let Some(method) = &event.method { dt { "Method" } dd { (method) @if event.fallback == Some(true) { " (not the policy's first)" } } }
                @if event.acr.is_some() || !event.amr.is_empty() {
                    dt { "Provider said" } dd { "acr " code { (event.acr.as_deref().unwrap_or(words::NONE)) } ", amr " code { (event.amr.join(" ")) } }
                }
                @if let Some(aal) = event.aal { dt { "Assurance" } dd { "AAL" (aal) @if let Some(ial) = event.ial { ", IAL" (ial) } } }
                @if let Some(version) = event.policy_version { dt { "Policy" } dd { "version " (version) @if let Some(rule) = &event.rule { ", rule " (rule) } @if event.policy_stale { " (read too long ago)" } } }
                dt { "In the function" } dd { (event.duration_ms) " ms" @if event.cold_start { ", cold start" } ", version " (event.trigger_version) }
                @for (hop, ms) in &event.hops_ms {
                    dt { (words::plain(hop)) } dd { (ms) " ms" (charts::bar(charts::share(i64::from(*ms), i64::from(slowest)), "accent")) }
                }
            }
        }
    }
}
