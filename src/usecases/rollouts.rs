//! Rollouts: begun, watched, paused and ended by operators; the worker carries them out ([`advance`]).

pub mod advance;
mod probe;

use super::{Request, audit, idempotency::Once};
use crate::{
    Context, Error, Result,
    domain::{
        actor::OperatorScope,
        audit::{AuditAction, AuditEntry, REASON_MAX_CHARS},
        rollout::{
            MAX_CELLS, Plan, Remark, Rollout, RolloutState, StopCode, Stopped, TenantStage, wave_sizes,
        },
        validation::Problems,
    },
    error::{Code, FieldError},
    ids::{CellId, ReleaseId, RolloutId},
    storage::{
        self, Page, PageRequest, Tx,
        rollouts::{self, tenants},
    },
};
use chrono::{DateTime, Utc};
use serde_json::json;

/// Remarks on tenants that are shown.
const MAX_REMARKS: i64 = 50;

/// What an operator asks for.
#[derive(Debug)]
pub struct NewRollout {
    /// Name of the release.
    pub release: String,
    /// Cells; by default all that have it.
    pub cell_ids: Option<Vec<CellId>>,
    /// How to go about it.
    pub plan: Plan,
}

/// A rollout and how far its tenants are.
#[derive(Debug, Clone)]
pub struct Progress {
    /// The rollout.
    pub rollout: Rollout,
    /// Tenants by wave and stage.
    pub stages: Vec<(u32, TenantStage, u32)>,
    /// Tenants of which there is something to tell, the first of them.
    pub remarks: Vec<Remark>,
}

/// Begins a rollout, once for all repeats of the request.
#[tracing::instrument(target = "stepgate::trace", name = "rollouts.create", skip_all)]
pub async fn create(
    context: &Context,
    request: &Request,
    new: NewRollout,
    once: &Once<'_, Progress>,
) -> Result<Progress> {
    let scope = request.actor.operator()?;
    let mut problems = Problems::new();
    problems.name("/release", &new.release, 128);
    let given = new.cell_ids.as_deref();
    problems.require(
        given.is_none_or(|ids| (1..=MAX_CELLS).contains(&ids.len())),
        "/cell_ids",
        "wrong_length",
        "must have 1 to 100 items",
    );
    problems.within("/plan", |problems| new.plan.validate(problems));
    problems.finish()?;
    let now = context.clock.now();
    let mut tx = context.db.begin(&scope).await?;
    rollouts::lock_beginnings(&mut tx, &scope).await?;
    let cells = find_cells(&mut tx, &scope, &new).await?;
    if let Some(other) = rollouts::live_in(&mut tx, &scope, &cells).await? {
        return Err(Error::new(
            Code::RolloutState,
            format!("Rollout {other} works on one of these cells: wait for its end, or cancel it."),
        ));
    }
    let mut rollout = Rollout {
        id: RolloutId::generate(&context.ids, now),
        release: new.release,
        cells,
        plan: new.plan,
        state: RolloutState::Running,
        wave: 0,
        waves: 0,
        soaking_since: None,
        health: None,
        stopped: None,
        created_by: request.actor.id(),
        created_at: now,
        updated_at: now,
        finished_at: None,
    };
    rollouts::insert(&mut tx, &scope, &rollout).await?;
    let members = tenants::take_in(&mut tx, &scope, &rollout, 0).await?;
    let sizes = wave_sizes(u32::try_from(members.len()).unwrap_or(u32::MAX), &rollout.plan);
    tenants::assign(&mut tx, &scope, rollout.id, &members, &sizes).await?;
    rollout.waves = u32::try_from(sizes.len()).unwrap_or(u32::MAX);
    rollouts::update(&mut tx, &scope, &rollout).await?;
    let entry = AuditEntry {
        detail: json!({
            "release": rollout.release, "cells": rollout.cells.iter().map(|(cell, _)| cell).collect::<Vec<_>>(),
            "plan": rollout.plan, "tenants": members.len(), "waves": sizes,
        }),
        ..entry(rollout.id, AuditAction::RolloutCreated, String::new())
    };
    audit::record(&mut tx, context, request, &scope, &entry, now).await?;
    let progress = progress(&mut tx, &scope, rollout).await?;
    once.record(&mut tx, &progress).await?;
    tx.commit().await?;
    tracing::info!(rollout_id = %progress.rollout.id, release = progress.rollout.release, "rollout begun");
    Ok(progress)
}

/// The cells that were asked for, or all that have the release.
async fn find_cells(
    tx: &mut Tx,
    scope: &OperatorScope,
    new: &NewRollout,
) -> Result<Vec<(CellId, ReleaseId)>> {
    let asked = if let Some(ids) = &new.cell_ids {
        ids.clone()
    } else {
        let cells = storage::cells::list(tx, scope).await?;
        cells.into_iter().map(|cell| cell.id).collect()
    };
    let mut found = Vec::new();
    let mut problems = Vec::new();
    for (index, id) in asked.into_iter().enumerate() {
        match storage::releases::named(tx, id, &new.release).await? {
            Some(_) if found.iter().any(|(cell, _)| *cell == id) => {}
            Some(release) => found.push((id, release.id)),
            None if new.cell_ids.is_none() => {}
            None => problems.push(FieldError::new(
                format!("/cell_ids/{index}"),
                "no_such_release",
                "is not a cell that has this release",
            )),
        }
    }
    if problems.is_empty() && found.is_empty() {
        problems.push(FieldError::new(
            "/release",
            "unknown",
            "is not a release that a cell has",
        ));
    }
    if problems.is_empty() {
        Ok(found)
    } else {
        Err(Error::invalid(problems))
    }
}

