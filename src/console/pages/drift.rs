//! Drift: a part of a tenant's page with the way to a comparison now, and a part of the overview.

use crate::{
    Context, Result,
    api::{extract::PathIds, respond::Answer},
    console::{
        form::Posted,
        layout,
        session::{Visitor, redirect},
        words,
    },
    domain::{
        condition::ConditionType,
        drift::{DriftMode, KnownFinding},
        tenant::{Tenant, TenantFilter},
    },
    ids::TenantId,
    storage::{Page, PageRequest},
    usecases::{
        drift::{self, Drift},
        tenants,
    },
};
use actix_web::{post, web::Data};
use maud::{Markup, html};

/// Tenants that the overview shows.
const SHOWN: u16 = 8;

/// Has a tenant compared with AWS now.
#[post("/tenants/{tenant_id}/drift/check")]
pub(in crate::console) async fn check(
    visitor: Visitor,
    _form: Posted,
    context: Data<Context>,
    id: PathIds<TenantId>,
) -> Answer {
    drift::ask(&context, &visitor.request, id.0).await?;
    Ok(redirect(&format!("/console/tenants/{}#drift", id.0)))
}

/// What is known of a tenant's drift.
pub(super) fn card(visitor: &Visitor, tenant: &Tenant, drift: &Drift) -> Markup {
    let summary = &drift.summary;
    let mode = match drift.mode {
        DriftMode::Report => "What differs is reported, and stays until somebody writes it back.",
        DriftMode::Heal => "What differs is reported and, where that can be done, written back.",
    };
    html! {
        h2 id="drift" { "Drift" }
        @if let Some(failure) = &summary.error {
            div class="note bad" {
                p { strong { "It could not be compared with AWS" } " (" (words::time(failure.at)) "): " (failure.message) " " code { (failure.code) } }
                @if let Some(hint) = &failure.hint { p { (hint) } }
            }
        }
        @if !drift.findings.is_empty() { (layout::scroll("Differences", &finding_table(&drift.findings))) }
        @else if summary.checked_at.is_some() { p { "AWS has everything as it is wanted." } }
        @else { p { "It was not compared with AWS yet. A worker does that by itself once the tenant is made." } }
        @if !summary.not_checked.is_empty() {
            p { "Not compared:" }
            ul { @for what in &summary.not_checked { li { (what) } } }
        }
        dl class="facts" {
            dt { "Mode" } dd { (words::badge("", drift.mode.as_str())) " " (mode) }
            dt { "Last comparison" } dd { (words::time_or_none(summary.checked_at)) @if summary.checked_at.is_some() { ", with generation " (summary.generation) } }
            dt { "Next comparison" } dd { @if let Some(at) = drift.next_check_at { (words::time(at)) } @else { "at once" } }
        }
        @if visitor.administers() && tenant.require_active().is_ok() {
            form class="fields" method="post" action={ "/console/tenants/" (tenant.id) "/drift/check" } {
                (layout::token(visitor))
                div {
                    button { "Check now" }
                    p class="hint" { "A worker compares as soon as the budget of calls allows, most often within seconds. Load the page again then." }
                }
            }
        }
    }
}

fn finding_table(findings: &[KnownFinding]) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "What differs" } th scope="col" { "Severity" } th scope="col" { "Wanted" } th scope="col" { "In AWS" }
                th scope="col" { "Seen" } th scope="col" { "Written back" }
            } }
            tbody {
                @for known in findings {
                    @let finding = &known.finding;
                    tr data-finding=(finding.path) {
                        th scope="row" class="break" { code { (finding.path) } }
                        td { (words::severity(finding.severity)) }
                        td class="break" { code { (finding.wanted) } }
                        td class="break" { code { (finding.observed) } }
                        td { (words::time(known.found_at)) }
                        td {
                            @if known.healing { "under way" }
                            @else if known.operation_id.is_some() { "was tried" }
                            @else if finding.healable { "not tried" }
                            @else { "cannot be" }
                            @if let Some(operation) = known.operation_id { ", " a href={ "/console/operations/" (operation) } { "operation" } }
                        }
                    }
                }
            }
        }
    }
}

/// The first of the tenants that are drifted.
pub(super) async fn drifted(context: &Context, visitor: &Visitor) -> Result<Page<Tenant>> {
    let filter = TenantFilter {
        condition: Some(ConditionType::Drifted.as_str().to_owned()),
        ..TenantFilter::default()
    };
    let page = PageRequest {
        limit: SHOWN,
        after: None,
    };
    tenants::list(context, &visitor.request, &filter, &page).await
}

/// Those tenants, on the overview.
pub(super) fn drifted_card(drifted: &Page<Tenant>) -> Markup {
    let table = html! {
        table {
            thead { tr { th scope="col" { "Tenant" } th scope="col" { "Worst" } th scope="col" class="number" { "Differences" } th scope="col" { "Mode" } th scope="col" { "Compared" } } }
            tbody {
                @for tenant in &drifted.items {
                    tr data-drifted=(tenant.id) {
                        th scope="row" { a href={ "/console/tenants/" (tenant.id) "#drift" } { (tenant.name) } }
                        td { @if let Some(worst) = tenant.drift.worst { (words::severity(worst)) } @else { (words::NONE) } }
                        td class="number" { (tenant.drift.findings) }
                        td { (tenant.drift_mode) }
                        td { (words::time_or_none(tenant.drift.checked_at)) }
                    }
                }
            }
        }
    };
    html! {
        h2 id="drifted" { "Drifted tenants" }
        @if drifted.items.is_empty() { p { "Of no tenant AWS has anything other than wanted, as far as they were compared." } }
        @else {
            p { span data-figure="tenants-drifted" { (words::first_of(drifted.items.len(), drifted.next.is_some())) } " drifted." }
            (layout::scroll("Drifted tenants", &table))
            p { a href={ "/console/tenants?condition=" (ConditionType::Drifted) } { "All drifted tenants" } }
        }
    }
}
