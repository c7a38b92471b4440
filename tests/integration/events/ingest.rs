//! Nothing is lost and nothing counted twice.

use super::rig::Rig;
use chrono::TimeDelta;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use stepgate::{
    aws::sqs::Message,
    worker::jobs::{ingest_events, keep_partitions},
};

/// Events of `count` journeys, each begun, offered and answered.
fn journeys(rig: &Rig, count: i64) -> Vec<Value> {
    let mut events = Vec::new();
    for number in 0..count {
        let began = rig.now() - TimeDelta::minutes(number % 90) - TimeDelta::seconds(number % 7);
        let journey = rig.journey(began);
        events.push(rig.event("started", &journey, None, began));
        events.push(rig.event("offered", &journey, Some(1), began));
        if number % 3 != 0 {
            let kind = if number % 5 == 0 { "failed" } else { "succeeded" };
            let took = TimeDelta::milliseconds(2_000 + number * 10);
            events.push(rig.event(kind, &journey, Some(1), began + took));
        }
    }
    events
}

fn expected(events: &[Value]) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for event in events {
        let kind = event["type"].as_str().unwrap();
        *counts.entry(kind.to_owned()).or_default() += 1;
        if matches!(kind, "failed" | "succeeded") {
            *counts.entry("ended".to_owned()).or_default() += 1;
        }
    }
    counts
}

#[tokio::test]
async fn repetitions_in_any_order_count_once_in_every_rollup() {
    let rig = Rig::start().await;
    let events = journeys(&rig, 120);
    let mut bodies: Vec<_> = events.chunks(25).map(|chunk| rig.body(chunk)).collect();
    // The same events again, in other messages and backwards, some of them twice in one message, and printed anew a
    // little later as a retry of Cognito's would.
    let mut reversed = events.clone();
    reversed.reverse();
    bodies.extend(reversed.chunks(17).map(|chunk| rig.body(chunk)));
    let retried: Vec<_> = events
        .iter()
        .step_by(4)
        .map(|event| {
            let mut event = event.clone();
            event["at_unix_ms"] = json!(event["at_unix_ms"].as_i64().unwrap() + 4_321);
            event["duration_ms"] = json!(99);
            event
        })
        .collect();
    bodies.push(rig.body(&[retried.clone(), retried].concat()));
    rig.send(bodies).await;

    let taken = rig.ingest().await;
    assert_eq!(taken.stored, i64::try_from(events.len()).unwrap());
    assert_eq!(taken.rejected, 0);
    assert!(taken.repeated > taken.stored, "{taken:?}");
    assert_eq!(rig.sum("SELECT count(*) FROM step_up_events").await, taken.stored);
    for grain in ["minute", "hour", "day"] {
        assert_eq!(rig.rollup(grain).await, expected(&events), "{grain}");
    }
}

#[tokio::test]
async fn a_worker_killed_between_store_and_delete_counts_nothing_twice() {
    let rig = Rig::start().await;
    let events = journeys(&rig, 30);
    rig.send([rig.body(&events)]).await;
    let killed = Message {
        body: rig.body(&events),
        receipt: String::new(),
    };
    // It stored and was gone.
    let first = ingest_events::store(&rig.app.context, &rig.cell, &[killed])
        .await
        .unwrap();
    let second = rig.ingest().await;
    let count = i64::try_from(events.len()).unwrap();
    assert_eq!((first.stored, second.stored, second.repeated), (count, 0, count));
    assert_eq!(rig.rollup("hour").await, expected(&events));
}

