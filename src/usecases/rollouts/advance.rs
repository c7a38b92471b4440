//! One look at a rollout that this worker holds: settle what ended, ask functions, make the next move.
//!
//! Each part is a transaction of its own that begins by holding the rollout, and leaves a state from which any worker can
//! go on. Functions are asked outside of transactions; to ask twice is harmless.

use super::{
    super::{audit, operations},
    entry, probe,
};
use crate::{
    Context, Result,
    domain::{
        actor::OperatorScope,
        audit::{AuditAction, AuditEntry},
        operation::OperationKind,
        rollout::{
            Move, ProbeOutcome, Rollout, RolloutState, Seen, Stopped, TenantStage, compare_probes, next,
        },
    },
    ids::RolloutId,
    storage::{
        self, Tx,
        audit_log::Author,
        rollouts::{
            self,
            tenants::{self, Member, Next},
        },
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

/// Tenants of a rollout that are under way at once.
const AT_ONCE: i64 = 10;
/// Longest that an update may take, waits for AWS included.
const UPDATE_TIMEOUT: TimeDelta = TimeDelta::minutes(30);
/// How often functions are asked before no good answer is taken for the answer.
const PROBES: i32 = 3;

/// The worker's part in a rollout.
struct Look<'a> {
    context: &'a Context,
    owner: &'a str,
    id: RolloutId,
    scope: OperatorScope,
}

/// Looks at a rollout once. Returns whether it came any further, so that another look may be worth it at once.
pub async fn look(context: &Context, owner: &str, id: RolloutId) -> Result<bool> {
    let look = Look {
        context,
        owner,
        id,
        scope: OperatorScope::worker(),
    };
    let settled = look.settle().await?;
    let asked = look.ask().await?;
    let moved = look.make_move().await?;
    Ok(settled || asked || moved)
}

/// How long a worker that does not come back keeps others from a rollout.
pub fn lease(context: &Context) -> TimeDelta {
    crate::provisioning::pass::lease(context)
}

impl Look<'_> {
    fn now(&self) -> DateTime<Utc> {
        self.context.clock.now()
    }

    /// A transaction on the rollout; `None` when it is not ours any more, or has ended.
    async fn hold(&self) -> Result<Option<(Tx, Rollout)>> {
        let mut tx = self.context.db.begin(&self.scope).await?;
        let until = self.now() + lease(self.context);
        let held = rollouts::hold(&mut tx, &self.scope, (self.id, self.owner), until).await?;
        Ok(held.map(|rollout| (tx, rollout)))
    }

    async fn set(&self, tx: &mut Tx, member: &Member, next: &Next<'_>) -> Result<()> {
        tenants::set(tx, &self.scope, (self.id, member.tenant_id), next, self.now()).await
    }

    /// Tenants whose operation has ended come to their next stage.
    async fn settle(&self) -> Result<bool> {
        let Some((mut tx, _)) = self.hold().await? else {
            return Ok(false);
        };
        let at = (&[TenantStage::Updating, TenantStage::Returning][..], None);
        let mut came_further = false;
        for member in tenants::at(&mut tx, &self.scope, self.id, at, i64::MAX).await? {
            if let Some((stage, detail)) = self.settled(&member) {
                let next = Next {
                    detail: detail.as_deref(),
                    ..Next::stage(stage)
                };
                self.set(&mut tx, &member, &next).await?;
                came_further = true;
            }
        }
        tx.commit().await?;
        Ok(came_further)
    }

    fn settled(&self, member: &Member) -> Option<(TenantStage, Option<String>)> {
        let updates = member.stage == TenantStage::Updating;
        let (good, bad) = if updates {
            (TenantStage::Probing, TenantStage::Failed)
        } else {
            (TenantStage::Returned, TenantStage::ReturnFailed)
        };
        match member
            .operation
            .as_ref()
            .map(|(state, error)| (state.as_str(), error))
        {
            Some(("succeeded", _)) => Some((good, None)),
            Some(("failed", error)) => {
                let why = error.as_ref().map_or("It was given up.", |error| &error.message);
                Some((bad, Some(why.to_owned())))
            }
            Some(("cancelled", _)) => Some((bad, Some("Its operation was cancelled.".to_owned()))),
            _ if !member.active => Some((TenantStage::Skipped, Some("It is being deleted.".to_owned()))),
            _ if updates && self.took_too_long(member) => {
                Some((bad, Some("It was not updated within 30 minutes.".to_owned())))
            }
            _ => None,
        }
    }

    fn took_too_long(&self, member: &Member) -> bool {
        member
            .started_at
            .is_some_and(|at| at + UPDATE_TIMEOUT < self.now())
    }

    /// Asks the functions of tenants that are to be changed, and of those that were.
    async fn ask(&self) -> Result<bool> {
        let Some((mut tx, rollout)) = self.hold().await? else {
            return Ok(false);
        };
        let stages: &[TenantStage] = match rollout.state {
            RolloutState::Running => &[TenantStage::Starting, TenantStage::Probing],
            // Those under way are seen through.
            RolloutState::Paused => &[TenantStage::Probing],
            _ => return Ok(false),
        };
        let members = tenants::at(&mut tx, &self.scope, self.id, (stages, None), AT_ONCE).await?;
        tx.commit().await?;
        let mut came_further = false;
        for member in members {
            let answer = if member.stage == TenantStage::Starting && reason_to_skip(&member).is_some() {
                Ok(ProbeOutcome::default())
            } else {
                probe::ask(self.context, &member).await
            };
            let Some((mut tx, rollout)) = self.hold().await? else {
                return Ok(came_further);
            };
            came_further |= match member.stage {
                // Paused or stopped meanwhile: it is not begun with.
                TenantStage::Starting if rollout.state != RolloutState::Running => false,
                TenantStage::Starting => self.start(&mut tx, &member, answer).await?,
                _ => self.judge(&mut tx, &member, answer).await?,
            };
            tx.commit().await?;
        }
        Ok(came_further)
    }

    /// Has the reconciler bring a tenant to the release.
    async fn start(
        &self,
        tx: &mut Tx,
        member: &Member,
        answer: Result<ProbeOutcome, String>,
    ) -> Result<bool> {
        let before = match (reason_to_skip(member), answer) {
            (Some(reason), _) => {
                if member.active && member.observed.stack.is_none() {
                    // Its first pass makes the stack: with the release.
                    tenants::set_release(tx, &self.scope, member.tenant_id, Some(member.to)).await?;
                }
                let next = Next {
                    detail: Some(reason),
                    ..Next::stage(TenantStage::Skipped)
                };
                self.set(tx, member, &next).await?;
                return Ok(true);
            }
            (None, Ok(before)) => before,
            (None, Err(error)) => {
                tracing::warn!(tenant = %member.tenant_id, rollout = %self.id, error, "functions cannot be asked at the moment");
                return Ok(false);
            }
        };
        self.bring(tx, member, TenantStage::Updating, Some(&before))
            .await?;
        Ok(true)
    }

    /// Gives a tenant another release to run and opens the operation that brings it there.
    async fn bring(
        &self,
        tx: &mut Tx,
        member: &Member,
        stage: TenantStage,
        probe_before: Option<&ProbeOutcome>,
    ) -> Result<()> {
        let (from, to) = match stage {
            TenantStage::Returning => (Some(member.to), member.from),
            _ => (member.from, Some(member.to)),
        };
        if !tenants::set_release(tx, &self.scope, member.tenant_id, to).await? {
            let next = Next {
                detail: Some("It is being deleted."),
                ..Next::stage(TenantStage::Skipped)
            };
            return self.set(tx, member, &next).await;
        }
        let now = self.now();
        let scope = self.scope.within(member.partner_id);
        let tenant_id = member.tenant_id;
        let target_generation = storage::tenants::bump_generation(tx, &scope, tenant_id, now).await?;
        let subject = operations::Subject {
            kind: OperationKind::ChangeRelease,
            tenant_id,
            resource_id: tenant_id.to_string(),
            target_generation,
            now,
        };
        let (operation, _) = operations::open_for(tx, self.context, None, &scope, subject).await?;
        let entry = AuditEntry {
            tenant_id: Some(tenant_id),
            resource_id: tenant_id.to_string(),
            action: AuditAction::TenantReleaseChanged,
            reason: String::new(),
            detail: json!({"rollout": self.id, "release": {"from": from, "to": to}}),
        };
        audit::record_by(
            tx,
            self.context,
            Author::WORKER,
            Some(member.partner_id),
            &entry,
            now,
        )
        .await?;
        let next = Next {
            operation_id: Some(operation.id),
            probe_before,
            ..Next::stage(stage)
        };
        self.set(tx, member, &next).await
    }

    /// Compares what functions answer since the update with what they answered before.
    async fn judge(
        &self,
        tx: &mut Tx,
        member: &Member,
        answer: Result<ProbeOutcome, String>,
    ) -> Result<bool> {
        let verdict = match answer {
            Ok(after) => compare_probes(&member.probe_before.clone().unwrap_or_default(), &after),
            // That says nothing about them, unless it goes on.
            Err(error) if !self.took_too_long(member) => {
                tracing::warn!(tenant = %member.tenant_id, rollout = %self.id, error, "functions cannot be asked at the moment");
                return Ok(false);
            }
            Err(error) => Err(format!("Its functions could not be asked: {error}")),
        };
        let probes = member.probes + 1;
        let next = match &verdict {
            Ok(()) => Next::stage(TenantStage::Updated),
            Err(why) if probes >= PROBES => Next {
                detail: Some(why),
                ..Next::stage(TenantStage::Failed)
            },
            Err(_) => Next::stage(TenantStage::Probing),
        };
        let next = Next { probes, ..next };
        self.set(tx, member, &next).await?;
        Ok(next.stage != TenantStage::Probing)
    }

    /// Makes the move that the machine decides on.
    async fn make_move(&self) -> Result<bool> {
        let Some((mut tx, mut rollout)) = self.hold().await? else {
            return Ok(false);
        };
        let seen = self.see(&mut tx, &rollout).await?;
        rollout.health = Some(seen.health);
        let now = self.now();
        let decided = next(&rollout, &seen, now);
        let before = (rollout.state, rollout.wave);
        match &decided {
            Move::Wait => {}
            Move::Start => self.take_up(&mut tx, &rollout, &seen).await?,
            Move::Soak => rollout.soaking_since = Some(now),
            Move::Advance => (rollout.wave, rollout.soaking_since) = (rollout.wave + 1, None),
            Move::TakeIn => {
                tenants::take_in(&mut tx, &self.scope, &rollout, rollout.waves).await?;
                (rollout.wave, rollout.soaking_since) = (rollout.waves, None);
                rollout.waves += 1;
            }
            Move::Succeed => {
                if !self.succeed(&mut tx, &rollout).await? {
                    // Somebody was placed meanwhile: the next look takes the tenant in.
                    return Ok(true);
                }
                (rollout.state, rollout.finished_at) = (RolloutState::Succeeded, Some(now));
            }
            Move::Stop { code, detail } => {
                rollout.state = RolloutState::RollingBack;
                rollout.stopped = Some(Stopped {
                    code: *code,
                    detail: detail.clone(),
                    at: now,
                });
            }
            Move::Return => self.send_back(&mut tx).await?,
            Move::Returned => (rollout.state, rollout.finished_at) = (RolloutState::RolledBack, Some(now)),
        }
        if decided != Move::Wait {
            rollout.updated_at = now;
        }
        rollouts::update(&mut tx, &self.scope, &rollout).await?;
        if before != (rollout.state, rollout.wave) {
            self.tell(&mut tx, &rollout, now).await?;
        }
        tx.commit().await?;
        Ok(!matches!(decided, Move::Wait | Move::Soak))
    }

    async fn see(&self, tx: &mut Tx, rollout: &Rollout) -> Result<Seen> {
        let stages = tenants::stages(tx, &self.scope, self.id).await?;
        let (wave, all) = tenants::summed(&stages, rollout.wave);
        let strays = if rollout.plan.takes_everybody() {
            tenants::strays(tx, &self.scope, rollout).await?
        } else {
            0
        };
        Ok(Seen {
            wave,
            all,
            health: tenants::health(tx, &self.scope, self.id, self.context.clock.now()).await?,
            strays,
        })
    }

    /// Takes tenants of the wave up, so many at a time.
    async fn take_up(&self, tx: &mut Tx, rollout: &Rollout, seen: &Seen) -> Result<()> {
        let under_way: u32 = [TenantStage::Starting, TenantStage::Updating, TenantStage::Probing]
            .into_iter()
            .map(|stage| seen.all.of(stage))
            .sum();
        let free = AT_ONCE - i64::from(under_way);
        if free <= 0 {
            return Ok(());
        }
        let pending = (&[TenantStage::Pending][..], Some(rollout.wave));
        for member in tenants::at(tx, &self.scope, self.id, pending, free).await? {
            self.set(tx, &member, &Next::stage(TenantStage::Starting)).await?;
        }
        Ok(())
    }

    /// Brings back who holds the release; who was not begun with stays as it is.
    async fn send_back(&self, tx: &mut Tx) -> Result<()> {
        let untouched = (&[TenantStage::Pending, TenantStage::Starting][..], None);
        for member in tenants::at(tx, &self.scope, self.id, untouched, i64::MAX).await? {
            self.set(tx, &member, &Next::stage(TenantStage::Skipped)).await?;
        }
        let touched: Vec<_> = TenantStage::ALL
            .into_iter()
            .filter(|stage| stage.is_touched())
            .collect();
        for member in tenants::at(tx, &self.scope, self.id, (&touched, None), i64::MAX).await? {
            self.bring(tx, &member, TenantStage::Returning, None).await?;
        }
        Ok(())
    }

    /// Makes the release what new tenants get, when it was for everybody. False when a tenant slipped in.
    async fn succeed(&self, tx: &mut Tx, rollout: &Rollout) -> Result<bool> {
        if !rollout.plan.takes_everybody() {
            return Ok(true);
        }
        // Nobody is placed between the last look and the promotion.
        storage::cells::lock_placement(tx).await?;
        if tenants::strays(tx, &self.scope, rollout).await? > 0 {
            return Ok(false);
        }
        tenants::set_release_of_reserved(tx, &self.scope, self.id).await?;
        for (_, release_id) in &rollout.cells {
            let (release, _) = storage::releases::with_template(tx, *release_id).await?;
            storage::releases::make_current(tx, &self.scope, &release, self.now()).await?;
        }
        Ok(true)
    }

    async fn tell(&self, tx: &mut Tx, rollout: &Rollout, now: DateTime<Utc>) -> Result<()> {
        tracing::info!(
            rollout_id = %self.id, state = %rollout.state, wave = rollout.wave, waves = rollout.waves,
            stopped = rollout.stopped.as_ref().map(|stopped| stopped.detail.as_str()), "rollout advanced"
        );
        let entry = AuditEntry {
            detail: json!({
                "state": rollout.state, "wave": rollout.wave, "waves": rollout.waves, "stopped": rollout.stopped,
                "health": rollout.health,
            }),
            ..entry(self.id, AuditAction::RolloutAdvanced, String::new())
        };
        audit::record_by(tx, self.context, Author::WORKER, None, &entry, now).await
    }
}

/// Why a tenant is left out.
fn reason_to_skip(member: &Member) -> Option<&'static str> {
    if !member.active {
        Some("It is being deleted.")
    } else if member.observed.stack.is_none() {
        Some("It has no stack yet, and comes up with the release.")
    } else if member.failing {
        Some("It was failing before the rollout came to it, and was left as it was.")
    } else {
        None
    }
}
