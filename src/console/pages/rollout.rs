//! `/console/rollouts/{rollout_id}`: a rollout wave by wave, and for operators the ways to hold and to end it.

use super::rollouts::{Settled, wave_of};
use crate::{
    Context, Error,
    api::{extract::PathIds, respond::Answer},
    console::{
        form::Posted,
        layout::{self, Section},
        session::{Visitor, redirect},
        words,
    },
    domain::rollout::{Health, Rate, Remark, Rollout, RolloutState, StopCode, TenantStage},
    error::FieldError,
    ids::RolloutId,
    usecases::rollouts::{self, Progress},
};
use actix_web::{HttpResponse, get, post, web::Data};
use maud::{Markup, html};
use std::collections::BTreeMap;

#[get("/rollouts/{rollout_id}")]
pub(in crate::console) async fn show(
    visitor: Visitor,
    context: Data<Context>,
    id: PathIds<RolloutId>,
) -> Answer {
    let progress = rollouts::get(&context, &visitor.request, id.0).await?;
    let rollout = &progress.rollout;
    let title = format!("Release {}", rollout.release);
    let goes_on = !rollout.state.has_ended();
    let body = html! {
        (layout::trail(&[("/console/rollouts".to_owned(), "Rollouts")]))
        div class="head" { h1 { (title) } }
        // While it goes on, the script of the page keeps this part up to date.
        div id="progress" data-live[goes_on] { (shown(&progress)) }
        @if visitor.operates() { (controls(&visitor, rollout)) }
    };
    Ok(layout::answer(&visitor, &title, Section::Rollouts, &body))
}

/// Has no further tenant taken up.
#[post("/rollouts/{rollout_id}/pause")]
pub(in crate::console) async fn pause(
    visitor: Visitor,
    form: Posted,
    context: Data<Context>,
    id: PathIds<RolloutId>,
) -> Answer {
    let reason = form.text("reason").to_owned();
    rollouts::pause(&context, &visitor.request, id.0, reason).await?;
    Ok(back_to(id.0))
}

/// Has it go on.
#[post("/rollouts/{rollout_id}/resume")]
pub(in crate::console) async fn resume(
    visitor: Visitor,
    form: Posted,
    context: Data<Context>,
    id: PathIds<RolloutId>,
) -> Answer {
    let reason = form.text("reason").to_owned();
    rollouts::resume(&context, &visitor.request, id.0, reason).await?;
    Ok(back_to(id.0))
}

/// Ends it.
#[post("/rollouts/{rollout_id}/cancel")]
pub(in crate::console) async fn cancel(
    visitor: Visitor,
    form: Posted,
    context: Data<Context>,
    id: PathIds<RolloutId>,
) -> Answer {
    visitor.request.actor.operator()?;
    let rolls_back = match form.text("tenants") {
        "return" => true,
        "stay" => false,
        _ => {
            let field = FieldError::new("/tenants", "unknown_value", "must be `return` or `stay`");
            return Err(Error::invalid(vec![field]).into());
        }
    };
    let reason = form.text("reason").to_owned();
    rollouts::cancel(&context, &visitor.request, id.0, reason, rolls_back).await?;
    Ok(back_to(id.0))
}

fn back_to(id: RolloutId) -> HttpResponse {
    redirect(&format!("/console/rollouts/{id}"))
}

fn shown(progress: &Progress) -> Markup {
    let rollout = &progress.rollout;
    let settled = Settled::of(progress, None);
    html! {
        @if let Some(stopped) = &rollout.stopped {
            div class="note bad" {
                p {
                    strong {
                        @match stopped.code {
                            StopCode::TenantsFailed => "Taken back: tenants failed",
                            StopCode::StepUpsFail => "Taken back: steps-up fail",
                            StopCode::Asked => "Taken back: somebody asked for it",
                        }
                    }
                    " (" (words::time(stopped.at)) "): " (stopped.detail)
                }
            }
        }
        div class="cards" {
            section class="card half" aria-labelledby="state" {
                h2 id="state" { "State" }
                p role="status" {
                    (words::rollout_state(rollout.state))
                    @if rollout.waves > 0 { " wave " (wave_of(progress)) ", " (settled.shown()) " tenants settled" } @else { " without any tenant" }
                }
                (settled.bar())
                @if !rollout.state.has_ended() { p { a href={ "/console/rollouts/" (rollout.id) } { "Show how far it is now" } } }
                (facts(rollout))
            }
            section class="card half" aria-labelledby="gate" { (gate(rollout)) }
            section class="card" aria-labelledby="waves" { h2 id="waves" { "Waves" } (waves(progress)) }
            section class="card" aria-labelledby="remarks" { h2 id="remarks" { "Remarks" } (remarks(&progress.remarks)) }
        }
    }
}

fn facts(rollout: &Rollout) -> Markup {
    html! {
        dl class="facts" {
            dt { "Begun" } dd { (words::time(rollout.created_at)) " by " code { (rollout.created_by) } }
            dt { "Changed" } dd { (words::time(rollout.updated_at)) }
            dt { "Ended" } dd { (words::time_or_none(rollout.finished_at)) }
            dt { "Watched since" } dd { (words::time_or_none(rollout.soaking_since)) }
            dt { "Cells" } dd { @for (cell, _) in &rollout.cells { code { (cell) } " " } }
            dt { "Id" } dd { code { (rollout.id) } }
        }
    }
}