#[tokio::test]
async fn workers_that_store_the_same_at_once_do_not_block_or_double() {
    let rig = Rig::start().await;
    let events = journeys(&rig, 60);
    let mut backwards = events.clone();
    backwards.reverse();
    let message = |events: &[Value]| Message {
        body: rig.body(events),
        receipt: String::new(),
    };
    let bodies = [message(&events), message(&backwards), message(&events)];
    let [one, two, three] = &bodies;
    let context = &rig.app.context;
    let (one, two, three) = tokio::join!(
        ingest_events::store(context, &rig.cell, std::slice::from_ref(one)),
        ingest_events::store(context, &rig.cell, std::slice::from_ref(two)),
        ingest_events::store(context, &rig.cell, std::slice::from_ref(three)),
    );
    let mut stored = 0;
    let mut lost = Vec::new();
    for result in [one, two, three] {
        match result {
            Ok(taken) => stored += taken.stored,
            // One of them may have been the victim of a deadlock: its message comes again.
            Err(error) => lost.push(error.to_string()),
        }
    }
    assert!(lost.len() < 3, "{lost:?}");
    assert_eq!(stored, i64::try_from(events.len()).unwrap(), "{lost:?}");
    assert_eq!(rig.rollup("day").await, expected(&events));
}

#[tokio::test]
async fn what_cannot_be_stored_is_put_aside_and_blocks_nothing() {
    let rig = Rig::start().await;
    let good = journeys(&rig, 3);
    let foreign = json!({"stepgate_batch": 1, "tenant_id": "tnt_01jd7v0p3h8s5k2m4n6q9r1t0w", "events": [{
        "stepgate_event": 1, "event_id": "evt_1", "at_unix_ms": rig.now().timestamp_millis(), "type": "started",
        "tenant_id": "tnt_01jd7v0p3h8s5k2m4n6q9r1t0w", "trigger_version": "0",
    }]});
    let mut old = rig.event("started", &rig.journey(rig.now()), None, rig.now());
    old["at_unix_ms"] = json!((rig.now() - TimeDelta::days(60)).timestamp_millis());
    rig.send([
        "not even JSON \u{1F980}".to_owned(),
        foreign.to_string(),
        rig.body(&[old, json!({"stepgate_event": 1})]),
        rig.body(&good),
    ])
    .await;
    let taken = rig.ingest().await;
    assert_eq!((taken.messages, taken.rejected), (4, 4));
    assert_eq!(taken.stored, i64::try_from(good.len()).unwrap());
    let reasons: Vec<(String, i64)> =
        sqlx::query_as("SELECT reason, sum(count)::bigint FROM quarantined_events GROUP BY 1 ORDER BY 1")
            .fetch_all(&rig.app.owner)
            .await
            .unwrap();
    let reasons: Vec<_> = reasons
        .iter()
        .map(|(reason, count)| (reason.as_str(), *count))
        .collect();
    assert_eq!(
        reasons,
        [
            ("too_old", 1),
            ("unknown_tenant", 1),
            ("unreadable_event", 1),
            ("unreadable_message", 1)
        ]
    );
    assert_eq!(rig.ingest().await.messages, 0, "nothing comes again");

    // Events are kept whole: those of a tenant whose row comes back later can be had again.
    let bodies: Vec<String> =
        sqlx::query_scalar("SELECT unnest(bodies) FROM quarantined_events WHERE reason = 'unknown_tenant'")
            .fetch_all(&rig.app.owner)
            .await
            .unwrap();
    let bodies: Vec<Value> = bodies
        .iter()
        .map(|body| serde_json::from_str(body).unwrap())
        .collect();
    assert_eq!(bodies, foreign["events"].as_array().unwrap().as_slice());
    // As many as a row may hold, and all are counted.
    let large: Vec<String> = (0..3)
        .map(|index| format!("{index}{}", "x".repeat(100_000)))
        .collect();
    rig.send(large.clone()).await;
    assert_eq!(rig.ingest().await.rejected, 3);
    let (count, kept): (i64, i64) = sqlx::query_as(
        "SELECT sum(count)::bigint, sum(cardinality(bodies))::bigint FROM quarantined_events WHERE sample ~ '^[0-2]x'",
    )
    .fetch_one(&rig.app.owner)
    .await
    .unwrap();
    assert!(count == 3 && (2..=3).contains(&kept), "{kept} of {count}");
    let widest: i64 = rig
        .sum("SELECT max((SELECT sum(length(b)) FROM unnest(bodies) AS b))::bigint FROM quarantined_events")
        .await;
    assert!(widest <= 256 * 1024, "{widest} bytes in a row");

    // They are forgotten with the events of their days.
    rig.app.clock.advance(TimeDelta::days(32));
    keep_partitions::keep(&rig.app.context).await.unwrap();
    assert_eq!(rig.sum("SELECT count(*) FROM quarantined_events").await, 0);
}

