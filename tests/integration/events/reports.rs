//! Reports: their figures, who sees them, and what is refused.

use super::rig::{Rig, text};
use crate::support::client::send;
use chrono::{SecondsFormat, TimeDelta};
use reqwest::Method;
use serde_json::{Value, json};

/// Twenty journeys, two hours ago: 12 succeed (3 of them by another method, after a refusal), 5 fail, 3 are
/// abandoned. And one of a minute ago that is still open.
async fn some_traffic(rig: &Rig) {
    let hour = rig.now() - TimeDelta::hours(2);
    let mut events = Vec::new();
    for number in 0..20_i64 {
        let began = hour + TimeDelta::seconds(number);
        let journey = rig.journey(began);
        events.push(rig.event("started", &journey, None, began));
        events.push(rig.event("offered", &journey, Some(1), began));
        let mut answer = |kind, round, took_s| {
            let mut event = rig.event(kind, &journey, Some(round), began + TimeDelta::seconds(took_s));
            if kind == "failed" {
                event["reason"] = json!("state_mismatch");
            } else if round == 2 {
                event["method"] = json!("otp sms");
                event["fallback"] = json!(true);
            }
            events.push(event);
        };
        match number {
            0..=8 => answer("succeeded", 1, 10),
            9..=11 => {
                answer("failed", 1, 10);
                answer("succeeded", 2, 40);
            }
            12..=16 => answer("failed", 1, 10),
            _ => {}
        }
    }
    let open = rig.now() - TimeDelta::minutes(1);
    events.push(rig.event("started", &rig.journey(open), None, open));
    let mut skipped = rig.event("skipped", "jrn_none", None, hour);
    skipped["journey_id"] = Value::Null;
    events.push(skipped);
    rig.send([rig.body(&events)]).await;
    assert_eq!(rig.ingest().await.rejected, 0);
}

#[tokio::test]
async fn a_report_tells_what_became_of_every_journey() {
    let rig = Rig::start().await;
    some_traffic(&rig).await;
    let path = format!("/v1/tenants/{}/metrics/step-up", rig.tenant);
    let report = rig.acme.get(&path).await.expect(200);
    let total = &report["total"];
    for (figure, value) in [
        ("started", 21),
        ("offered", 20),
        ("succeeded", 12),
        ("failed", 8),
        ("abandoned", 3),
        ("skipped", 1),
        ("refused_tokens", 0),
    ] {
        assert_eq!(total[figure], value, "{figure} in {total}");
    }
    assert_eq!(total["success_rate"], json!(12.0 / 20.0));
    assert_eq!(total["fallback_rate"], json!(3.0 / 12.0));
    let close = |figure: &str, truth: f64| {
        let read = total[figure].as_f64().unwrap();
        assert!((read / truth - 1.0).abs() < 0.1, "{figure} {read}");
    };
    close("time_to_complete_p50_ms", 10_000.0);
    close("time_to_complete_p99_ms", 40_000.0);
    assert_eq!(
        report["methods"],
        json!([{"method": "otp", "succeeded": 9, "share": 0.75}, {"method": "otp sms", "succeeded": 3, "share": 0.25}])
    );
    assert_eq!(
        report["rows"].as_array().unwrap().len(),
        2,
        "two hours with events"
    );

    // An hour later nobody has answered: it was abandoned too.
    rig.app.clock.advance(TimeDelta::hours(1));
    let later = rig.acme.get(&path).await.expect(200);
    assert_eq!(later["total"]["abandoned"], 4);
    // By other slices and splits the sums are the same.
    for query in [
        "step=minute",
        "step=day",
        "step=day&time_zone=Europe/Berlin",
        "group_by=app",
        "group_by=policy_version",
    ] {
        let report = rig.acme.get(&format!("{path}?{query}")).await.expect(200);
        let sum = |figure: &str| -> i64 {
            report["rows"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row[figure].as_i64().unwrap())
                .sum()
        };
        assert_eq!(
            (sum("started"), sum("succeeded"), sum("abandoned")),
            (21, 12, 4),
            "{query}"
        );
    }
    let by_reason = rig
        .acme
        .get(&format!("{path}?group_by=reason&from=2026-01-01T00:00:00Z"))
        .await
        .expect(200);
    let row = by_reason["rows"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["group"] == "state_mismatch")
        .unwrap()
        .clone();
    assert_eq!((&row["failed"], &row["abandoned"]), (&json!(8), &Value::Null));
    assert_eq!(by_reason["total"]["abandoned"], 4, "together they have no split");
}

