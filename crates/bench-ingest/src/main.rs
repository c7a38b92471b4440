//! Queue messages into the database: what a worker does with them after SQS has handed them over, in turns with COPY of
//! rows of the same kind into the same table, which has the same indexes.
//!
//! Configured by the service's own environment. COPY runs as the schema's owner, because PostgreSQL has none under row-level
//! security: the limit is without the check that the worker's rows pass.

#![allow(
    clippy::print_stdout,
    reason = "a program of the benchmark prints what it measured"
)]

use anyhow::{Context as _, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use clap::Parser;
use mimalloc::MiMalloc;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sqlx::PgPool;
use std::fmt::Write as _;
use std::time::Instant;
use stepgate::aws::sqs::Message;
use stepgate::config::Config;
use stepgate::domain::{actor::OperatorScope, cell::Cell};
use stepgate::reporting::batch::{self, EventRow};
use stepgate::worker::jobs::{ingest_events, keep_partitions};
use stepgate::{Context, storage};
use ulid::Ulid;

/// As in the worker that this stands for.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// What the measurement is told.
#[derive(Parser)]
struct Options {
    /// Rounds of each.
    #[arg(long)]
    rounds: u32,
    /// Events of a round.
    #[arg(long)]
    events: usize,
    /// Events of a message.
    #[arg(long)]
    per_message: usize,
}

/// Messages that one look into a queue brings at most.
const MESSAGES: usize = 10;
/// Looks at a time: what one worker does for one cell.
const READERS: usize = 2;
/// Types of a journey's events, in order; every tenth journey fails instead.
const JOURNEY: [&str; 4] = ["started", "offered", "succeeded", "tokens"];

const COLUMNS: &str = "event_id, filed_at, at, partner_id, tenant_id, type, app_id, journey_id, round, user_hash, reason, method, \
    acr, amr, aal, ial, policy_version, rule, policy_stale, action, source, cold_start, duration_ms, hops_ms, trigger_version, \
    fallback";

/// On one thread, as the worker.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    println!("{}", Box::pin(measure(&options)).await?);
    Ok(())
}

/// Events a second of each, round by round.
async fn measure(options: &Options) -> anyhow::Result<Value> {
    let context = Context::connect(Config::load()?).await?;
    keep_partitions::keep(&context).await?;
    let scope = OperatorScope::worker();
    let cells = storage::cells::list(&mut *context.db.begin(&scope).await?, &scope).await?;
    let cell = cells.first().context("no cell")?;
    let owner = PgPool::connect(context.config.database.url.expose_secret()).await?;
    let tenants: Vec<(String, String)> = sqlx::query_as("SELECT id, partner_id FROM tenants ORDER BY id")
        .fetch_all(&owner)
        .await?;
    ensure!(!tenants.is_empty(), "no tenant");
    let mut random = StdRng::seed_from_u64(1);
    let (mut ingests, mut copied) = (Vec::new(), Vec::new());
    for round in 0..=options.rounds {
        let ours = messages(&mut random, &tenants, options, context.clock.now());
        let theirs = messages(&mut random, &tenants, options, context.clock.now());
        let columns = copies(&theirs, &tenants, context.clock.now())?;
        let (events, begun) = (count(&ours), Instant::now());
        store(&context, cell, &ours).await?;
        let stored = f64::from(events) / begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        copy(&owner, columns).await?;
        let copy_rate = f64::from(events) / begun.elapsed().as_secs_f64();
        // The first round warms both up and is not counted.
        if round > 0 {
            ingests.push(stored);
            copied.push(copy_rate);
        }
    }
    Ok(json!({"series": {"ingest": ingests, "copy": copied}}))
}

fn count(messages: &[Message]) -> u32 {
    let events = messages
        .iter()
        .map(|message| message.body.matches("\"stepgate_event\"").count());
    u32::try_from(events.sum::<usize>()).unwrap_or(u32::MAX)
}

/// Every event must be new: what is passed over is cheap.
async fn store(context: &Context, cell: &Cell, messages: &[Message]) -> anyhow::Result<()> {
    let looks: Vec<&[Message]> = messages.chunks(MESSAGES).collect();
    let reader = |reader: usize| {
        let looks = &looks;
        async move {
            for look in looks.iter().skip(reader).step_by(READERS) {
                let taken = ingest_events::store(context, cell, look).await?;
                ensure!(
                    taken.repeated == 0 && taken.rejected == 0,
                    "not all were stored: {taken:?}"
                );
            }
            anyhow::Ok(())
        }
    };
    futures_util::future::try_join_all((0..READERS).map(reader)).await?;
    Ok(())
}

/// As many at a time as readers, a transaction each.
async fn copy(owner: &PgPool, copies: Vec<String>) -> anyhow::Result<()> {
    let statement = format!("COPY step_up_events ({COLUMNS}) FROM STDIN");
    let copying = copies.into_iter().map(|text| {
        let statement = &statement;
        async move {
            let mut connection = owner.acquire().await?;
            let mut copy = connection.copy_in_raw(statement).await?;
            copy.send(text.into_bytes()).await?;
            copy.finish().await
        }
    });
    futures_util::future::try_join_all(copying).await?;
    Ok(())
}

