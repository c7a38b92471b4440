//! What runs by itself: the loop that claims tenants, and the jobs.
//!
//! [`run`] starts every job of [`jobs`] and ends when asked to: jobs stop taking up work at once, and work under way
//! has the configured grace to end. Any number of workers may run; each job says in its module how they share.
//!
//! To add a job: a file in `jobs/` named verb and noun, with `run(context, stop)`, and a line in [`run`].

pub mod call_budget;
pub mod jobs;

use crate::Context;
use tokio_util::sync::CancellationToken;

/// Runs all jobs until `stop`.
pub async fn run(context: &Context, stop: CancellationToken) {
    // Names this worker in leases and logs.
    let owner = format!("worker-{}", context.ids.suffix(12));
    tracing::info!(worker = owner, "worker started");
    tokio::join!(
        jobs::ingest_events::run(context, stop.clone()),
        jobs::advance_rollouts::run(context, &owner, stop.clone()),
        jobs::keep_partitions::run(context, stop.clone()),
        jobs::measure_backlog::run(context, stop.clone()),
        jobs::reconcile_tenants::run(context, &owner, stop.clone()),
        jobs::expire_exemptions::run(context, stop.clone()),
        jobs::find_drift::run(context, stop.clone()),
        jobs::remove_surplus_clients::run(context, stop.clone()),
        jobs::sweep_idempotency_keys::run(context, stop.clone()),
        jobs::sweep_reservations::run(context, &owner, stop.clone()),
        jobs::seal_audit_log::run(context, stop.clone()),
        jobs::evaluate_alarms::run(context, stop.clone()),
        jobs::deliver_webhooks::run(context, stop),
    );
    tracing::info!(worker = owner, "worker stopped");
}
