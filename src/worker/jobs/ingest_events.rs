//! Takes step-up events from the queues of the cells, stores and counts them.
//!
//! Any number of workers read the same queue: SQS hands a message to one of them at a time. A message is deleted
//! after its events are committed; a worker that dies in between leaves it to come again, and its events are then
//! known by their ids. What cannot be stored is put aside with a reason, so that it blocks nothing. While the
//! database is away nothing is taken: the queue waits for two weeks.

mod ingested;
mod readers;

use crate::{
    Context, Error, Result,
    aws::sqs::Message,
    domain::{actor::OperatorScope, cell::Cell},
    ids::TenantId,
    observability::metrics::metrics,
    reporting::{
        batch::{self, EventRow, Read, Rejected, Rejection},
        tally,
    },
    storage::{self, event_intake, step_up_events},
    worker::or_panic,
};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use readers::Readers;
use std::{collections::BTreeMap, time::Duration};
use tokio_util::sync::CancellationToken;

/// How long SQS is asked to wait for a message, s.
const WAIT_S: i32 = 10;
/// Pause after a failure, and between looks for cells.
const PAUSE: Duration = Duration::from_secs(5);
/// Readers of one cell's queue in one worker.
const READERS: usize = 2;

/// Bytes of what could not be stored that a row keeps.
const MAX_ASIDE_BYTES: usize = 256 * 1024;

