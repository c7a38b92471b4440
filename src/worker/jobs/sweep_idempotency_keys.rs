//! Forgets requests that callers may no longer repeat: a day after they were made. Workers share by skipping rows that
//! another one deletes.

use crate::{Context, domain::actor::OperatorScope, storage::idempotency_keys};
use chrono::TimeDelta;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// For how long a request may be repeated.
pub const KEPT_FOR: TimeDelta = TimeDelta::hours(24);
/// Pause between sweeps.
const EVERY: Duration = Duration::from_mins(5);

/// Sweeps until `stop`.
pub async fn run(context: &Context, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = sweep(context).await {
            tracing::warn!(%error, "old idempotency keys cannot be swept at the moment");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// One sweep; returns how many are gone.
pub async fn sweep(context: &Context) -> crate::Result<u64> {
    let scope = OperatorScope::worker();
    let before = context.clock.now() - KEPT_FOR;
    let mut gone = 0;
    loop {
        let mut tx = context.db.begin(&scope).await?;
        let swept = idempotency_keys::sweep(&mut tx, &scope, before).await?;
        tx.commit().await?;
        gone += swept;
        if swept == 0 {
            return Ok(gone);
        }
    }
}
