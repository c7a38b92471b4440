//! Many events through the queue into the database, and every total compared with what was sent.
//!
//! `cargo xtask test` sends [`EVENTS`]; `cargo xtask load-events` sets `STEPGATE_LOAD_EVENTS` to a million or what it
//! is told, reads the lines that are printed, and keeps what `STEPGATE_LOAD_REPORT` names.

use super::rig::{Rig, text};
use crate::support::Partner;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use stepgate::worker::jobs::ingest_events;
use tokio_util::sync::CancellationToken;

/// Events of a run that nobody asked more of.
const EVENTS: usize = 20_000;
/// Journeys that are made at a time.
const CHUNK: usize = 2_000;
/// Every so many messages one is sent twice, as SQS may deliver it.
const REPEAT_EVERY: usize = 50;
/// Events that may be on their way at once: the emulator keeps them in memory.
const AHEAD: i64 = 60_000;
/// How long nothing may arrive before the run is given up.
const PATIENCE: Duration = Duration::from_mins(2);
const METHODS: [&str; 4] = ["liveID push", "otp", "otp sms", "otp email"];
const REASONS: [&str; 3] = ["state_mismatch", "provider_unavailable", "code_rejected"];

/// By tenant and what is counted.
type Totals = BTreeMap<(String, String), i64>;

/// What was sent.
#[derive(Default)]
struct Sent {
    events: usize,
    /// Events by tenant and type.
    by_type: Totals,
    /// The same, and journeys that were answered.
    rollup: Totals,
    /// Successes by tenant and method.
    by_method: Totals,
    /// Refusals by tenant and reason.
    by_reason: Totals,
}

/// A tenant and its app.
struct Tenant {
    partner: Partner,
    id: String,
    app_id: String,
}

impl Tenant {
    async fn make(rig: &Rig, partner: &str, names: &[&str]) -> Vec<Self> {
        let partner = rig.app.partner(partner).await;
        let mut tenants = Vec::new();
        for name in names {
            let id = text(&partner.tenant(name).await["id"]);
            tenants.push(Self {
                app_id: text(&partner.app(&id, "Portal").await["id"]),
                partner: partner.clone(),
                id,
            });
        }
        tenants
    }
}

/// The events of a journey. The number decides everything, so two runs send the same but for ids.
fn journey(rig: &Rig, tenant: &Tenant, number: usize, sent: &mut Sent) -> Vec<Value> {
    let spread_s = i64::try_from(number.wrapping_mul(7_919) % 72_000).expect("small");
    let began: DateTime<Utc> = rig.now() - TimeDelta::minutes(30) - TimeDelta::seconds(spread_s);
    let journey = rig.journey(began);
    let mut events = Vec::new();
    let mut add = |kind: &str, round: Option<u8>, after_s: i64, more: Value| {
        let mut event = rig.event(kind, &journey, round, began + TimeDelta::seconds(after_s));
        event["tenant_id"] = json!(tenant.id);
        event["app_id"] = json!(tenant.app_id);
        for (field, value) in more.as_object().into_iter().flatten() {
            event[field] = value.clone();
        }
        let count = |totals: &mut Totals, what: &str| {
            *totals.entry((tenant.id.clone(), what.to_owned())).or_default() += 1;
        };
        count(&mut sent.by_type, kind);
        count(&mut sent.rollup, kind);
        match kind {
            "succeeded" => count(&mut sent.by_method, event["method"].as_str().expect("a method")),
            "failed" => count(&mut sent.by_reason, event["reason"].as_str().expect("a reason")),
            _ => {}
        }
        sent.events += 1;
        events.push(event);
    };
    let took_s = 2 + i64::try_from(number % 40).expect("small");
    let method = json!({ "method": METHODS[number % METHODS.len()], "fallback": !number.is_multiple_of(METHODS.len()) });
    let reason = json!({ "reason": REASONS[number % REASONS.len()] });
    if number % 10 == 9 {
        add("skipped", None, 0, json!({}));
        add("tokens", None, 0, json!({}));
        return events;
    }
    add("started", None, 0, json!({}));
    add("offered", Some(1), 0, json!({}));
    match number % 10 {
        0 => add("failed", Some(1), took_s, reason),
        1 => {
            add("failed", Some(1), took_s, reason);
            add("offered", Some(2), took_s, json!({}));
            add("succeeded", Some(2), took_s + 9, method);
            add("tokens", None, took_s + 10, json!({}));
        }
        2 => {}
        _ => {
            add("succeeded", Some(1), took_s, method);
            add("tokens", None, took_s + 1, json!({}));
        }
    }
    if number % 10 != 2 {
        let ended = (tenant.id.clone(), "ended".to_owned());
        *sent.rollup.entry(ended).or_default() += 1;
    }
    events
}

