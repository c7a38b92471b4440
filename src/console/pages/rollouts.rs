//! `/console/rollouts`: how tenants are brought to another release.

use crate::{
    Context,
    api::respond::Answer,
    console::{
        charts,
        layout::{self, Section},
        params::Params,
        session::Visitor,
        words,
    },
    domain::rollout::{RolloutState, TenantStage},
    usecases::rollouts::{self, Progress},
};
use actix_web::{get, web::Data};
use maud::{Markup, html};

#[get("/rollouts")]
pub(in crate::console) async fn list(visitor: Visitor, context: Data<Context>, params: Params) -> Answer {
    let page = rollouts::list(&context, &visitor.request, &params.page()).await?;
    let body = html! {
        div class="head" { h1 { "Rollouts" } }
        section class="card" aria-label="Rollouts" {
            @if page.items.is_empty() {
                p { "There was no rollout yet. " code { "stepgate cell apply" } " gives a cell another release; an operator brings its tenants there with " code { "POST /v1/rollouts" } "." }
            } @else {
                p class="quiet" { "The oldest first." }
                (layout::scroll("Rollouts", &table(&page.items)))
            }
            (layout::next("/console/rollouts", &params, page.next.as_ref()))
        }
    };
    Ok(layout::answer(&visitor, "Rollouts", Section::Rollouts, &body))
}

fn table(rollouts: &[Progress]) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "Release" } th scope="col" { "State" } th scope="col" { "Wave" } th scope="col" { "Tenants" }
                th scope="col" { "Begun" } th scope="col" { "Ended" }
            } }
            tbody {
                @for progress in rollouts {
                    @let rollout = &progress.rollout;
                    tr data-rollout=(rollout.id) {
                        th scope="row" { a href={ "/console/rollouts/" (rollout.id) } { (rollout.release) } }
                        td { (words::rollout_state(rollout.state)) }
                        td { (wave_of(progress)) }
                        td { (Settled::of(progress, None).shown()) }
                        td { (words::time(rollout.created_at)) }
                        td { (words::time_or_none(rollout.finished_at)) }
                    }
                }
            }
        }
    }
}

/// Which wave is under way, of how many.
pub(super) fn wave_of(progress: &Progress) -> String {
    let rollout = &progress.rollout;
    if rollout.waves == 0 {
        return "no tenants".to_owned();
    }
    let number = rollout.wave.saturating_add(1).min(rollout.waves);
    format!("{number} of {}", rollout.waves)
}

/// Tenants that are where the rollout leaves them.
pub(super) struct Settled {
    done: i64,
    all: i64,
    is_bad: bool,
}

impl Settled {
    /// Of a wave, or of the whole.
    pub(super) fn of(progress: &Progress, wave: Option<u32>) -> Self {
        let (mut done, mut all) = (0, 0);
        for (of, stage, tenants) in &progress.stages {
            if wave.is_none_or(|wave| wave == *of) {
                all += i64::from(*tenants);
                if is_settled(progress.rollout.state, *stage) {
                    done += i64::from(*tenants);
                }
            }
        }
        Self {
            done,
            all,
            is_bad: progress.rollout.stopped.is_some(),
        }
    }

    /// As text.
    pub(super) fn shown(&self) -> String {
        format!("{} of {}", words::grouped(self.done), words::grouped(self.all))
    }

    /// As a bar.
    pub(super) fn bar(&self) -> Markup {
        let class = if self.is_bad { "failed" } else { "succeeded" };
        charts::bar(charts::share(self.done, self.all), class)
    }
}

/// Whether a rollout in this state does nothing more about a tenant at this stage.
fn is_settled(rollout: RolloutState, stage: TenantStage) -> bool {
    match rollout {
        RolloutState::RollingBack | RolloutState::RolledBack => {
            !stage.is_touched() && stage != TenantStage::Returning
        }
        _ => !matches!(
            stage,
            TenantStage::Pending
                | TenantStage::Starting
                | TenantStage::Updating
                | TenantStage::Probing
                | TenantStage::Returning
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_settled_depends_on_the_direction() {
        let settled = |rollout| {
            let all = TenantStage::ALL.into_iter();
            all.filter(|stage| is_settled(rollout, *stage))
                .map(TenantStage::as_str)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            settled(RolloutState::Running),
            ["updated", "failed", "skipped", "returned", "return_failed"]
        );
        assert_eq!(
            settled(RolloutState::RollingBack),
            ["pending", "starting", "skipped", "returned", "return_failed"]
        );
    }
}
