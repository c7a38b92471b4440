//! Carries rollouts out: brings their tenants to a release, wave by wave, and back when the gate says so.
//!
//! Workers share by a lease on each rollout. Everything that one must know to go on is in the database, so a worker may be
//! killed anywhere: when its lease is over, another goes on from there.

use crate::{
    Context, Result,
    domain::actor::OperatorScope,
    ids::RolloutId,
    storage::rollouts,
    usecases::rollouts::advance::{lease, look},
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Pause between looks.
const EVERY: Duration = Duration::from_secs(1);

/// Looks until `stop`.
pub async fn run(context: &Context, owner: &str, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = look_at_all(context, owner).await {
            tracing::warn!(%error, "rollouts cannot be carried on with at the moment");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Looks once at every rollout that nobody else works on. Returns whether one came any further.
pub async fn look_at_all(context: &Context, owner: &str) -> Result<bool> {
    let mut seen: Vec<RolloutId> = Vec::new();
    let mut came_further = false;
    loop {
        let now = context.clock.now();
        let mut tx = context.db.begin(&OperatorScope::worker()).await?;
        let claimed = rollouts::claim(&mut tx, owner, now, now + lease(context), &seen).await?;
        tx.commit().await?;
        let Some(id) = claimed else {
            return Ok(came_further);
        };
        came_further |= look(context, owner, id).await?;
        seen.push(id);
    }
}