/// Ingests until `stop`.
pub async fn run(context: &Context, stop: CancellationToken) {
    let mut readers = Readers::new(READERS, stop.clone());
    while !stop.is_cancelled() {
        match cells(context).await {
            Ok(cells) => readers.keep(cells, |cell, queue_url, stop| {
                let context = context.clone();
                async move { read(&context, &cell, &queue_url, &stop).await }
            }),
            Err(error) => tracing::warn!(%error, "the cells cannot be read at the moment"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
    readers.end().await;
}

async fn cells(context: &Context) -> Result<Vec<Cell>> {
    let scope = OperatorScope::worker();
    storage::cells::list(&mut *context.db.begin(&scope).await?, &scope).await
}

async fn read(context: &Context, cell: &Cell, queue_url: &str, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        let took = tokio::select! {
            () = stop.cancelled() => return,
            took = take_some(context, cell, queue_url, WAIT_S) => took,
        };
        if let Err(error) = took {
            tracing::warn!(cell = %cell.id, %error, "events cannot be taken in at the moment");
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }
}

/// What one look into a queue brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Messages that were read and deleted.
    pub messages: usize,
    /// Events that were new.
    pub stored: i64,
    /// Events that were known.
    pub repeated: i64,
    /// Events, or whole messages, that were put aside.
    pub rejected: i64,
    /// Time of the oldest event that could be stored.
    pub oldest: Option<DateTime<Utc>>,
}

/// Takes up to ten messages in, waiting up to `wait_s` for the first.
pub async fn take_some(context: &Context, cell: &Cell, queue_url: &str, wait_s: i32) -> Result<Taken> {
    // First the database: what is received and cannot be stored would be hidden from others for a while.
    drop(context.db.begin(&OperatorScope::worker()).await?);
    let sqs = context.aws.within(cell.access.as_ref()).await.sqs(&cell.region);
    let messages = sqs.receive(queue_url, wait_s).await.map_err(unavailable)?;
    if messages.is_empty() {
        metrics().event_lag_seconds.set([cell.id.to_string().into()], 0.0);
        note_lag(context, cell, Some(0.0)).await?;
        return Ok(Taken::default());
    }
    let taken = store(context, cell, &messages).await?;
    let age_s = |at: DateTime<Utc>| (context.clock.now() - at).as_seconds_f64().max(0.0);
    note_lag(context, cell, taken.oldest.map(age_s)).await?;
    let left = sqs.delete(queue_url, &messages).await.map_err(unavailable)?;
    tracing::debug!(cell = %cell.id, ?taken, left, "events taken in");
    Ok(taken)
}

/// Notes for everybody how far behind this is. Not in the transaction that stores: workers would wait for each other.
async fn note_lag(context: &Context, cell: &Cell, lag_s: Option<f64>) -> Result<()> {
    let Some(lag_s) = lag_s else { return Ok(()) };
    let scope = OperatorScope::worker();
    let intake = event_intake::Intake {
        cell_id: cell.id,
        looked_at: context.clock.now(),
        lag_s,
    };
    let mut tx = context.db.begin(&scope).await?;
    event_intake::note(&mut tx, &scope, &intake).await?;
    tx.commit().await?;
    Ok(())
}

/// Stores what messages hold, in one transaction.
#[tracing::instrument(target = "stepgate::trace", name = "ingest_events", skip_all)]
pub async fn store(context: &Context, cell: &Cell, messages: &[Message]) -> Result<Taken> {
    let scope = OperatorScope::worker();
    let now = context.clock.now();
    let kept_from = first_day(context, now);
    let mut taken = Taken {
        messages: messages.len(),
        ..Taken::default()
    };
    let mut rejected = Vec::new();
    let oldest = kept_from.and_time(chrono::NaiveTime::MIN).and_utc();
    // A message has events of one tenant.
    let mut of_messages: Vec<(&Message, Vec<EventRow>)> = Vec::with_capacity(messages.len());
    for (message, read) in messages.iter().zip(read_all(messages, oldest, now).await?) {
        of_messages.push((message, read.rows));
        rejected.extend(read.rejected);
    }
    let mut tx = context.db.begin(&scope).await?;
    let rows = of_messages.iter().filter_map(|(_, rows)| rows.first());
    let tenants: Vec<TenantId> = rows.map(|row| row.tenant_id).collect();
    let partners = storage::tenants::partners_in_cell(&mut tx, &scope, cell.id, &tenants).await?;
    let mut known = Vec::new();
    for (message, rows) in of_messages {
        let Some(tenant_id) = rows.first().map(|row| row.tenant_id) else {
            continue;
        };
        if let Some(partner) = partners.get(&tenant_id) {
            known.extend(rows.into_iter().map(|row| (row, *partner)));
        } else {
            let bodies = batch::originals(&message.body, &rows);
            let unknown = |body: String| Rejected::new(Rejection::UnknownTenant, &body);
            rejected.extend(bodies.into_iter().map(unknown));
        }
    }
    let count = i64::try_from(known.len()).unwrap_or(i64::MAX);
    let times: Vec<_> = known.iter().map(|(row, _)| row.at).collect();
    let mut stored = Vec::new();
    if count > 0 {
        stored = step_up_events::insert(&mut tx, &scope, known).await?;
    }
    let events = stored.iter().filter(|stored| stored.kind != tally::ENDED);
    taken.stored = events.map(|stored| stored.count).sum();
    taken.oldest = times.iter().min().copied();
    taken.repeated = count - taken.stored;
    let aside = put_aside(context, &mut tx, cell, rejected, now).await?;
    taken.rejected = aside.values().sum();
    tx.commit().await?;
    ingested::note(context, cell, &taken, &times, &stored);
    ingested::note_aside(cell, &aside);
    Ok(taken)
}

/// Reads messages on a thread beside the worker's: a look brings thousands of events.
async fn read_all(messages: &[Message], oldest: DateTime<Utc>, now: DateTime<Utc>) -> Result<Vec<Read>> {
    let bodies: Vec<String> = messages.iter().map(|message| message.body.clone()).collect();
    let reading = move || bodies.iter().map(|body| batch::read(body, oldest, now)).collect();
    let read = tokio::task::spawn_blocking(reading).await;
    read.map_err(|error| Error::internal(or_panic(error)))
}

/// One row a reason and call, of a bounded size: a flood of rubbish must not become a flood of rows.
async fn put_aside(
    context: &Context,
    tx: &mut storage::Tx,
    cell: &Cell,
    rejected: Vec<Rejected>,
    now: DateTime<Utc>,
) -> Result<BTreeMap<Rejection, i64>> {
    let mut by_reason: BTreeMap<Rejection, Vec<Rejected>> = BTreeMap::new();
    for one in rejected {
        by_reason.entry(one.why).or_default().push(one);
    }
    let mut all = BTreeMap::new();
    for (why, rejected) in by_reason {
        let count = i64::try_from(rejected.len()).unwrap_or(i64::MAX);
        tracing::warn!(cell = %cell.id, reason = why.as_str(), count, "events were put aside");
        let row = event_intake::Quarantined {
            id: format!("qrt_{}", context.ids.ulid(now).to_string().to_ascii_lowercase()),
            reason: why.as_str(),
            count,
            sample: rejected.first().map(Rejected::sample).unwrap_or_default(),
            bodies: whole(rejected),
        };
        event_intake::quarantine(tx, &OperatorScope::worker(), cell.id, &row, now).await?;
        all.insert(why, count);
    }
    Ok(all)
}

/// The first of them that together are no more than [`MAX_ASIDE_BYTES`]. None is cut: half an event is none.
fn whole(rejected: Vec<Rejected>) -> Vec<String> {
    let mut left_bytes = MAX_ASIDE_BYTES;
    let bodies = rejected.into_iter().map(|one| one.body);
    let fits = |body: &String| {
        let left = left_bytes.checked_sub(body.len());
        left_bytes = left.unwrap_or(left_bytes);
        left.is_some()
    };
    bodies.filter(fits).collect()
}

/// The first day of which events are kept.
pub fn first_day(context: &Context, now: DateTime<Utc>) -> NaiveDate {
    let kept_days = i64::from(context.config.events.retention_days);
    (now - TimeDelta::days(kept_days)).date_naive()
}

fn unavailable(error: crate::aws::AwsError) -> Error {
    Error::new(
        crate::error::Code::CellUnavailable,
        "The cell's event queue does not answer.",
    )
    .caused_by(error)
}
