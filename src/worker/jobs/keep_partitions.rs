//! Makes the partitions that events of the next days will need, and drops those whose days are over. What could
//! not be stored is forgotten then too.
//!
//! Runs at start and every hour; a lock inside the database keeps two workers from making the same partition.

use super::ingest_events::first_day;
use crate::{
    Context, Result,
    domain::actor::OperatorScope,
    storage::{event_intake, step_up_events},
};
use chrono::TimeDelta;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Pause between looks.
const EVERY: Duration = Duration::from_hours(1);
/// Days ahead for which partitions are made: a worker may be down for that long.
const AHEAD_DAYS: i64 = 7;

/// Keeps partitions until `stop`.
pub async fn run(context: &Context, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let pause = match keep(context).await {
            Ok(_) => EVERY,
            Err(error) => {
                tracing::warn!(%error, "partitions of events cannot be kept at the moment");
                Duration::from_secs(10)
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// One look; returns how many partitions were made and dropped.
pub async fn keep(context: &Context) -> Result<(i32, i32)> {
    let scope = OperatorScope::worker();
    let now = context.clock.now();
    let today = now.date_naive();
    let mut tx = context.db.begin(&scope).await?;
    let made = step_up_events::make_partitions(
        &mut tx,
        &scope,
        first_day(context, now),
        today + TimeDelta::days(AHEAD_DAYS),
    )
    .await?;
    tx.commit().await?;
    let mut tx = context.db.begin(&scope).await?;
    let first_day = first_day(context, now);
    let dropped = step_up_events::drop_partitions(&mut tx, &scope, first_day).await?;
    tx.commit().await?;
    let mut tx = context.db.begin(&scope).await?;
    let begin = first_day.and_time(chrono::NaiveTime::MIN).and_utc();
    let forgotten = event_intake::forget_quarantined(&mut tx, &scope, begin).await?;
    tx.commit().await?;
    if made + dropped > 0 || forgotten > 0 {
        tracing::info!(made, dropped, forgotten, "partitions of events kept");
    }
    Ok((made, dropped))
}
