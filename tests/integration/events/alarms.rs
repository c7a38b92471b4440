//! Alarms: raised once and cleared once, of what arrived through the queue, and nobody else's business.

use super::rig::{Rig, text};
use crate::support::client::send;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use stepgate::{
    domain::actor::OperatorScope,
    storage::alarms,
    worker::jobs::evaluate_alarms::{self, Evaluated},
};

/// A journey that began at `began` and was answered after `took`.
fn journey(rig: &Rig, began: DateTime<Utc>, kind: &str, reason: Option<&str>, took: TimeDelta) -> Vec<Value> {
    let journey = rig.journey(began);
    let mut answer = rig.event(kind, &journey, Some(1), began + took);
    answer["reason"] = json!(reason);
    vec![rig.event("started", &journey, None, began), answer]
}

/// Journeys of one minute ago and before, in the second of `ago_s`: some succeed, some fail. They arrive at once.
async fn traffic(rig: &Rig, ago_s: i64, succeed: usize, fail: usize) {
    let began = rig.now() - TimeDelta::seconds(ago_s);
    let took = TimeDelta::seconds(1);
    let good = (0..succeed).flat_map(|_| journey(rig, began, "succeeded", None, took));
    let bad = (0..fail).flat_map(|_| journey(rig, began, "failed", Some("state_mismatch"), took));
    let events: Vec<Value> = good.chain(bad).collect();
    rig.send([rig.body(&events)]).await;
    let taken = rig.ingest().await;
    assert_eq!((taken.repeated, taken.rejected), (0, 0));
}

/// Several workers look at once; what they did together.
async fn evaluate(rig: &Rig) -> (usize, usize) {
    let context = &rig.app.context;
    let all = tokio::join!(
        evaluate_alarms::evaluate(context),
        evaluate_alarms::evaluate(context),
        evaluate_alarms::evaluate(context),
    );
    let all = [all.0, all.1, all.2].map(|done| done.expect("an evaluation"));
    (
        all.iter().map(|done| done.raised).sum(),
        all.iter().map(|done| done.cleared).sum(),
    )
}

/// A minute later.
async fn next_minute(rig: &Rig) -> (usize, usize) {
    rig.app.clock.advance(TimeDelta::minutes(1));
    evaluate(rig).await
}

async fn alarms_of(rig: &Rig, query: &str) -> Vec<Value> {
    let page = rig.acme.get(&format!("/v1/alarms{query}")).await.expect(200);
    page["items"].as_array().expect("a list").clone()
}

/// Messages to webhooks, oldest first.
async fn told(rig: &Rig) -> Vec<Value> {
    let bodies: Vec<String> = sqlx::query_scalar("SELECT body FROM webhook_messages ORDER BY created_at, id")
        .fetch_all(&rig.app.owner)
        .await
        .unwrap();
    bodies
        .iter()
        .map(|body| serde_json::from_str(body).unwrap())
        .collect()
}

async fn watch(rig: &Rig, version: i64, thresholds: Value) -> Value {
    let path = format!("/v1/tenants/{}/alarms", rig.tenant);
    rig.acme.put(&path, version, thresholds).await.expect(200)
}