/// Messages of whole journeys that began within the last minute, spread over the tenants.
fn messages(
    random: &mut StdRng,
    tenants: &[(String, String)],
    options: &Options,
    now: DateTime<Utc>,
) -> Vec<Message> {
    (0..options.events.div_ceil(options.per_message))
        .map(|number| {
            let tenant = &tenants[random.random_range(0..tenants.len())].0;
            let journeys = options.per_message / JOURNEY.len();
            let events: Vec<Value> = (0..journeys).flat_map(|_| journey(random, tenant, now)).collect();
            Message {
                body: json!({"stepgate_batch": 1, "tenant_id": tenant, "events": events}).to_string(),
                receipt: number.to_string(),
            }
        })
        .collect()
}

/// A journey's events, as the triggers print them.
fn journey(random: &mut StdRng, tenant: &str, now: DateTime<Utc>) -> Vec<Value> {
    let began = now - TimeDelta::milliseconds(random.random_range(15_000..60_000));
    let began_ms = u64::try_from(began.timestamp_millis()).unwrap_or_default();
    let id = format!(
        "jrn_{}",
        Ulid::from_parts(began_ms, random.random())
            .to_string()
            .to_ascii_lowercase()
    );
    let (user, app) = (random.random::<u128>(), random.random_range(0..3));
    let fails = random.random_ratio(1, 10);
    let method = ["liveID push", "otp", "otp sms"][random.random_range(0..3)];
    let took_ms = random.random_range(2_000..14_000_i64);
    let event = |(step, kind): (usize, &&str)| {
        let answered = *kind == "succeeded";
        let kind = if answered && fails { "failed" } else { kind };
        json!({
            "stepgate_event": 1, "event_id": format!("evt_{:032x}", random.random::<u128>()),
            "at_unix_ms": began.timestamp_millis() + took_ms * i64::try_from(step).unwrap_or(0) / 3,
            "type": kind, "tenant_id": tenant, "app_id": format!("app_{app}"), "journey_id": id, "round": 1,
            "user_hash": format!("{user:032x}"), "reason": (kind == "failed").then_some("code_rejected"),
            "method": answered.then_some(method), "fallback": answered.then_some(method != "otp"), "acr": null,
            "amr": if answered { vec![method] } else { Vec::new() }, "aal": answered.then_some(2), "ial": null,
            "policy_version": 3, "rule": "default", "policy_stale": false, "action": null,
            "source": "VerifyAuthChallengeResponse_Authentication", "cold_start": step == 0 && random.random_ratio(1, 50),
            "duration_ms": random.random_range(5..200), "hops_ms": {"settings": 1, "records": 9, "token": 80},
            "trigger_version": "0.1.0",
        })
    };
    JOURNEY.iter().enumerate().map(event).collect()
}

/// The same as text for COPY, in as many parts as there are readers.
fn copies(
    messages: &[Message],
    tenants: &[(String, String)],
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<String>> {
    let mut texts = vec![String::new(); READERS];
    for (number, message) in messages.iter().enumerate() {
        for row in batch::read(&message.body, now - TimeDelta::days(1), now).rows {
            let tenant = row.tenant_id.to_string();
            let of = tenants
                .iter()
                .find(|(id, _)| *id == tenant)
                .context("a tenant of nobody")?;
            line(&mut texts[number % READERS], &row, &of.1)?;
        }
    }
    Ok(texts)
}

/// One row; nothing in these events needs escaping.
fn line(text: &mut String, row: &EventRow, partner: &str) -> anyhow::Result<()> {
    fn or_null<T: ToString>(value: Option<T>) -> String {
        value.map_or_else(|| "\\N".to_owned(), |value| value.to_string())
    }
    let amr = (!row.amr.is_empty()).then(|| json!(row.amr));
    let hops = (!row.hops_ms.is_empty()).then(|| json!(row.hops_ms));
    let columns = [
        row.event_id.clone(),
        row.filed_at.to_rfc3339(),
        row.at.to_rfc3339(),
        partner.to_owned(),
        row.tenant_id.to_string(),
        row.kind.clone(),
        or_null(row.app_id.as_ref()),
        or_null(row.journey_id.as_ref()),
        or_null(row.round),
        or_null(row.user_hash.as_ref()),
        or_null(row.reason.as_ref()),
        or_null(row.method.as_ref()),
        or_null(row.acr.as_ref()),
        or_null(amr),
        or_null(row.aal),
        or_null(row.ial),
        or_null(row.policy_version),
        or_null(row.rule.as_ref()),
        row.policy_stale.to_string(),
        or_null(row.action.as_ref()),
        or_null(row.source.as_ref()),
        row.cold_start.to_string(),
        row.duration_ms.to_string(),
        or_null(hops),
        row.trigger_version.clone(),
        or_null(row.fallback),
    ];
    writeln!(text, "{}", columns.join("\t"))?;
    Ok(())
}