/// The release before stored histograms from their first bucket on, in another column.
#[tokio::test]
async fn times_that_an_earlier_release_counted_are_told_with_the_others() {
    let rig = Rig::start().await;
    some_traffic(&rig).await;
    let all = "/v1/metrics/step-up?group_by=tenant".to_owned();
    let one = format!("/v1/tenants/{}/metrics/step-up", rig.tenant);
    let told = async |path: &str| rig.acme.get(path).await.expect(200)["total"].clone();
    let before = (told(&one).await, told(&all).await);
    assert!(before.0["time_to_complete_p99_ms"].is_number(), "{before:?}");
    // Of one method, wherever it is counted.
    let moved = "to_complete = array_fill(0::bigint, ARRAY[array_lower(completion_buckets, 1) - 1]) || completion_buckets";
    for table in ["step_up_minutes", "step_up_hours", "step_up_days"] {
        let change = format!(
            "UPDATE {table} SET {moved}, completion_buckets = NULL WHERE method = 'otp' AND completion_buckets IS NOT NULL"
        );
        let changed = sqlx::query(sqlx::AssertSqlSafe(change))
            .execute(&rig.app.owner)
            .await;
        assert!(changed.unwrap().rows_affected() > 0, "{table}");
    }
    assert_eq!((told(&one).await, told(&all).await), before);
}

#[tokio::test]
async fn of_one_method_or_reason_it_is_not_told_what_became_of_journeys() {
    let rig = Rig::start().await;
    some_traffic(&rig).await;
    // A policy of a single method names it at the beginning already.
    let began = rig.now() - TimeDelta::hours(1);
    let mut named = rig.event("started", &rig.journey(began), None, began);
    named["method"] = json!("otp");
    rig.send([rig.body(&[named])]).await;
    assert_eq!(rig.ingest().await.stored, 1);
    let path = format!("/v1/tenants/{}/metrics/step-up", rig.tenant);
    for (query, figure, count) in [
        ("method=otp", "succeeded", 9),
        ("method=otp%20sms", "succeeded", 3),
        ("method=otp&group_by=app", "succeeded", 9),
        ("reason=state_mismatch", "failed", 8),
        ("reason=state_mismatch", "succeeded", 0),
        ("reason=state_mismatch&group_by=policy_version", "failed", 8),
    ] {
        let report = rig.acme.get(&format!("{path}?{query}")).await.expect(200);
        let parts = [&report["rows"], &report["groups"]];
        let parts = parts.into_iter().flat_map(|part| part.as_array().unwrap());
        for part in parts.chain([&report["total"]]) {
            for unknown in ["started", "offered", "abandoned", "success_rate"] {
                assert_eq!(part[unknown], Value::Null, "{unknown} with {query}: {part}");
            }
        }
        assert_eq!(report["total"][figure], count, "{query}");
        // A refusal names no method.
        assert_eq!(
            report["total"]["failed"].is_null(),
            query.starts_with("method"),
            "{query}"
        );
    }
    let csv = send(
        rig.acme
            .request(Method::GET, &format!("{path}?method=otp"))
            .header("accept", "text/csv"),
    )
    .await;
    let line = csv
        .text
        .lines()
        .find(|line| line.contains(",9,"))
        .unwrap_or_default();
    assert!(
        line.starts_with("2026-01-05T08:00:00Z,\"\",,,9,,,"),
        "{}",
        csv.text
    );
}