fn gate(rollout: &Rollout) -> Markup {
    let (plan, gate) = (&rollout.plan, &rollout.plan.gate);
    let Health { before, after } = rollout.health.unwrap_or_default();
    let rate = |rate: Rate| {
        let number = |count: u64| words::grouped(i64::try_from(count).unwrap_or(i64::MAX));
        format!(
            "{} succeeded, {} did not",
            number(rate.succeeded),
            number(rate.failed)
        )
    };
    html! {
        h2 id="gate" { "Plan and gate" }
        dl class="facts" {
            dt { "Tenants" } dd {
                @if plan.takes_everybody() { "every tenant of the cells" }
                @for (name, value) in &plan.labels { (words::badge("", &format!("{name}={value}"))) " " }
            }
            dt { "Waves" } dd { "a canary of " (plan.canary) ", then " @for (index, percent) in plan.wave_percents.iter().enumerate() { @if index > 0 { ", " } (percent) " %" } " of the rest" }
            dt { "Each is watched for" } dd { (plan.soak_s) " s" }
            dt { "Failed tenants" } dd { "at most " (gate.max_failed_tenants) }
            dt { "Success of steps-up" } dd {
                "at most " (gate.max_success_drop_points) " points below the day before"
                @if gate.min_success_percent > 0 { ", and at least " (gate.min_success_percent) " %" }
                ", once " (gate.min_step_ups) " have ended"
            }
            dt { "In the day before" } dd { (rate(before)) }
            dt { "Since the update" } dd { (rate(after)) }
        }
    }
}

fn waves(progress: &Progress) -> Markup {
    let mut waves: BTreeMap<u32, Vec<(TenantStage, u32)>> = BTreeMap::new();
    for (wave, stage, tenants) in &progress.stages {
        waves.entry(*wave).or_default().push((*stage, *tenants));
    }
    if waves.is_empty() {
        return html! { p { "No tenant is in it: the cells have none, or none with these labels." } };
    }
    let table = html! {
        table {
            thead { tr { th scope="col" { "Wave" } th scope="col" { "Settled" } th scope="col" { "Tenants by stage" } } }
            tbody {
                @for (wave, stages) in &waves {
                    @let settled = Settled::of(progress, Some(*wave));
                    tr data-wave=(wave) {
                        th scope="row" { @if *wave == 0 { "Canary" } @else { "Wave " (wave + 1) } (settled.bar()) }
                        td { (settled.shown()) }
                        td { @for (stage, tenants) in stages { (words::badge(tone(*stage), &format!("{tenants} {stage}"))) " " } }
                    }
                }
            }
        }
    };
    layout::scroll("Waves", &table)
}

fn tone(stage: TenantStage) -> &'static str {
    match stage {
        TenantStage::Pending | TenantStage::Skipped => "",
        TenantStage::Starting | TenantStage::Updating | TenantStage::Probing | TenantStage::Returning => {
            "calm"
        }
        TenantStage::Updated => "good",
        TenantStage::Returned => "warn",
        TenantStage::Failed | TenantStage::ReturnFailed => "bad",
    }
}

fn remarks(remarks: &[Remark]) -> Markup {
    if remarks.is_empty() {
        return html! { p { "There is nothing to tell of any tenant." } };
    }
    let table = html! {
        table {
            thead { tr { th scope="col" { "Tenant" } th scope="col" { "Stage" } th scope="col" { "What" } } }
            tbody {
                @for remark in remarks {
                    tr {
                        th scope="row" { a href={ "/console/tenants/" (remark.tenant_id) } { (remark.tenant_id) } }
                        td { (words::badge(tone(remark.stage), remark.stage.as_str())) }
                        td class="break" { (remark.detail) }
                    }
                }
            }
        }
    };
    layout::scroll("Remarks", &table)
}

/// The ways to hold it, to have it go on and to end it, as far as its state has them.
fn controls(visitor: &Visitor, rollout: &Rollout) -> Markup {
    let hold = match rollout.state {
        RolloutState::Running => Some((
            "pause",
            "No further tenant is taken up. Those under way end, and the gate still stops it.",
        )),
        RolloutState::Paused => Some(("resume", "Further tenants are taken up again.")),
        _ => None,
    };
    let Some((verb, meaning)) = hold else {
        return html! {};
    };
    let action = |verb: &str| format!("/console/rollouts/{}/{verb}", rollout.id);
    html! {
        div class="cards below" {
            section class="card half" aria-labelledby="hold" {
                h2 id="hold" { (words::sentence(verb)) }
                p { (meaning) }
                form class="fields" method="post" action=(action(verb)) {
                    (layout::token(visitor))
                    (layout::reason("hold-reason"))
                    div { button { (words::sentence(verb)) } }
                }
            }
            section class="card half" aria-labelledby="end" {
                h2 id="end" { "End it" }
                p { "It does not go on after that; another rollout can bring tenants to wherever they are to be." }
                form class="fields" method="post" action=(action("cancel")) {
                    (layout::token(visitor))
                    div {
                        label for="tenants" { "Tenants that were taken up" }
                        select id="tenants" name="tenants" required {
                            option value="return" { "are brought back to what they ran before" }
                            option value="stay" { "keep what they run" }
                        }
                    }
                    (layout::reason("end-reason"))
                    div { button class="danger" { "End the rollout" } }
                }
            }
        }
    }
}