#[tokio::test]
async fn how_far_behind_a_cell_is_read_is_known() {
    let rig = Rig::start().await;
    let lag = async || {
        let lag: (f64, chrono::DateTime<chrono::Utc>) =
            sqlx::query_as("SELECT lag_s, looked_at FROM event_intake")
                .fetch_one(&rig.app.owner)
                .await
                .unwrap();
        lag
    };
    rig.ingest().await;
    assert_eq!(lag().await, (0.0, rig.now()));
    // Sent when nobody read, and read ten minutes later.
    let began = rig.now();
    rig.send([rig.body(&[rig.event("started", &rig.journey(began), None, began)])])
        .await;
    rig.app.clock.advance(TimeDelta::minutes(10));
    ingest_events::take_some(&rig.app.context, &rig.cell, &rig.queue_url, 1)
        .await
        .unwrap();
    assert_eq!(lag().await, (600.0, rig.now()));
    rig.app.clock.advance(TimeDelta::minutes(1));
    rig.ingest().await;
    assert_eq!(lag().await, (0.0, rig.now()));
}

#[tokio::test]
async fn late_events_find_their_day() {
    let rig = Rig::start().await;
    let yesterday = rig.now() - TimeDelta::hours(26);
    let journey = rig.journey(yesterday);
    rig.send([rig.body(&[rig.event("started", &journey, None, yesterday)])])
        .await;
    assert_eq!(rig.ingest().await.stored, 1);
    let slice: chrono::DateTime<chrono::Utc> = sqlx::query_scalar("SELECT slice FROM step_up_days")
        .fetch_one(&rig.app.owner)
        .await
        .unwrap();
    assert_eq!(slice.date_naive(), yesterday.date_naive());
}

#[tokio::test]
async fn while_the_database_is_away_the_queue_keeps_everything() {
    let rig = Rig::start().await;
    let events = journeys(&rig, 2);
    rig.send([rig.body(&events)]).await;
    let mut away = rig.app.context.clone();
    away.db = stepgate::storage::Database::connect(&away.config.database)
        .await
        .unwrap();
    away.db.pool().close().await;
    ingest_events::take_some(&away, &rig.cell, &rig.queue_url, 0)
        .await
        .expect_err("there is no database");
    // Not even hidden for the visibility timeout: another worker finds it at once.
    assert_eq!(rig.ingest().await.stored, i64::try_from(events.len()).unwrap());
}

#[tokio::test]
async fn partitions_come_and_go_with_the_days() {
    let rig = Rig::start().await;
    let began = rig.now() - TimeDelta::days(29);
    let journey = rig.journey(began);
    rig.send([rig.body(&[rig.event("started", &journey, None, began)])])
        .await;
    assert_eq!(rig.ingest().await.stored, 1);
    assert_eq!(keep_partitions::keep(&rig.app.context).await.unwrap(), (0, 0));
    // Plans over the catalog change with its statistics.
    sqlx::query("VACUUM ANALYZE")
        .execute(&rig.app.owner)
        .await
        .unwrap();
    rig.app.clock.advance(TimeDelta::days(3));
    // Three tables, three days.
    assert_eq!(keep_partitions::keep(&rig.app.context).await.unwrap(), (9, 9));
    assert_eq!(rig.sum("SELECT count(*) FROM step_up_events").await, 0);
    assert_eq!(
        rig.sum("SELECT sum(events)::bigint FROM step_up_hours").await,
        1,
        "what reports read stays"
    );
}
