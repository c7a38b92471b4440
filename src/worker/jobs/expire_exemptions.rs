//! Marks exemptions that ended by themselves, writes that down, and has the worker take them from the triggers (which
//! stopped honouring them on time). Workers need no agreement: each exemption is marked under its tenant's lock.

use crate::{Context, domain::actor::OperatorScope, usecases::exemptions};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Pause between looks.
const EVERY: Duration = Duration::from_secs(5);
/// Exemptions of one look; what is left over comes with the next.
const LIMIT: i64 = 100;

/// Looks until `stop`.
pub async fn run(context: &Context, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = exemptions::expire_overdue(context, &OperatorScope::worker(), LIMIT).await {
            tracing::warn!(%error, "exemptions whose time is over cannot be marked at the moment");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
