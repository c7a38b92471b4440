//! Looks at what waits, in the database and in the queues of the cells, and at the budgets of calls, and notes it as
//! metrics.
//!
//! Every worker looks, and all of them see the same: a query takes the maximum of them. What could not be read is not
//! exported, so that an old figure is never taken for a new one.

use crate::{
    Context, Result,
    domain::{actor::OperatorScope, cell::Cell},
    observability::metrics::{families::Measured, metrics},
    storage::{
        self, aws_call_budgets,
        backlog::{self, Backlog, Tenants},
    },
};
use chrono::{DateTime, Utc};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Pause between looks.
const EVERY: Duration = Duration::from_secs(10);
/// Looks into the database for one into the queues, which is a call to AWS.
const LOOKS_PER_QUEUE: u64 = 3;

/// Looks until `stop`.
pub async fn run(context: &Context, stop: CancellationToken) {
    for look in 0_u64.. {
        if stop.is_cancelled() {
            return;
        }
        if let Err(error) = measure(context).await {
            tracing::warn!(%error, "what waits cannot be counted at the moment");
        } else if look % LOOKS_PER_QUEUE == 0
            && let Err(error) = measure_queues(context).await
        {
            tracing::warn!(%error, "the event queues cannot be counted at the moment");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// One look into the database.
pub async fn measure(context: &Context) -> Result<()> {
    let result = read(context).await;
    let metrics = metrics();
    metrics
        .backlog_known
        .set([], if result.is_ok() { 1.0 } else { 0.0 });
    match result {
        Ok((backlog, tenants)) => {
            note(&backlog, &tenants, context.clock.now());
            Ok(())
        }
        Err(error) => {
            forget();
            Err(error)
        }
    }
}

async fn read(context: &Context) -> Result<(Backlog, Vec<Tenants>)> {
    let scope = OperatorScope::worker();
    let mut tx = context.db.begin(&scope).await?;
    let backlog = backlog::read(&mut tx, &scope, context.clock.now()).await?;
    let tenants = backlog::tenants(&mut tx, &scope).await?;
    Ok((backlog, tenants))
}

#[expect(clippy::cast_precision_loss, reason = "counts of rows are far below 2^53")]
fn note(backlog: &Backlog, tenants: &[Tenants], now: DateTime<Utc>) {
    let metrics = metrics();
    let age_s =
        |since: Option<DateTime<Utc>>| since.map_or(0.0, |since| (now - since).as_seconds_f64().max(0.0));
    metrics.work_waiting.set([], backlog.work.count as f64);
    metrics.work_lag_seconds.set([], age_s(backlog.work.since));
    metrics
        .operations_open
        .set(["pending".into()], backlog.pending_operations as f64);
    metrics
        .operations_open
        .set(["running".into()], backlog.running_operations as f64);
    let oldest_s = age_s(backlog.oldest_operation_at);
    metrics.operations_oldest_open_seconds.set([], oldest_s);
    metrics
        .webhook_deliveries_waiting
        .set([], backlog.deliveries.count as f64);
    metrics
        .webhook_delivery_lag_seconds
        .set([], age_s(backlog.deliveries.since));
    metrics.audit_unsealed.set([], backlog.unsealed.count as f64);
    metrics
        .audit_seal_lag_seconds
        .set([], age_s(backlog.unsealed.since));
    // A condition that no tenant is in any more has no row; it is told as none.
    metrics.tenants.forget();
    for Tenants { cell_id, .. } in tenants {
        for condition in backlog::CONDITIONS {
            metrics
                .tenants
                .set([cell_id.to_string().into(), condition.into()], 0.0);
        }
    }
    for Tenants {
        cell_id,
        condition,
        count,
    } in tenants
    {
        let of = [cell_id.to_string().into(), condition.clone().into()];
        metrics.tenants.set(of, *count as f64);
    }
}

fn forget() {
    let metrics = metrics();
    metrics.work_waiting.forget();
    metrics.work_lag_seconds.forget();
    metrics.operations_open.forget();
    metrics.operations_oldest_open_seconds.forget();
    metrics.webhook_deliveries_waiting.forget();
    metrics.webhook_delivery_lag_seconds.forget();
    metrics.audit_unsealed.forget();
    metrics.audit_seal_lag_seconds.forget();
    metrics.tenants.forget();
}

/// One look at the budgets of calls and into the queues of every cell.
pub async fn measure_queues(context: &Context) -> Result<()> {
    let scope = OperatorScope::worker();
    let mut tx = context.db.begin(&scope).await?;
    let cells = storage::cells::list(&mut tx, &scope).await?;
    let budget = &metrics().aws_budget_ratio;
    budget.forget();
    for cell in &cells {
        for of in aws_call_budgets::list(&mut tx, &scope, &cell.call_scope()).await? {
            let ratio = (of.rate_per_s / of.limit_per_s).min(1.0);
            budget.set([cell.id.to_string().into(), of.operation.into()], ratio);
        }
    }
    // AWS is asked without holding a connection.
    drop(tx);
    let (mut waiting, mut dead) = (Vec::new(), Vec::new());
    for cell in &cells {
        waiting.push((cell, count(context, cell, cell.event_queue_url.clone()).await));
        dead.push((cell, count(context, cell, cell.dead_event_queue_url()).await));
    }
    set(&metrics().event_queue_messages, &waiting);
    set(&metrics().dead_event_queue_messages, &dead);
    Ok(())
}

/// Messages in a queue of a cell; `None` where there is no queue or AWS does not tell.
async fn count(context: &Context, cell: &Cell, queue_url: Option<String>) -> Option<u64> {
    let queue_url = queue_url?;
    let aws = context.aws.within(cell.access.as_ref()).await;
    let waiting = aws.sqs(&cell.region).waiting(&queue_url).await;
    waiting
        .inspect_err(|error| {
            tracing::warn!(cell = %cell.id, queue_url, %error, "a queue of a cell cannot be counted at the moment");
        })
        .ok()
}

/// Tells what was counted. One cell that cannot be asked hides no other.
#[expect(
    clippy::cast_precision_loss,
    reason = "a queue holds fewer than 2^53 messages"
)]
fn set(messages: &Measured<1>, counted: &[(&Cell, Option<u64>)]) {
    messages.forget();
    for (cell, count) in counted {
        if let Some(count) = count {
            messages.set([cell.id.to_string().into()], *count as f64);
        }
    }
}