/// One rollout.
#[tracing::instrument(target = "stepgate::trace", name = "rollouts.get", skip_all)]
pub async fn get(context: &Context, request: &Request, id: RolloutId) -> Result<Progress> {
    let scope = request.actor.installation_reader()?;
    let mut db = context.db.begin(&scope).await?;
    let rollout = rollouts::get(&mut db, &scope, id).await?;
    progress(&mut db, &scope, rollout).await
}

/// Rollouts, oldest first.
#[tracing::instrument(target = "stepgate::trace", name = "rollouts.list", skip_all)]
pub async fn list(context: &Context, request: &Request, page: &PageRequest) -> Result<Page<Progress>> {
    let scope = request.actor.installation_reader()?;
    let mut db = context.db.begin(&scope).await?;
    let found = rollouts::list(&mut db, &scope, page).await?;
    let mut items = Vec::with_capacity(found.items.len());
    for rollout in found.items {
        items.push(progress(&mut db, &scope, rollout).await?);
    }
    Ok(Page {
        items,
        next: found.next,
    })
}

async fn progress(tx: &mut Tx, scope: &OperatorScope, rollout: Rollout) -> Result<Progress> {
    Ok(Progress {
        stages: tenants::stages(tx, scope, rollout.id).await?,
        remarks: tenants::remarks(tx, scope, rollout.id, MAX_REMARKS).await?,
        rollout,
    })
}

/// Takes no further tenant up until [`resume`].
#[tracing::instrument(target = "stepgate::trace", name = "rollouts.pause", skip_all)]
pub async fn pause(context: &Context, request: &Request, id: RolloutId, reason: String) -> Result<Progress> {
    change(
        context,
        request,
        (id, AuditAction::RolloutPaused, reason),
        |rollout, _, _| {
            require(rollout, &[RolloutState::Running])?;
            rollout.state = RolloutState::Paused;
            Ok(())
        },
    )
    .await
}

/// Goes on with a paused rollout.
#[tracing::instrument(target = "stepgate::trace", name = "rollouts.resume", skip_all)]
pub async fn resume(context: &Context, request: &Request, id: RolloutId, reason: String) -> Result<Progress> {
    change(
        context,
        request,
        (id, AuditAction::RolloutResumed, reason),
        |rollout, _, _| {
            require(rollout, &[RolloutState::Paused])?;
            rollout.state = RolloutState::Running;
            Ok(())
        },
    )
    .await
}

/// Ends a rollout: brings every tenant back to what it ran before, or leaves each with what it runs.
#[tracing::instrument(target = "stepgate::trace", name = "rollouts.cancel", skip_all)]
pub async fn cancel(
    context: &Context,
    request: &Request,
    id: RolloutId,
    reason: String,
    rolls_back: bool,
) -> Result<Progress> {
    change(
        context,
        request,
        (id, AuditAction::RolloutCancelled, reason),
        |rollout, reason, now| {
            require(rollout, &[RolloutState::Running, RolloutState::Paused])?;
            if rolls_back {
                rollout.state = RolloutState::RollingBack;
                rollout.stopped = Some(Stopped {
                    code: StopCode::Asked,
                    detail: reason.to_owned(),
                    at: now,
                });
            } else {
                rollout.state = RolloutState::Cancelled;
                rollout.finished_at = Some(now);
            }
            Ok(())
        },
    )
    .await
}

fn require(rollout: &Rollout, states: &[RolloutState]) -> Result<()> {
    if states.contains(&rollout.state) {
        return Ok(());
    }
    Err(Error::new(
        Code::RolloutState,
        format!("The rollout is {}.", rollout.state),
    ))
}

async fn change(
    context: &Context,
    request: &Request,
    (id, action, reason): (RolloutId, AuditAction, String),
    apply: impl FnOnce(&mut Rollout, &str, DateTime<Utc>) -> Result<()>,
) -> Result<Progress> {
    let scope = request.actor.operator()?;
    let mut tx = context.db.begin(&scope).await?;
    let mut rollout = rollouts::lock(&mut tx, &scope, id).await?;
    let mut problems = Problems::new();
    problems.name("/reason", &reason, REASON_MAX_CHARS);
    problems.finish()?;
    let now = context.clock.now();
    let from = rollout.state;
    apply(&mut rollout, &reason, now)?;
    rollout.updated_at = now;
    rollouts::update(&mut tx, &scope, &rollout).await?;
    let entry = AuditEntry {
        detail: json!({"state": {"from": from, "to": rollout.state}, "wave": rollout.wave}),
        ..entry(id, action, reason)
    };
    audit::record(&mut tx, context, request, &scope, &entry, now).await?;
    let progress = progress(&mut tx, &scope, rollout).await?;
    tx.commit().await?;
    Ok(progress)
}

fn entry(id: RolloutId, action: AuditAction, reason: String) -> AuditEntry {
    AuditEntry {
        tenant_id: None,
        resource_id: id.to_string(),
        action,
        reason,
        detail: json!({}),
    }
}
