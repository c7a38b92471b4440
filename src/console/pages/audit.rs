//! `/console/audit`: who did what, when and why.

use crate::{
    Context,
    api::respond::Answer,
    console::{
        form::Posted,
        layout::{self, Section},
        params::Params,
        session::Visitor,
        words,
    },
    storage::audit_log::{AuditFilter, Placed},
    usecases::audit_trail,
};
use actix_web::{get, post, web::Data};
use maud::{Markup, html};

#[get("/audit")]
pub(in crate::console) async fn list(visitor: Visitor, context: Data<Context>, params: Params) -> Answer {
    let filter = AuditFilter {
        partner_id: None,
        tenant_id: params.read("tenant_id"),
        action: params.text("action").map(str::to_owned),
        actor: params.text("actor").map(str::to_owned),
        outcome: params.read("outcome"),
        from: None,
        to: None,
    };
    let page = audit_trail::list(&context, &visitor.request, &filter, &params.page()).await?;
    let field = |name: &'static str, label: &str| {
        html! {
            div { label for=(name) { (label) } input id=(name) name=(name) value=(params.text(name).unwrap_or_default()) maxlength="200" autocomplete="off"; }
        }
    };
    let body = html! {
        div class="head" { h1 { "Audit" } }
        section class="card" aria-label="Entries" {
            form class="fields row" action="/console/audit" role="search" {
                (field("tenant_id", "Tenant id")) (field("actor", "Actor")) (field("action", "Action"))
                div {
                    label for="outcome" { "Outcome" }
                    select id="outcome" name="outcome" {
                        option value="" { "any" }
                        @for outcome in ["done", "denied"] { option value=(outcome) selected[params.text("outcome") == Some(outcome)] { (outcome) } }
                    }
                }
                div { button { "Search" } }
            }
            @if page.items.is_empty() { p { "There are no such entries. Every change, every sign-in to this console and every refused attempt makes one." } }
            @else { (layout::scroll("Entries", &table(&page.items))) }
            (layout::next("/console/audit", &params, page.next.as_ref()))
        }
        section class="card" aria-labelledby="seals" {
            h2 id="seals" { "Seals" }
            p { "Each entry is sealed with the one before it. Checking computes every seal again." }
            form method="post" action="/console/audit/verify" { (layout::token(&visitor)) button { "Check the seals" } }
        }
    };
    Ok(layout::answer(&visitor, "Audit", Section::Audit, &body))
}

/// Computes every seal again.
#[post("/audit/verify")]
pub(in crate::console) async fn verify(visitor: Visitor, _form: Posted, context: Data<Context>) -> Answer {
    let found = audit_trail::verify(&context, &visitor.request, &[]).await?;
    let body = html! {
        (layout::trail(&[("/console/audit".to_owned(), "Audit")]))
        div class="head" { h1 { "Seals" } }
        section class="card" aria-label="Result" {
            @if found.findings.is_empty() {
                p class="note" role="status" { "Every entry is as it was sealed: " (words::count(i64::try_from(found.checked).unwrap_or(i64::MAX))) " seals were computed again." }
            } @else {
                div class="note bad" role="status" {
                    p { strong { "The log is not as it was sealed." } " Keep the database as it is and compare with an export." }
                    ul { @for finding in &found.findings { li { (words::plain(finding.kind.as_str())) " in " code { (finding.chain) } @if let Some(place) = finding.sequence { " at " (place) } } } }
                }
            }
            table {
                caption { "Chains and their last seals: compare them with what you wrote down elsewhere." }
                thead { tr { th scope="col" { "Chain" } th scope="col" class="number" { "Entries" } th scope="col" { "Hash" } } }
                tbody {
                    @for (chain, head) in &found.chains { tr { th scope="row" { code { (chain) } } td class="number" { (head.sequence) } td class="break" { code { (head.hash) } } } }
                }
            }
        }
    };
    Ok(layout::answer(&visitor, "Seals", Section::Audit, &body))
}

fn table(entries: &[Placed]) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { "When" } th scope="col" { "Who" } th scope="col" { "What" } th scope="col" { "About" } th scope="col" { "Why" } th scope="col" { "Seal" } } }
            tbody {
                @for Placed { record, seal, .. } in entries {
                    tr data-entry=(record.id) {
                        td { (words::time(record.at)) }
                        td class="break" { code { (record.actor) } @if let Some(role) = &record.actor_role { br; span class="quiet" { (words::plain(role)) } } }
                        td { (words::sentence(&record.action)) @if record.outcome == "denied" { " " (words::outcome("denied")) } }
                        td class="break" {
                            code { (record.resource_id) }
                            @if let Some(tenant) = record.tenant_id { br; a href={ "/console/tenants/" (tenant) } { "tenant" } }
                            @if record.detail.as_object().is_some_and(|detail| !detail.is_empty()) {
                                details { summary { "Detail" } pre tabindex="0" { (pretty(&record.detail)) } }
                            }
                        }
                        td { (record.reason) }
                        td class="number" { @if let Some(seal) = seal { (seal.sequence) } @else { "soon" } }
                    }
                }
            }
        }
    }
}

/// JSON for people.
pub(super) fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
