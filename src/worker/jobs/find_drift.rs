//! Compares tenants with what is wanted of them, each once in a while, within a budget.
//!
//! Workers share by claims in the database: a check that is claimed is due again only when it is taken for lost, and all
//! workers together begin so many a minute in a cell (`drift_checks_per_min`), so that AWS's quotas are left to the
//! provisioning. A worker checks one tenant at a time.

use crate::{
    Context,
    domain::{actor::OperatorScope, drift::CheckClaim},
    provisioning::{
        drift,
        failure::{StepError, StepFailure},
        stacks::jittered,
    },
    storage::{self, drift::Budget},
    usecases,
};
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// When a check that was begun is taken for lost.
const LEASE: TimeDelta = TimeDelta::minutes(5);
/// How long a check may take.
const TIMEOUT: Duration = Duration::from_mins(3);
/// Pause after a check that failed, ms.
const AFTER_FAILURE_MS: u64 = 300_000;

/// Checks until `stop`. A check under way is given up then: it only reads in AWS, may take longer than a stop has time, and
/// is due again when its claim lapses.
pub async fn run(context: &Context, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let checked = tokio::select! {
            checked = check_one(context) => checked,
            () = stop.cancelled() => return,
        };
        match checked {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "tenants cannot be checked for drift at the moment"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(context.config.worker.poll) => {}
        }
    }
}

/// Checks every tenant that is due and within the budget, one after the other; returns how many were. For tests.
pub async fn check_due(context: &Context) -> crate::Result<usize> {
    let mut checked = 0;
    while check_one(context).await? {
        checked += 1;
    }
    Ok(checked)
}

/// Checks the tenant that has been due the longest; `false` when none is, or the budget is spent.
async fn check_one(context: &Context) -> crate::Result<bool> {
    let scope = OperatorScope::worker();
    let now = context.clock.now();
    let budget = Budget {
        per_min: context.config.drift.checks_per_min.into(),
        at_once: 1,
    };
    let claims = {
        let mut tx = context.db.begin(&scope).await?;
        if !storage::drift::try_lock(&mut tx, &scope).await? {
            return Ok(false);
        }
        let claims = storage::drift::claim_due(&mut tx, &scope, budget, LEASE, now).await?;
        tx.commit().await?;
        claims
    };
    let Some(claim) = claims.into_iter().next() else {
        return Ok(false);
    };
    check(context, &claim).await?;
    Ok(true)
}

async fn check(context: &Context, claim: &CheckClaim) -> crate::Result<()> {
    let scope = OperatorScope::worker();
    let desired = {
        let mut db = context.db.begin(&scope).await?;
        storage::reconcile::look(&mut db, &scope.into(), claim.tenant_id).await?
    };
    let there = context.in_cell(desired.cell.access.as_ref()).await;
    let looked = tokio::time::timeout(TIMEOUT, drift::look(&there, &desired)).await;
    let error = match looked {
        Ok(Ok(looked)) => {
            let interval = context.config.drift.interval;
            let next_at = later(context, u64::try_from(interval.as_millis()).unwrap_or(u64::MAX));
            let comparison = looked.into();
            usecases::drift::record(context, claim, desired.generation, comparison, next_at).await?;
            return Ok(());
        }
        Ok(Err(error)) => StepError::from(error),
        Err(_) => StepFailure::passing("Timeout", "The comparison with AWS did not end in time.").into(),
    };
    let StepError::Failed(failure) = error else {
        return Ok(());
    };
    let cause = failure.cause.as_ref().map(|cause| format!("{cause:#}"));
    tracing::warn!(
        tenant_id = %claim.tenant_id, code = failure.code, error = failure.message,
        cause, aws_request_id = failure.aws_request_id, "a tenant could not be checked for drift"
    );
    let failure = failure.told(None, context.clock.now());
    usecases::drift::record_failure(context, claim, failure, later(context, AFTER_FAILURE_MS)).await
}

/// In about `ms`, so that tenants made together are not checked together for ever.
fn later(context: &Context, ms: u64) -> DateTime<Utc> {
    let ms = jittered(&context.ids, ms.min(u64::from(u32::MAX)));
    context.clock.now() + TimeDelta::milliseconds(i64::try_from(ms).unwrap_or_default())
}