/// Sums of a rollup, or of the events, by tenant and something else.
async fn totals(rig: &Rig, query: &'static str) -> Totals {
    sqlx::query_as::<_, (String, String, i64)>(query)
        .fetch_all(&rig.app.owner)
        .await
        .unwrap()
        .into_iter()
        .map(|(tenant, what, count)| ((tenant, what), count))
        .collect()
}

async fn stored(rig: &Rig) -> i64 {
    let query = "SELECT coalesce(sum(events), 0)::bigint FROM step_up_days WHERE outcome <> 'ended'";
    rig.sum(query).await
}

/// Watches the events arrive.
struct Progress {
    begun: Instant,
    moved: Instant,
    told: Instant,
    stored: i64,
}

impl Progress {
    fn begin() -> Self {
        let now = Instant::now();
        Self {
            begun: now,
            moved: now,
            told: now,
            stored: 0,
        }
    }

    async fn look(&mut self, rig: &Rig, wanted: usize) {
        let stored = stored(rig).await;
        if stored > self.stored {
            (self.stored, self.moved) = (stored, Instant::now());
        }
        assert!(
            self.moved.elapsed() < PATIENCE,
            "nothing arrives any more after {} of {wanted} events",
            self.stored
        );
        if self.told.elapsed() > Duration::from_secs(1) {
            self.told = Instant::now();
            let per_s = per_second(self.stored, self.begun.elapsed());
            println!(
                "load: {} of {wanted} events stored, {per_s} a second",
                self.stored
            );
        }
    }
}

fn per_second(events: i64, took: Duration) -> i64 {
    let ms = i64::try_from(took.as_millis()).unwrap_or(i64::MAX).max(1);
    events * 1_000 / ms
}

/// Makes and sends the events, never too far ahead of the workers; returns how many messages were sent twice.
async fn send(
    rig: &Rig,
    tenants: &[Tenant],
    wanted: usize,
    sent: &mut Sent,
    progress: &mut Progress,
) -> usize {
    let (mut number, mut messages, mut repeated) = (0, 0, 0);
    while sent.events < wanted {
        let mut by_tenant: Vec<Vec<Value>> = tenants.iter().map(|_| Vec::new()).collect();
        for _ in 0..CHUNK {
            let of = number % tenants.len();
            by_tenant[of].extend(journey(rig, &tenants[of], number / tenants.len(), sent));
            number += 1;
        }
        for (tenant, mut events) in tenants.iter().zip(by_tenant) {
            if number % 3 == 0 {
                events.reverse();
            }
            for body in triggers::forwarder::bodies(&tenant.id, events) {
                messages += 1;
                let twice = messages % REPEAT_EVERY == 0;
                repeated += usize::from(twice);
                for _ in 0..=usize::from(twice) {
                    let message = rig.sqs.send_message().queue_url(&rig.queue_url);
                    message.message_body(&body).send().await.unwrap();
                }
            }
        }
        progress.look(rig, wanted).await;
        while i64::try_from(sent.events).unwrap() - progress.stored > AHEAD {
            tokio::time::sleep(Duration::from_millis(100)).await;
            progress.look(rig, wanted).await;
        }
    }
    repeated
}

/// Every total there is, against what was sent.
async fn compare(rig: &Rig, sent: &Sent) {
    let by_type = "SELECT tenant_id, type, count(*) FROM step_up_events GROUP BY 1, 2";
    assert_eq!(totals(rig, by_type).await, sent.by_type, "events by type");
    for (grain, query) in [
        (
            "minute",
            "SELECT tenant_id, outcome, sum(events)::bigint FROM step_up_minutes GROUP BY 1, 2",
        ),
        (
            "hour",
            "SELECT tenant_id, outcome, sum(events)::bigint FROM step_up_hours GROUP BY 1, 2",
        ),
        (
            "day",
            "SELECT tenant_id, outcome, sum(events)::bigint FROM step_up_days GROUP BY 1, 2",
        ),
    ] {
        assert_eq!(totals(rig, query).await, sent.rollup, "{grain}");
    }
    for (what, query, expected) in [
        (
            "methods",
            "SELECT tenant_id, method, sum(events)::bigint FROM step_up_hours WHERE outcome = 'succeeded' GROUP BY 1, 2",
            &sent.by_method,
        ),
        (
            "reasons",
            "SELECT tenant_id, reason, sum(events)::bigint FROM step_up_minutes WHERE outcome = 'failed' GROUP BY 1, 2",
            &sent.by_reason,
        ),
    ] {
        assert_eq!(&totals(rig, query).await, expected, "{what}");
    }
    let timed =
        "SELECT tenant_id, 'succeeded', sum((SELECT sum(c) FROM unnest(completion_buckets) AS c))::bigint
                 FROM step_up_days WHERE completion_buckets IS NOT NULL GROUP BY 1";
    let successes = sent.by_type.iter().filter(|((_, kind), _)| kind == "succeeded");
    let successes: Totals = successes.map(|(key, count)| (key.clone(), *count)).collect();
    assert_eq!(totals(rig, timed).await, successes, "times to complete");
    assert_eq!(rig.sum("SELECT count(*) FROM quarantined_events").await, 0);
}

