//! What was taken in, as metrics. Noted after the commit: what is rolled back comes again.

use super::Taken;
use crate::{
    Context,
    domain::cell::Cell,
    observability::metrics::{families::Value, labels, metrics},
    reporting::batch::Rejection,
    storage::step_up_events::Stored,
};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// Notes it. `times` are those of all events that could be stored, the repeated ones among them.
pub(super) fn note(
    context: &Context,
    cell: &Cell,
    taken: &Taken,
    times: &[DateTime<Utc>],
    stored: &[Stored],
) {
    let metrics = metrics();
    let cell: Value = cell.id.to_string().into();
    for (result, count) in [
        ("stored", taken.stored),
        ("repeated", taken.repeated),
        ("put_aside", taken.rejected),
    ] {
        metrics.events.add([cell.clone(), result.into()], unsigned(count));
    }
    let now = context.clock.now();
    let age_s = |at: &DateTime<Utc>| (now - *at).as_seconds_f64();
    for at in times {
        metrics.event_delay_seconds.observe_s([cell.clone()], age_s(at));
    }
    if let (Some(oldest), Some(newest)) = (times.iter().min(), times.iter().max()) {
        metrics
            .event_lag_seconds
            .set([cell.clone()], age_s(oldest).max(0.0));
        let newest_s = (*newest - DateTime::UNIX_EPOCH).as_seconds_f64();
        metrics
            .event_newest_timestamp_seconds
            .set([cell.clone()], newest_s);
    }
    for stored in stored {
        note_stored(context, &cell, stored);
    }
}

/// Notes what could not be stored.
pub(super) fn note_aside(cell: &Cell, aside: &BTreeMap<Rejection, i64>) {
    for (why, count) in aside {
        let of = [cell.id.to_string().into(), why.as_str().into()];
        metrics().events_put_aside.add(of, unsigned(*count));
    }
}

fn note_stored(context: &Context, cell: &Value, stored: &Stored) {
    let metrics = metrics();
    let count = unsigned(stored.count);
    let (outcome, method) = (labels::outcome(&stored.kind), labels::method(&stored.method));
    let listed = context.config.metrics_tenants.contains(&stored.tenant_id);
    let tenant: Value = if listed {
        stored.tenant_id.to_string().into()
    } else {
        Value::default()
    };
    metrics
        .step_ups
        .add([cell.clone(), outcome.clone(), method.clone()], count);
    if listed {
        metrics
            .tenant_step_ups
            .add([tenant.clone(), outcome, method], count);
    }
    if !stored.reason.is_empty() {
        let reason = labels::reason(&stored.reason);
        metrics.step_up_refusals.add([cell.clone(), reason], count);
    }
    for seconds in &stored.to_complete_s {
        metrics
            .step_up_completion_seconds
            .observe_s([cell.clone()], *seconds);
        if listed {
            metrics
                .tenant_step_up_completion_seconds
                .observe_s([tenant.clone()], *seconds);
        }
    }
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