#[tokio::test]
async fn a_time_that_is_not_whole_slices_is_brought_to_them_and_told() {
    let rig = Rig::start().await;
    some_traffic(&rig).await;
    let path = format!("/v1/tenants/{}/metrics/step-up", rig.tenant);
    // Everything but the open journey happened within a minute after 08:00.
    for (query, from, to) in [
        (
            "from=2026-01-05T08:00:25Z&to=2026-01-05T08:00:26Z&step=minute",
            "2026-01-05T08:00:00Z",
            "2026-01-05T08:01:00Z",
        ),
        (
            "from=2026-01-05T08:30:00Z&to=2026-01-05T08:31:00Z",
            "2026-01-05T08:00:00Z",
            "2026-01-05T09:00:00Z",
        ),
        (
            "from=2026-01-05T09:00:00%2B01:00&to=2026-01-05T09:59:59%2B01:00",
            "2026-01-05T08:00:00Z",
            "2026-01-05T09:00:00Z",
        ),
    ] {
        let report = rig.acme.get(&format!("{path}?{query}")).await.expect(200);
        assert_eq!(
            (&report["from"], &report["to"]),
            (&json!(from), &json!(to)),
            "{query}"
        );
        assert_eq!(report["total"]["started"], 20, "{query}");
        assert_eq!(report["rows"][0]["slice"], from, "{query}");
    }
    let within_a_day = "step=day&from=2026-01-05T12:00:00Z&to=2026-01-05T13:00:00Z";
    for (zone, from, to) in [
        ("UTC", "2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z"),
        ("Europe/Berlin", "2026-01-04T23:00:00Z", "2026-01-05T23:00:00Z"),
    ] {
        let report = rig
            .acme
            .get(&format!("{path}?{within_a_day}&time_zone={zone}"))
            .await
            .expect(200);
        assert_eq!(
            (&report["from"], &report["to"]),
            (&json!(from), &json!(to)),
            "{zone}"
        );
        assert_eq!(report["total"]["started"], 21, "{zone}");
    }
    // What is not said is a day in hours and a month in days, the slice of this moment with it.
    rig.app.clock.advance(TimeDelta::minutes(20));
    for (query, from, to) in [
        ("", "2026-01-04T10:00:00Z", "2026-01-05T11:00:00Z"),
        ("step=minute", "2026-01-04T10:20:00Z", "2026-01-05T10:20:00Z"),
        ("step=day", "2025-12-06T00:00:00Z", "2026-01-06T00:00:00Z"),
    ] {
        let report = rig.acme.get(&format!("{path}?{query}")).await.expect(200);
        assert_eq!(
            (&report["from"], &report["to"]),
            (&json!(from), &json!(to)),
            "{query}"
        );
        assert_eq!(report["total"]["started"], 21, "{query}");
    }
    let asked = format!("{path}?{within_a_day}&time_zone=Europe/Berlin");
    let csv = send(rig.acme.request(Method::GET, &asked).header("accept", "text/csv")).await;
    assert_eq!(
        csv.header("content-disposition"),
        "attachment; filename=\"step-up_20260104T2300Z_20260105T2300Z.csv\""
    );
    assert!(
        csv.text.contains("\r\n2026-01-04T23:00:00Z,\"\",21,20,12,8,"),
        "{}",
        csv.text
    );
}

#[tokio::test]
async fn a_report_is_had_as_csv() {
    let rig = Rig::start().await;
    some_traffic(&rig).await;
    let path = format!("/v1/tenants/{}/metrics/step-up?step=day", rig.tenant);
    let answer = send(rig.acme.request(Method::GET, &path).header("accept", "text/csv")).await;
    assert_eq!(answer.status.as_u16(), 200);
    assert!(answer.header("content-type").starts_with("text/csv"));
    let lines: Vec<_> = answer.text.lines().collect();
    assert_eq!(lines.len(), 2, "{}", answer.text);
    assert!(
        lines[1].starts_with("2026-01-05T00:00:00Z,\"\",21,20,12,8,"),
        "{}",
        lines[1]
    );
}

