//! `/console/operations/{operation_id}`: how far accepted work is.

use super::operations::finished_at;
use crate::{
    Context,
    api::{extract::PathIds, respond::Answer},
    console::{
        charts,
        form::Posted,
        layout::{self, Section},
        session::{Visitor, redirect},
        words,
    },
    domain::operation::{Operation, OperationState, Step, StepState},
    ids::OperationId,
    usecases::{operations, tenants},
};
use actix_web::{get, post, web::Data};
use maud::{Markup, html};

#[get("/operations/{operation_id}")]
pub(in crate::console) async fn show(
    visitor: Visitor,
    context: Data<Context>,
    id: PathIds<OperationId>,
) -> Answer {
    let (operation, steps) = operations::get(&context, &visitor.request, id.0).await?;
    let tenant = tenants::get(&context, &visitor.request, operation.tenant_id).await?;
    let title = words::sentence(operation.kind.as_str());
    let goes_on = !operation.state.has_ended();
    let body = html! {
        (layout::trail(&[
            ("/console/tenants".to_owned(), "Tenants"),
            (format!("/console/tenants/{}", tenant.id), &tenant.name),
            (format!("/console/operations?tenant_id={}", tenant.id), "Operations"),
        ]))
        div class="head" { h1 { (title) } }
        // While it goes on, the script of the page keeps this part up to date.
        div id="progress" data-live[goes_on] { (progress(&operation, &steps)) }
        @if goes_on && operation.kind.may_be_cancelled() && visitor.administers() {
            section class="card" aria-labelledby="cancel" {
                h2 id="cancel" { "Stop it" }
                p { "What was asked for stays asked for: the next change of the tenant brings it about too." }
                form class="fields" method="post" action={ "/console/operations/" (operation.id) "/cancel" } {
                    (layout::token(&visitor))
                    (layout::reason("reason"))
                    div { button class="danger" { "Stop the operation" } }
                }
            }
        }
    };
    Ok(layout::answer(&visitor, &title, Section::Operations, &body))
}

/// Has the work stopped.
#[post("/operations/{operation_id}/cancel")]
pub(in crate::console) async fn cancel(
    visitor: Visitor,
    form: Posted,
    context: Data<Context>,
    id: PathIds<OperationId>,
) -> Answer {
    let reason = form.text("reason").to_owned();
    operations::cancel(&context, &visitor.request, id.0, reason).await?;
    Ok(redirect(&format!("/console/operations/{}", id.0)))
}

fn progress(operation: &Operation, steps: &[Step]) -> Markup {
    let done = steps.iter().filter(|step| step.finished_at.is_some()).count();
    let (done, all) = (
        i64::try_from(done).unwrap_or(0),
        i64::try_from(steps.len()).unwrap_or(0),
    );
    html! {
        div class="cards" {
            section class="card" aria-label="State" {
                p role="status" { (words::progress(operation.state.name().as_str())) " " (done) " of " (all) " steps" }
                (charts::bar(charts::share(done, all), if matches!(operation.state, OperationState::Failed { .. }) { "failed" } else { "succeeded" }))
                @if !operation.state.has_ended() {
                    p { a href={ "/console/operations/" (operation.id) } { "Show how far it is now" } }
                }
                @if let OperationState::Failed { error, .. } = &operation.state {
                    div class="note bad" {
                        p { (error.message) " " code { (error.code) } }
                        @if let Some(hint) = &error.hint { p { (hint) } }
                    }
                }
                dl class="facts" {
                    dt { "Asked for" } dd { (words::time(operation.created_at)) }
                    dt { "Ended" } dd { (words::time_or_none(finished_at(&operation.state))) }
                    dt { "About" } dd { code { (operation.resource_id) } }
                    dt { "Request" } dd { code { (operation.request_id.as_deref().unwrap_or(words::NONE)) } }
                    dt { "Id" } dd { code { (operation.id) } }
                }
            }
            section class="card" aria-labelledby="steps" {
                h2 id="steps" { "Steps" }
                (layout::scroll("Steps", &step_table(steps)))
            }
        }
    }
}

fn step_table(steps: &[Step]) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { "Step" } th scope="col" { "State" } th scope="col" class="number" { "Tries" } th scope="col" { "What" } th scope="col" { "Done" } } }
            tbody {
                @for step in steps {
                    tr data-step=(step.name) {
                        th scope="row" { (words::sentence(&step.name)) }
                        td { (words::progress(step.state.as_str())) }
                        td class="number" { (step.attempts) }
                        td class="break" {
                            (step.detail.as_deref().unwrap_or_default())
                            @if let Some(error) = step.error.as_deref().filter(|_| step.state != StepState::Succeeded) { " " strong { (error) } }
                            @if let Some(id) = &step.aws_request_id { " " span class="quiet" { "AWS request " code { (id) } } }
                            @if step.tries.len() > 1 { (tries(step)) }
                        }
                        td { (words::time_or_none(step.finished_at)) }
                    }
                }
            }
        }
    }
}

/// Every try that is kept of a step, for whoever asks AWS's support about one of them.
fn tries(step: &Step) -> Markup {
    html! {
        details {
            summary { "Each try" }
            ol start=(step.tries[0].number) {
                @for one in &step.tries {
                    li {
                        (words::time(one.started_at))
                        @match (one.duration_ms, &one.error) {
                            (_, Some(error)) => { ": " (error) }
                            (Some(_), None) => ": done"
                            (None, None) => ": no end is known"
                        }
                        @if let Some(ms) = one.duration_ms { " (" (ms) " ms)" }
                        @if let Some(id) = &one.aws_request_id { " " span class="quiet" { "AWS request " code { (id) } } }
                    }
                }
            }
        }
    }
}