/// The reports, as partners ask for them; how long the slowest took.
async fn reports(rig: &Rig, tenants: &[Tenant], sent: &Sent) -> Duration {
    let mut slowest = Duration::ZERO;
    for tenant in tenants {
        let path = format!("/v1/tenants/{}/metrics/step-up?group_by=app", tenant.id);
        let begun = Instant::now();
        let report = tenant.partner.get(&path).await.expect(200);
        slowest = slowest.max(begun.elapsed());
        let of = |what: &str| sent.rollup.get(&(tenant.id.clone(), what.to_owned())).copied();
        for kind in ["started", "offered", "succeeded", "failed", "skipped", "tokens"] {
            assert_eq!(
                report["total"][kind].as_i64(),
                of(kind),
                "{kind}: {}",
                report["total"]
            );
        }
        // Everybody who did not answer has had the time to.
        assert_eq!(
            report["total"]["abandoned"].as_i64(),
            of("started")
                .zip(of("ended"))
                .map(|(started, ended)| started - ended)
        );
    }
    assert_eq!(
        rig.app.operator().get("/v1/metrics/step-up").await.expect(200)["total"]["started"].as_i64(),
        Some(
            tenants
                .iter()
                .filter_map(|one| sent.by_type.get(&(one.id.clone(), "started".to_owned())))
                .sum()
        )
    );
    slowest
}

#[tokio::test(flavor = "multi_thread")]
async fn every_total_is_what_was_sent() {
    let asked = std::env::var("STEPGATE_LOAD_EVENTS").ok();
    let wanted = asked.map_or(EVENTS, |asked| asked.parse().expect("a number of events"));
    let rig = Rig::start().await;
    let mut tenants = Tenant::make(&rig, "first", &["a", "b", "c"]).await;
    tenants.extend(Tenant::make(&rig, "second", &["d"]).await);

    // Two workers, as `stepgate worker` runs this job.
    let stop = CancellationToken::new();
    let workers = [1, 2].map(|_| {
        let (context, stop) = (rig.app.context.clone(), stop.clone());
        tokio::spawn(async move { ingest_events::run(&context, stop).await })
    });
    let (mut sent, mut progress) = (Sent::default(), Progress::begin());
    let repeated = send(&rig, &tenants, wanted, &mut sent, &mut progress).await;
    let pushed = progress.begun.elapsed();
    while stored(&rig).await < i64::try_from(sent.events).unwrap() {
        tokio::time::sleep(Duration::from_millis(100)).await;
        progress.look(&rig, sent.events).await;
    }
    let took = progress.begun.elapsed();
    // What was sent twice may still be on its way, and must count nothing.
    let waiting = async || {
        rig.app
            .context
            .aws
            .sqs(crate::support::REGION)
            .waiting(&rig.queue_url)
            .await
    };
    while waiting().await.unwrap() > 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop.cancel();
    for worker in workers {
        worker.await.unwrap();
    }
    compare(&rig, &sent).await;
    let slowest_report = reports(&rig, &tenants, &sent).await;

    let report = json!({
        "events": sent.events, "messages_sent_twice": repeated, "pushed_s": pushed.as_secs_f64(), "stored_s": took.as_secs_f64(),
        "events_per_s": per_second(i64::try_from(sent.events).unwrap(), took), "slowest_report_ms": slowest_report.as_millis(),
    });
    println!("load: every total is what was sent: {report}");
    if let Ok(file) = std::env::var("STEPGATE_LOAD_REPORT") {
        std::fs::write(file, format!("{report:#}\n")).expect("the report is written");
    }
}