#[tokio::test]
async fn an_alarm_is_raised_once_and_cleared_once_by_any_number_of_workers() {
    let rig = Rig::start().await;
    let webhook = json!({"url": "http://127.0.0.1:9/hook", "events": ["alarm.raised", "alarm.cleared"]});
    rig.acme.post("/v1/webhooks", webhook).await.expect(201);
    traffic(&rig, 300, 10, 30).await;
    assert_eq!(evaluate(&rig).await, (1, 0));
    assert_eq!(evaluate(&rig).await, (0, 0), "this minute was judged");
    for _ in 0..3 {
        assert_eq!(next_minute(&rig).await, (0, 0), "it is on already");
    }
    let raised = alarms_of(&rig, "?state=raised").await;
    assert_eq!(raised.len(), 1, "{raised:?}");
    let alarm = &raised[0];
    assert_eq!(
        (
            &alarm["kind"],
            &alarm["value"],
            &alarm["sample"],
            &alarm["threshold"]
        ),
        (&json!("success_rate"), &json!(0.25), &json!(40), &json!(0.7))
    );
    assert!(alarm["last_breach_at"].as_str() > alarm["raised_at"].as_str());

    // Good traffic outweighs the bad in the window, and then stays alone in it.
    rig.app.clock.advance(TimeDelta::minutes(15));
    traffic(&rig, 180, 60, 0).await;
    assert_eq!(evaluate(&rig).await, (0, 1));
    assert_eq!(next_minute(&rig).await, (0, 0));
    assert!(alarms_of(&rig, "?state=raised").await.is_empty());
    let over = alarms_of(&rig, "").await;
    assert_eq!(over.len(), 1);
    assert_eq!(
        (
            &over[0]["state"],
            &over[0]["cleared_because"],
            &over[0]["cleared_value"]
        ),
        (&json!("cleared"), &json!("recovered"), &json!(1.0))
    );

    let messages = told(&rig).await;
    let types: Vec<_> = messages.iter().map(|message| text(&message["type"])).collect();
    assert_eq!(types, ["dev.stepgate.alarm.raised", "dev.stepgate.alarm.cleared"]);
    for message in &messages {
        assert_eq!(message["subject"], alarm["id"]);
        assert_eq!(message["source"], format!("/v1/tenants/{}", rig.tenant));
        assert_eq!(message["data"]["alarm"]["kind"], "success_rate");
    }
    assert_eq!(messages[1]["data"]["alarm"]["cleared_because"], "recovered");
    assert_eq!(
        rig.sum("SELECT count(*) FROM webhook_deliveries").await,
        2,
        "one delivery each"
    );
}

