//! What the triggers printed is what the reports count, whatever happens on the way: workers are killed after they stored
//! and before they could delete, and at any other moment, and the database is away for more than a minute.
//!
//! Nothing is forgiven. The emulator hands a log line to the forwarder once, and where that fails not again, as
//! CloudWatch Logs and Lambda would; so what never came to the forwarder, by its own count, is handed to it again here.
//! What came to it must be there.

use crate::installation::{Installation, Tenant, spawn_worker, way::Way};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use fault_proxy::{Plan, Proxy};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    process::Child,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// Workers that are killed with events stored and not deleted.
const KILLED_AT_DELETE: usize = 4;
/// Workers that are killed whenever.
const KILLED_WHENEVER: u64 = 12;
/// For how long the database is away.
const AWAY: Duration = Duration::from_secs(70);
/// Pause between sign-ins.
const PAUSE: Duration = Duration::from_millis(400);
/// The longest that events may take in the end: messages of killed workers are hidden for a minute.
const PATIENCE: Duration = Duration::from_mins(4);
/// An event comes within this, unless a killed worker holds it.
const QUIET: Duration = Duration::from_secs(75);
/// What a worker asks for once the events of its messages are committed.
const DELETE: &str = "sqs:DeleteMessageBatch";
const FORWARDER: &str = "stepgate-e2e-forwarder";
const FORWARDER_LOG: &str = "/stepgate/e2e/forwarder";

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_what_was_printed_though_workers_are_killed_and_the_database_is_away() {
    let mut installation = Installation::start("outage").await;
    let tenant = installation.onboard("Outage").await;
    installation.end_worker().await;
    let over = AtomicBool::new(false);
    let (sign_ins, killed) = tokio::join!(sign_ins(&tenant, &over), async {
        let killed = harm(&installation).await;
        over.store(true, Ordering::Relaxed);
        killed
    });
    println!("{sign_ins} sign-ins, {killed} workers killed");
    assert!(sign_ins > 12, "only {sign_ins} sign-ins");

    let _last = Worker(installation.spawn_worker());
    let printed = everything_arrives(&installation, &tenant).await;
    totals_agree(&installation, &tenant, &printed).await;
}

/// Signs users in until it is over: two in four succeed, one gives a wrong answer, one gives none.
async fn sign_ins(tenant: &Tenant, over: &AtomicBool) -> usize {
    let (bench, app) = (&tenant.bench, tenant.app());
    let mut count = 0;
    while !over.load(Ordering::Relaxed) {
        let user = bench.user().await.expect("a user");
        let challenge = bench.challenge(&app, &user).await.expect("a step-up");
        match count % 4 {
            0 | 1 => {
                let posted = bench.posted(&challenge).await.expect("a code");
                let step = bench.answer(&app, &user, &challenge, &posted.answer()).await;
                step.expect("an answer").tokens().expect("tokens");
            }
            2 => {
                let step = bench.answer(&app, &user, &challenge, "no answer at all").await;
                assert!(step.is_err() || step.is_ok_and(|step| step.tokens().is_err()));
            }
            _ => {}
        }
        count += 1;
        tokio::time::sleep(PAUSE).await;
    }
    count
}

/// Does harm for some minutes; returns how many workers were killed.
async fn harm(installation: &Installation) -> usize {
    let way = Way::to(installation.database_url()).await;
    let proxy = Proxy::start(&installation.aws_url).await.expect("a proxy");
    let start = || Worker(spawn_worker(&way.url, &proxy.url()));
    let mut killed = 0;

    // Between the commit and the deletion: that one is asked for, refused, and the worker is gone.
    for _ in 0..KILLED_AT_DELETE {
        proxy.follow(Plan::Above {
            operation: DELETE.to_owned(),
            per_second: 0,
        });
        let worker = start();
        let begun = Instant::now();
        while !proxy.seen().iter().any(|call| call.operation == DELETE) {
            assert!(begun.elapsed() < PATIENCE, "the worker deletes nothing");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(worker);
        killed += 1;
    }
    proxy.follow(Plan::Nothing);

    // The database goes while a worker works, and workers come and go meanwhile.
    let mut worker = start();
    tokio::time::sleep(Duration::from_secs(3)).await;
    way.cut();
    let begun = Instant::now();
    while begun.elapsed() < AWAY {
        tokio::time::sleep(Duration::from_secs(10)).await;
        drop(std::mem::replace(&mut worker, start()));
        killed += 1;
    }
    way.mend();

    for index in 0..KILLED_WHENEVER {
        tokio::time::sleep(Duration::from_millis(300 + 170 * index)).await;
        drop(std::mem::replace(&mut worker, start()));
        killed += 1;
    }
    killed + 1
}

/// A worker that does not outlive this value. It is killed by SIGKILL, so that it can put nothing in order.
struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.kill().expect("it is ours");
        self.0.wait().expect("it ends");
    }
}

