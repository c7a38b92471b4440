//! `/console`: everything that the visitor may see, at a glance.

use crate::{
    Context, Result,
    api::respond::Answer,
    console::{
        charts,
        layout::{self, Section},
        pages::{alarms, cells, drift},
        params::Params,
        session::Visitor,
        words,
    },
    ids::TenantId,
    reporting::{
        question::GroupBy,
        report::{Figures, GroupFigures},
    },
    storage::{PageRequest, step_up_events::Sought},
    usecases::{
        step_up_reports::{self, Answered, ProviderTimes},
        tenant_overview::{self, TenantOverview},
        tenants,
    },
};
use actix_web::{routes, web::Data};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use std::cmp::Reverse;

/// Tenants in a list of the first.
const SHOWN: usize = 8;

/// Successes that a provider must have to be among the slowest: one slow user says nothing of it.
const LEAST_SUCCESSES: u64 = 20;

/// A tenant among the first, with its name.
struct Ranked {
    id: TenantId,
    name: String,
    provider: String,
    figures: Figures,
}

#[routes]
#[get("")]
#[get("/")]
pub(in crate::console) async fn show(visitor: Visitor, context: Data<Context>, params: Params) -> Answer {
    let now = context.clock.now();
    let range = params.range(now);
    let request = &visitor.request;
    let overview = tenant_overview::get(&context, request).await?;
    let report = step_up_reports::of_all(&context, request, range.question(None)).await?;
    let by_tenant = step_up_reports::of_all(&context, request, range.question(Some(GroupBy::Tenant))).await?;
    let mut busiest = by_tenant.groups;
    busiest.sort_by_key(|group| Reverse(group.figures.started));
    let busiest = named(&context, &visitor, busiest).await?;
    let mut slowest =
        step_up_reports::slowest_providers(&context, request, range.question(None), LEAST_SUCCESSES).await?;
    slowest.truncate(SHOWN);
    let newest = newest_event(&context, &visitor).await?;
    let drifted = drift::drifted(&context, &visitor).await?;
    let raised = alarms::raised(&context, &visitor).await?;
    let tight = cells::tightest(&context, &visitor).await?;
    let lags = cells::event_lags(&context, &visitor).await?;
    let body = html! {
        div class="head" {
            h1 { "Overview" }
            (layout::ranges("/console", &params, range))
        }
        div class="cards" {
            section class="card third" aria-labelledby="tenants" { (conditions(&overview)) }
            section class="card two-thirds" aria-labelledby="step-ups" { (step_ups(&report, newest, now)) }
            @if !overview.troubled.is_empty() {
                section class="card" aria-labelledby="attention" { (attention(&overview)) }
            }
            section class="card half" aria-labelledby="raised" { (alarms::raised_card(&raised)) }
            section class="card half" aria-labelledby="drifted" { (drift::drifted_card(&drifted)) }
            section class="card" aria-labelledby="over-time" {
                h2 id="over-time" { "Outcomes over time" }
                (charts::outcomes(range, &report.rows))
            }
            section class="card half" aria-labelledby="busiest" {
                h2 id="busiest" { "Busiest tenants" }
                (ranking("Busiest tenants", &busiest))
            }
            section class="card half" aria-labelledby="slowest" {
                h2 id="slowest" { "Slowest providers" }
                (slowest_providers(&slowest))
            }
            @if let Some(lags) = &lags { section class="card" aria-labelledby="lag" { (cells::lag(lags, now)) } }
            @if let Some(tight) = &tight { section class="card" aria-labelledby="room" { (cells::room(tight)) } }
        }
    };
    Ok(layout::answer(&visitor, "Overview", Section::Overview, &body))
}

/// The first of these groups by name. A tenant that was removed meanwhile has none and is left out.
async fn named(context: &Context, visitor: &Visitor, groups: Vec<GroupFigures>) -> Result<Vec<Ranked>> {
    let mut ranked = Vec::new();
    for group in groups.into_iter().take(SHOWN) {
        let Ok(id) = group.group.parse() else { continue };
        if let Ok(tenant) = tenants::get(context, &visitor.request, id).await {
            ranked.push(Ranked {
                id,
                name: tenant.name,
                provider: tenant.blockid.tenant_dns,
                figures: group.figures,
            });
        }
    }
    Ok(ranked)
}

async fn newest_event(context: &Context, visitor: &Visitor) -> Result<Option<DateTime<Utc>>> {
    let page = PageRequest {
        limit: 1,
        after: None,
    };
    let found = step_up_reports::events(context, &visitor.request, &Sought::default(), &page).await?;
    Ok(found.items.first().map(|event| event.at))
}