#[tokio::test]
async fn partners_see_their_own_and_operators_all() {
    let rig = Rig::start().await;
    some_traffic(&rig).await;
    let path = format!("/v1/tenants/{}/metrics/step-up", rig.tenant);
    let other = rig.app.partner("other").await;
    other.get(&path).await.problem(404, "not_found");
    let all = other.get("/v1/metrics/step-up").await.expect(200);
    assert_eq!(all["total"]["started"], 0);
    assert_eq!(other.get("/v1/events").await.expect(200)["items"], json!([]));
    other
        .get(&format!("/v1/events?tenant_id={}", rig.tenant))
        .await
        .problem(404, "not_found");
    let hash = "00112233445566778899aabbccddeeff";
    let by_user = other
        .get(&format!("/v1/events?user_hash={hash}"))
        .await
        .expect(200);
    assert_eq!(by_user["items"], json!([]));
    for caller in [rig.app.operator(), &rig.app.auditor().await] {
        assert_eq!(
            caller.get("/v1/metrics/step-up").await.expect(200)["total"]["started"],
            21
        );
        assert_eq!(caller.get(&path).await.expect(200)["total"]["started"], 21);
    }
}

#[tokio::test]
async fn a_journey_is_a_timeline() {
    let rig = Rig::start().await;
    some_traffic(&rig).await;
    let failed = rig.acme.get("/v1/events?type=failed&limit=1").await.expect(200);
    assert!(failed["next_cursor"].is_string());
    let journey = text(&failed["items"][0]["journey_id"]);
    let timeline = rig
        .acme
        .get(&format!("/v1/events?journey_id={journey}"))
        .await
        .expect(200);
    let types: Vec<_> = timeline["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| text(&event["type"]))
        .collect();
    assert_eq!(types[0], "failed", "newest first");
    assert_eq!(types.len(), 3, "{types:?}");
    assert_eq!(timeline["items"][0]["hops_ms"], json!({"settings": 3}));

    // *create* prints the first two in one call: whatever their ids, the beginning comes first.
    let at = rig.now();
    let journeys: Vec<_> = (0..12).map(|_| rig.journey(at)).collect();
    let events: Vec<_> = journeys
        .iter()
        .flat_map(|journey| {
            [("offered", Some(1)), ("started", None)].map(|(kind, round)| rig.event(kind, journey, round, at))
        })
        .collect();
    rig.send([rig.body(&events)]).await;
    rig.ingest().await;
    for journey in &journeys {
        let path = format!("/v1/events?journey_id={journey}");
        let found = rig.acme.get(&path).await.expect(200);
        let types: Vec<_> = (0..2).map(|place| text(&found["items"][place]["type"])).collect();
        assert_eq!(types, ["offered", "started"], "newest first");
    }

    // Pages are complete and do not overlap.
    let (mut seen, mut cursor) = (std::collections::BTreeSet::new(), String::new());
    loop {
        let page = rig
            .acme
            .get(&format!("/v1/events?limit=7{cursor}"))
            .await
            .expect(200);
        for event in page["items"].as_array().unwrap() {
            assert!(seen.insert(text(&event["event_id"])), "twice: {event}");
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(
        i64::try_from(seen.len()).unwrap(),
        rig.sum("SELECT count(*) FROM step_up_events").await
    );
}

#[tokio::test]
async fn what_cannot_be_reported_says_why() {
    let rig = Rig::start().await;
    let path = format!("/v1/tenants/{}/metrics/step-up", rig.tenant);
    let bad = |query: &str| format!("{path}?{query}");
    for (query, pointer, code) in [
        ("step=week", "query:step", "invalid"),
        ("group_by=colour", "query:group_by", "invalid"),
        ("time_zone=Atlantis", "query:time_zone", "invalid"),
        ("from=yesterday", "query:from", "invalid"),
        ("method=", "query:method", "invalid"),
        ("limit=3", "query:limit", "unknown_parameter"),
    ] {
        rig.acme
            .get(&bad(query))
            .await
            .problem(400, "invalid_query")
            .names(pointer, code);
    }
    let now = rig.now().to_rfc3339_opts(SecondsFormat::Secs, true);
    for (query, pointer, code) in [
        (format!("from={now}&to={now}"), "query:to", "out_of_range"),
        (
            "from=2020-01-01T00:00:00Z".to_owned(),
            "query:step",
            "too_many_slices",
        ),
        (
            "step=day&time_zone=Asia/Kolkata".to_owned(),
            "query:time_zone",
            "not_whole_hours",
        ),
    ] {
        rig.acme
            .get(&bad(&query))
            .await
            .problem(422, "validation_failed")
            .names(pointer, code);
    }
}
