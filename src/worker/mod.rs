//! What runs by itself: the loop that claims tenants, and the jobs.
//!
//! [`run`] starts every job of [`jobs`] and ends when asked to: jobs stop taking up work at once, and work under way
//! has the configured grace to end. Any number of workers may run; each job says in its module how they share.
//!
//! To add a job: a file in `jobs/` named verb and noun, with `run(context, stop)`, and a line in [`run`]. What keeps a processor busy for long goes to
//! `spawn_blocking`: the worker has one thread ([`crate::commands::Command::runtime`]).

pub mod call_budget;
pub mod jobs;

use crate::Context;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// Runs all jobs until `stop`.
pub async fn run(context: &Context, stop: CancellationToken) {
    // Names this worker in leases and logs.
    let owner = format!("worker-{}", context.ids.suffix(12));
    tracing::info!(worker = owner, "worker started");
    // A task each: an answer that one of them waits for is no reason to look at the others.
    let mut started = JoinSet::new();
    macro_rules! start {
        ($($job:ident($($owner:ident)?),)*) => {
            $({
                let (context, stop) = (context.clone(), stop.clone());
                $(let $owner = $owner.clone();)?
                started.spawn(async move { jobs::$job::run(&context, $(&$owner,)? stop).await });
            })*
        };
    }
    start! {
        ingest_events(),
        advance_rollouts(owner),
        keep_partitions(),
        measure_backlog(),
        reconcile_tenants(owner),
        expire_exemptions(),
        find_drift(),
        remove_surplus_clients(),
        sweep_idempotency_keys(),
        sweep_reservations(owner),
        seal_audit_log(),
        evaluate_alarms(),
        deliver_webhooks(),
    }
    while let Some(ended) = started.join_next().await {
        // A worker without one of its jobs must not look alive.
        if let Err(error) = ended {
            tracing::error!(error = %or_panic(error), "a job ended by itself");
        }
    }
    tracing::info!(worker = owner, "worker stopped");
}

/// Goes on with the panic of a task, if that is what ended it.
fn or_panic(error: JoinError) -> JoinError {
    match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(error) => error,
    }
}