fn conditions(overview: &TenantOverview) -> Markup {
    html! {
        h2 id="tenants" { "Tenants" }
        @if overview.total() == 0 {
            p { "There are no tenants yet. A partner makes one with " code { "POST /v1/tenants" } "; " a href="/docs/" { "the API" } " says what it takes." }
        } @else {
            table {
                thead { tr { th scope="col" { "Condition" } th scope="col" class="number" { "Tenants" } } }
                tbody {
                    @for (condition, tenants) in &overview.counts {
                        tr {
                            th scope="row" { (words::condition(*condition)) }
                            td class="number" data-figure={ "tenants-" (condition.as_str()) } { (words::count(*tenants)) }
                        }
                    }
                }
            }
            p { a href="/console/tenants" { "All tenants" } }
        }
    }
}

fn step_ups(report: &Answered, newest: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Markup {
    let total = &report.total;
    html! {
        h2 id="step-ups" { "Step-ups" }
        dl class="figures" {
            div { dt { "Started" } dd data-figure="started" { (words::count_or_none(total.started)) } }
            div { dt { "Succeeded" } dd data-figure="succeeded" { (words::count(total.succeeded)) } }
            div { dt { "Success rate" } dd data-figure="success-rate" { (words::percent(total.success_rate)) } }
            div { dt { "Abandoned" } dd data-figure="abandoned" { (words::count_or_none(total.abandoned)) } }
            div { dt { "Tokens refused" } dd data-figure="refused-tokens" { (words::count(total.refused_tokens)) } }
            div { dt { "Half take less than" } dd data-figure="p50" { (words::duration(total.time_to_complete_p50_ms)) } }
            div { dt { "95 % take less than" } dd data-figure="p95" { (words::duration(total.time_to_complete_p95_ms)) } }
            div { dt { "Newest event" } dd class="small" {
                @if let Some(at) = newest { (words::ago(at, now)) br; span class="quiet" { (words::time(at)) } }
                @else { "none yet" }
            } }
        }
        @if newest.is_none() {
            p class="quiet" { "Events come when users sign in, within seconds: triggers print them, the cell's forwarder carries them, a worker counts them." }
        }
    }
}

fn attention(overview: &TenantOverview) -> Markup {
    let table = html! {
        table {
            thead { tr { th scope="col" { "Tenant" } th scope="col" { "Condition" } th scope="col" { "Why" } } }
            tbody {
                @for tenant in &overview.troubled {
                    tr {
                        th scope="row" { a href={ "/console/tenants/" (tenant.id) } { (tenant.name) } }
                        td { (words::condition(tenant.condition)) }
                        td { (tenant.why.as_deref().unwrap_or(words::NONE)) }
                    }
                }
            }
        }
    };
    html! {
        h2 id="attention" { "Somebody should look" }
        (layout::scroll("Tenants that somebody should look at", &table))
    }
}

fn ranking(label: &str, ranked: &[Ranked]) -> Markup {
    if ranked.is_empty() {
        return html! { p { "Nothing in this time. Choose a longer one above." } };
    }
    let most = ranked
        .iter()
        .filter_map(|tenant| tenant.figures.started)
        .max()
        .unwrap_or_default();
    let table = html! {
        table {
            thead { tr {
                th scope="col" { "Tenant" } th scope="col" class="number" { "Started" } th scope="col" class="number" { "Success" }
                th scope="col" class="number" { "95 % below" }
            } }
            tbody {
                @for tenant in ranked {
                    tr data-tenant=(tenant.id) {
                        th scope="row" {
                            a href={ "/console/tenants/" (tenant.id) } { (tenant.name) }
                            br; span class="quiet" { (tenant.provider) }
                            (charts::bar(charts::share(tenant.figures.started.unwrap_or_default(), most), "accent"))
                        }
                        td class="number" { (words::count_or_none(tenant.figures.started)) }
                        td class="number" { (words::percent(tenant.figures.success_rate)) }
                        td class="number" { (words::duration(tenant.figures.time_to_complete_p95_ms)) }
                    }
                }
            }
        }
    };
    layout::scroll(label, &table)
}

fn slowest_providers(slowest: &[ProviderTimes]) -> Markup {
    let table = html! {
        table {
            thead { tr {
                th scope="col" { "Provider" } th scope="col" class="number" { "Tenants" } th scope="col" class="number" { "Succeeded" }
                th scope="col" class="number" { "Half below" } th scope="col" class="number" { "95 % below" }
            } }
            tbody {
                @for times in slowest {
                    tr data-provider=(times.provider) {
                        th scope="row" { (times.provider) }
                        td class="number" { (words::grouped(i64::try_from(times.tenants).unwrap_or(i64::MAX))) }
                        td class="number" { (words::count(i64::try_from(times.succeeded).unwrap_or(i64::MAX))) }
                        td class="number" { (words::duration(times.p50_ms)) }
                        td class="number" { (words::duration(times.p95_ms)) }
                    }
                }
            }
        }
    };
    html! {
        p class="quiet" { "By the time to complete: from the password to the success, the user's own part included. Providers with at least " (LEAST_SUCCESSES) " successes." }
        @if slowest.is_empty() { p { "No provider has that many in this time. Choose a longer one above." } }
        @else { (layout::scroll("Slowest providers", &table)) }
    }
}