/// Waits until everything that was printed is stored; returns the lines.
async fn everything_arrives(installation: &Installation, tenant: &Tenant) -> BTreeMap<String, Value> {
    let begun = Instant::now();
    let (mut changed, mut before) = (Instant::now(), 0);
    loop {
        let (lines, printed) = printed(tenant).await;
        let stored = stored(installation, tenant).await;
        let missing: Vec<&str> = printed
            .keys()
            .filter(|id| !stored.contains(*id))
            .map(String::as_str)
            .collect();
        let known: BTreeSet<String> = printed.keys().cloned().collect();
        assert!(stored.is_subset(&known), "stored and never printed");
        if missing.is_empty() {
            println!("{lines} lines, {} events", printed.len());
            return printed;
        }
        assert!(begun.elapsed() < PATIENCE, "never arrived: {missing:?}");
        if stored.len() != before {
            (changed, before) = (Instant::now(), stored.len());
        }
        if changed.elapsed() > QUIET {
            let never_came = lines - forwarded(tenant).await;
            assert!(
                missing.len() <= never_came,
                "{} events are missing, and only {never_came} lines never came to the forwarder: {missing:?}",
                missing.len()
            );
            println!("{} lines are handed to the forwarder again", missing.len());
            hand_over(tenant, missing.iter().map(|id| &printed[*id])).await;
            changed = Instant::now();
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// How many event lines the functions printed, and the events by id: a line may be printed twice.
async fn printed(tenant: &Tenant) -> (usize, BTreeMap<String, Value>) {
    let group = tenant.bench.log_group().await.expect("a log group");
    let aws = tenant.bench.aws().expect("AWS");
    let messages = aws.log_messages(&group, 0).await.expect("lines");
    let events = messages.iter().filter_map(|line| {
        let event: Value = serde_json::from_str(line).ok()?;
        event.get("stepgate_event").is_some().then_some(event)
    });
    let events: Vec<Value> = events.collect();
    let lines = events.len();
    let by_id = events.into_iter().map(|event| {
        let id = event["event_id"].as_str().expect("an id").to_owned();
        (id, event)
    });
    (lines, by_id.collect())
}

/// Ids of the stored events.
async fn stored(installation: &Installation, tenant: &Tenant) -> BTreeSet<String> {
    let ids: Vec<String> = sqlx::query_scalar("SELECT event_id FROM step_up_events WHERE tenant_id = $1")
        .bind(&tenant.id)
        .fetch_all(&mut installation.database().await)
        .await
        .expect("the events");
    ids.into_iter().collect()
}

/// How many lines the forwarder says it sent on.
async fn forwarded(tenant: &Tenant) -> usize {
    let aws = tenant.bench.aws().expect("AWS");
    let messages = aws.log_messages(FORWARDER_LOG, 0).await.expect("lines");
    let counts = messages.iter().filter_map(|line| {
        let summary: Value = serde_json::from_str(line).ok()?;
        summary.get("stepgate_forwarder")?;
        for bad in ["foreign_stream", "other_tenant", "malformed"] {
            assert_eq!(summary[bad], 0, "{summary}");
        }
        usize::try_from(summary["forwarded"].as_u64()?).ok()
    });
    counts.sum()
}

/// Hands lines to the forwarder as CloudWatch Logs does.
async fn hand_over(tenant: &Tenant, lines: impl Iterator<Item = &Value>) {
    let events: Vec<_> = lines
        .map(|line| json!({"id": line["event_id"], "timestamp": line["at_unix_ms"], "message": line.to_string()}))
        .collect();
    let delivery = json!({
        "messageType": "DATA_MESSAGE", "owner": "0", "logGroup": "g", "logStream": "2026/01/05/[$LATEST]0123",
        "subscriptionFilters": ["stepgate-events"], "logEvents": events,
    });
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(delivery.to_string().as_bytes()).expect("gzip");
    let data = BASE64_STANDARD.encode(encoder.finish().expect("gzip"));
    let aws = tenant.bench.aws().expect("AWS");
    let invoked = aws.invoke(FORWARDER, &json!({"awslogs": {"data": data}})).await;
    let invoked = invoked.expect("an answer").expect("it is there");
    assert!(!invoked.failed, "{:?}", invoked.payload);
}

/// Every rollup and the report count what was printed, by type.
async fn totals_agree(installation: &Installation, tenant: &Tenant, printed: &BTreeMap<String, Value>) {
    let mut by_type: BTreeMap<String, i64> = BTreeMap::new();
    for event in printed.values() {
        *by_type
            .entry(event["type"].as_str().expect("a type").to_owned())
            .or_default() += 1;
    }
    for kind in ["started", "offered", "succeeded", "failed", "tokens"] {
        assert!(
            by_type.get(kind).is_some_and(|count| *count > 2),
            "{kind} in {by_type:?}"
        );
    }
    for grain in ["minute", "hour", "day"] {
        let counted: Vec<(String, i64)> = sqlx::query_as(
            "SELECT outcome, sum(events)::bigint FROM step_up_rollups
             WHERE grain = $1 AND tenant_id = $2 AND outcome <> 'ended' GROUP BY 1",
        )
        .bind(grain)
        .bind(&tenant.id)
        .fetch_all(&mut installation.database().await)
        .await
        .expect("the counts");
        assert_eq!(
            counted.into_iter().collect::<BTreeMap<_, _>>(),
            by_type,
            "{grain}"
        );
    }
    let path = format!("/v1/tenants/{}/metrics/step-up", tenant.id);
    let report = installation.partner.get(&path).await.expect("a report");
    for kind in [
        "started",
        "offered",
        "succeeded",
        "failed",
        "skipped",
        "tokens",
        "refused_tokens",
    ] {
        let count = by_type.get(kind).copied().unwrap_or_default();
        assert_eq!(report["total"][kind], count, "{kind} in {}", report["total"]);
    }
    let aside: i64 = sqlx::query_scalar("SELECT count(*) FROM quarantined_events")
        .fetch_one(&mut installation.database().await)
        .await
        .expect("a count");
    assert_eq!(aside, 0, "nothing was put aside");
}