#[tokio::test]
async fn a_worker_killed_in_an_evaluation_has_judged_nothing() {
    let rig = Rig::start().await;
    traffic(&rig, 300, 0, 40).await;
    let scope = OperatorScope::worker();
    let until = rig.now();
    let mut killed = rig.app.context.db.begin(&scope).await.unwrap();
    assert!(
        alarms::begin_evaluation(&mut killed, &scope, until)
            .await
            .unwrap()
    );
    drop(killed);
    assert_eq!(evaluate(&rig).await, (1, 0));
    // And one that was slow comes too late to judge an earlier minute.
    let mut slow = rig.app.context.db.begin(&scope).await.unwrap();
    let earlier = until - TimeDelta::minutes(10);
    assert!(
        !alarms::begin_evaluation(&mut slow, &scope, earlier)
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn a_figure_that_moves_around_its_limit_raises_one_alarm() {
    let rig = Rig::start().await;
    let rate = json!({"success_rate": {"below": 0.5, "minimum_sample": 10, "window_min": 6}});
    watch(&rig, 1, rate).await;
    let mut done = Vec::new();
    // Of the five minutes with traffic in a window three are bad, then two, then three.
    for minute in 0..14 {
        let (succeed, fail) = if minute % 2 == 0 { (0, 4) } else { (4, 0) };
        traffic(&rig, 150, succeed, fail).await;
        done.push(next_minute(&rig).await);
    }
    let together = done
        .iter()
        .fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
    assert_eq!(together, (1, 0), "{done:?}");
    let mut cleared = 0;
    for _ in 0..12 {
        traffic(&rig, 150, 10, 0).await;
        let (raised, over) = next_minute(&rig).await;
        assert_eq!(raised, 0);
        cleared += over;
    }
    assert_eq!(cleared, 1);
}

#[tokio::test]
async fn few_events_tell_nothing_and_silence_ends_an_alarm() {
    let rig = Rig::start().await;
    traffic(&rig, 300, 0, 29).await;
    assert_eq!(evaluate(&rig).await, (0, 0), "29 of the 30 that it takes");
    traffic(&rig, 240, 0, 1).await;
    assert_eq!(next_minute(&rig).await, (1, 0));
    let mut minutes = 0;
    while next_minute(&rig).await != (0, 1) {
        minutes += 1;
        assert!(minutes < 40, "it never ended");
    }
    // The last breach was seen for as long as the journeys stayed in the window, then a whole window of silence.
    assert!((20..30).contains(&minutes), "after {minutes} min");
    assert_eq!(alarms_of(&rig, "").await[0]["cleared_because"], "too_few");
}

#[tokio::test]
async fn late_events_count_in_the_next_window_and_fresh_ones_wait() {
    let rig = Rig::start().await;
    traffic(&rig, 60, 0, 40).await;
    assert_eq!(
        evaluate(&rig).await,
        (0, 0),
        "the last two minutes are not judged yet"
    );
    rig.app.clock.advance(TimeDelta::minutes(1));
    assert_eq!(next_minute(&rig).await, (1, 0));

    let late = Rig::start().await;
    traffic(&late, 600, 40, 0).await;
    assert_eq!(evaluate(&late).await, (0, 0));
    // They happened eight minutes ago and come only now.
    traffic(&late, 480, 0, 40).await;
    assert_eq!(evaluate(&late).await, (0, 0), "that minute was judged");
    assert_eq!(next_minute(&late).await, (1, 0));
    assert_eq!(alarms_of(&late, "").await[0]["value"], 0.5);
}

#[tokio::test]
async fn journeys_that_may_still_be_answered_are_not_held_against_a_tenant() {
    let rig = Rig::start().await;
    let began = rig.now() - TimeDelta::seconds(150);
    let open: Vec<Value> = (0..40)
        .map(|_| rig.event("started", &rig.journey(began), None, began))
        .collect();
    rig.send([rig.body(&open)]).await;
    rig.ingest().await;
    assert_eq!(evaluate(&rig).await, (0, 0));
    // Nobody answered, and now nobody can: they were abandoned.
    let mut raised = 0;
    for _ in 0..12 {
        raised += next_minute(&rig).await.0;
    }
    assert_eq!(raised, 1);
    assert_eq!(alarms_of(&rig, "").await[0]["value"], 0.0);
}

#[tokio::test]
async fn errors_of_the_provider_and_long_times_raise_alarms_of_their_own() {
    let rig = Rig::start().await;
    let began = rig.now() - TimeDelta::minutes(5);
    let quick = TimeDelta::seconds(2);
    let mut events = Vec::new();
    for _ in 0..11 {
        events.extend(journey(
            &rig,
            began,
            "failed",
            Some("provider_unavailable"),
            quick,
        ));
    }
    for _ in 0..60 {
        events.extend(journey(&rig, began, "succeeded", None, quick));
    }
    for _ in 0..6 {
        events.extend(journey(&rig, began, "succeeded", None, TimeDelta::seconds(170)));
    }
    rig.send([rig.body(&events)]).await;
    rig.ingest().await;
    assert_eq!(evaluate(&rig).await, (2, 0));
    let raised = alarms_of(&rig, "?state=raised").await;
    let mut kinds: Vec<_> = raised.iter().map(|alarm| text(&alarm["kind"])).collect();
    kinds.sort();
    assert_eq!(kinds, ["latency", "provider_errors"]);
    let errors = alarms_of(&rig, "?kind=provider_errors").await;
    assert_eq!(errors[0]["value"], 11.0);
    let value = alarms_of(&rig, "?kind=latency").await[0]["value"]
        .as_f64()
        .unwrap();
    assert!((value / 170_000.0 - 1.0).abs() < 0.1, "{value}");

    // What is not watched for is over, and the audit log says who wanted it so.
    let now = watch(
        &rig,
        1,
        json!({"provider_errors": {"above": 1000, "window_min": 10}}),
    )
    .await;
    assert_eq!(now["raised"].as_array().unwrap().len(), 2);
    assert_eq!(next_minute(&rig).await, (0, 1));
    assert_eq!(
        alarms_of(&rig, "?kind=latency").await[0]["cleared_because"],
        "switched_off"
    );
    let audit = rig.acme.get("/v1/audit?action=alarms_changed").await.expect(200);
    assert_eq!(audit["items"][0]["tenant_id"], rig.tenant.as_str());
    assert_eq!(
        audit["items"][0]["detail"]["changes"]["/latency"]["to"],
        Value::Null
    );
}

#[tokio::test]
async fn thresholds_are_replaced_by_who_read_them() {
    let rig = Rig::start().await;
    let path = format!("/v1/tenants/{}/alarms", rig.tenant);
    let read = rig.acme.get(&path).await;
    assert_eq!(read.header("etag"), "\"1\"");
    let read = read.expect(200);
    assert_eq!(read["updated_at"], Value::Null);
    assert_eq!(read["thresholds"]["success_rate"]["below"], 0.7);
    let mine = json!({"success_rate": {"below": 0.9, "minimum_sample": 5, "window_min": 30}});
    let bare = rig.acme.request(Method::PUT, &path).json(&mine);
    send(bare).await.problem(428, "precondition_required");
    let put = rig.acme.put(&path, 1, mine.clone()).await;
    assert_eq!(put.header("etag"), "\"2\"");
    let put = put.expect(200);
    assert_eq!(put["thresholds"]["success_rate"], mine["success_rate"]);
    assert_eq!(put["thresholds"]["latency"], Value::Null);
    rig.acme
        .put(&path, 1, mine)
        .await
        .problem(412, "precondition_failed");
    assert_eq!(rig.acme.get(&path).await.expect(200)["version"], 2);
}

#[tokio::test]
async fn what_cannot_be_watched_for_says_why() {
    let rig = Rig::start().await;
    let path = format!("/v1/tenants/{}/alarms", rig.tenant);
    for (body, pointer, code) in [
        (
            json!({"success_rate": {"below": 1.5, "minimum_sample": 5, "window_min": 15}}),
            "/success_rate/below",
            "out_of_range",
        ),
        (
            json!({"success_rate": {"below": 0.5, "minimum_sample": 0, "window_min": 15}}),
            "/success_rate/minimum_sample",
            "out_of_range",
        ),
        (
            json!({"provider_errors": {"above": 5, "window_min": 4}}),
            "/provider_errors/window_min",
            "out_of_range",
        ),
        (
            json!({"latency": {"p95_above_ms": 1, "minimum_sample": 5, "window_min": 15}}),
            "/latency/p95_above_ms",
            "out_of_range",
        ),
    ] {
        rig.acme
            .put(&path, 1, body)
            .await
            .problem(422, "validation_failed")
            .names(pointer, code);
    }
    for body in [
        json!({"success_rate": {"below": 0.5}}),
        json!({"colour": {}}),
        json!({"latency": []}),
        json!([]),
        json!({"provider_errors": {"above": -1, "window_min": 10}}),
    ] {
        let answer = rig.acme.put(&path, 1, body).await;
        assert!(matches!(answer.status.as_u16(), 400 | 422), "{}", answer.text);
    }
    for (query, pointer) in [
        ("kind=x", "query:kind"),
        ("state=on", "query:state"),
        ("tenant_id=1", "query:tenant_id"),
    ] {
        rig.acme
            .get(&format!("/v1/alarms?{query}"))
            .await
            .problem(400, "invalid_query")
            .names(pointer, "invalid");
    }
    assert_eq!(rig.acme.get(&path).await.expect(200)["version"], 1);
}

#[tokio::test]
async fn partners_see_their_own_alarms_and_operators_the_fleet() {
    let rig = Rig::start().await;
    traffic(&rig, 300, 0, 40).await;
    assert_eq!(evaluate(&rig).await, (1, 0));
    let other = rig.app.partner("other").await;
    let path = format!("/v1/tenants/{}/alarms", rig.tenant);
    other.get(&path).await.problem(404, "not_found");
    other.put(&path, 1, json!({})).await.problem(404, "not_found");
    let by_tenant = format!("/v1/alarms?tenant_id={}", rig.tenant);
    other.get(&by_tenant).await.problem(404, "not_found");
    assert_eq!(other.get("/v1/alarms").await.expect(200)["items"], json!([]));
    for caller in [rig.app.operator(), &rig.app.auditor().await] {
        let fleet = caller.get("/v1/alarms?state=raised").await.expect(200);
        assert_eq!(fleet["items"][0]["tenant_id"], rig.tenant.as_str());
        assert_eq!(
            caller.get(&path).await.expect(200)["raised"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
        caller.put(&path, 1, json!({})).await.problem(403, "forbidden");
    }
    // Pages are complete and do not overlap.
    let again = Evaluated::default();
    assert_eq!(evaluate_alarms::evaluate(&rig.app.context).await.unwrap(), again);
    let page = rig.acme.get("/v1/alarms?limit=1").await.expect(200);
    assert_eq!(
        (page["items"].as_array().unwrap().len(), &page["next_cursor"]),
        (1, &Value::Null)
    );
}
