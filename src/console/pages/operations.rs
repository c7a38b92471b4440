//! `/console/operations`: accepted work, newest first.

use crate::{
    Context,
    api::respond::Answer,
    console::{
        layout::{self, Section},
        params::Params,
        session::Visitor,
        words,
    },
    domain::operation::OperationState,
    storage::operations::OperationFilter,
    usecases::operations::{self, Watched},
};
use actix_web::{get, web::Data};
use chrono::{DateTime, Utc};
use maud::{Markup, html};

/// States that can be looked for.
const STATES: [&str; 5] = ["pending", "running", "succeeded", "failed", "cancelled"];

#[get("/operations")]
pub(in crate::console) async fn list(visitor: Visitor, context: Data<Context>, params: Params) -> Answer {
    let filter = OperationFilter {
        tenant_id: params.read("tenant_id"),
        state: params.read("state"),
        kind: None,
    };
    let page = operations::list(&context, &visitor.request, &filter, &params.page()).await?;
    let body = html! {
        div class="head" { h1 { "Operations" } }
        section class="card" aria-label="Operations" {
            form class="fields row" action="/console/operations" role="search" {
                div {
                    label for="state" { "State" }
                    select id="state" name="state" {
                        option value="" { "any" }
                        @for state in STATES { option value=(state) selected[params.text("state") == Some(state)] { (state) } }
                    }
                }
                div {
                    label for="tenant_id" { "Tenant id" }
                    input id="tenant_id" name="tenant_id" value=[filter.tenant_id.map(|id| id.to_string())] maxlength="64" autocomplete="off";
                }
                div { button { "Search" } }
            }
            @if page.items.is_empty() { p { "There are no such operations. Every accepted change of a tenant opens one." } }
            @else { (table(&page.items)) }
            (layout::next("/console/operations", &params, page.next.as_ref()))
        }
    };
    Ok(layout::answer(&visitor, "Operations", Section::Operations, &body))
}

/// Operations as a table.
pub(super) fn table(operations: &[Watched]) -> Markup {
    let table = html! {
        table {
            thead { tr { th scope="col" { "Operation" } th scope="col" { "State" } th scope="col" { "Steps" } th scope="col" { "Asked for" } th scope="col" { "Done" } } }
            tbody {
                @for (operation, steps) in operations {
                    @let done = steps.iter().filter(|step| step.finished_at.is_some()).count();
                    tr {
                        th scope="row" { a href={ "/console/operations/" (operation.id) } { (words::sentence(operation.kind.as_str())) } }
                        td { (words::progress(operation.state.name().as_str())) }
                        td { (done) " of " (steps.len()) }
                        td { (words::time(operation.created_at)) }
                        td { (words::time_or_none(finished_at(&operation.state))) }
                    }
                }
            }
        }
    };
    layout::scroll("Operations", &table)
}

/// When it ended, if it has.
pub(super) fn finished_at(state: &OperationState) -> Option<DateTime<Utc>> {
    match state {
        OperationState::Pending | OperationState::Running { .. } => None,
        OperationState::Succeeded { finished_at, .. }
        | OperationState::Failed { finished_at, .. }
        | OperationState::Cancelled { finished_at, .. } => Some(*finished_at),
    }
}
