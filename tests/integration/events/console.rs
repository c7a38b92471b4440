//! The console's figures: the API's figures, and one sign-in as a timeline.

use super::rig::{Rig, text};
use crate::{console::Browser, support::TestApp};
use chrono::{SecondsFormat, TimeDelta};
use serde_json::{Value, json};
use stepgate::usecases::console_sessions;

/// A rig with a browser in which the operator is signed in.
async fn stage() -> (Rig, Browser) {
    let app = TestApp::start_with(|config| config.console.demo_link = true).await;
    app.add_cell("eu-central-1").await;
    let rig = Rig::start_on(app).await;
    let (link, _) = console_sessions::make_link(&rig.app.context).await.unwrap();
    let mut browser = Browser::new(&rig.app);
    let entered = browser.open(&format!("/console/enter/{}", link.reveal())).await;
    entered.expect_redirect("/console");
    (rig, browser)
}

/// Journeys of the last hours: 9 succeed by the first method, 2 by another after a refusal, 3 are refused, 4 abandoned.
async fn traffic(rig: &Rig) -> String {
    let mut events = Vec::new();
    let mut first = None;
    for number in 0..18_i64 {
        let began = rig.now() - TimeDelta::minutes(30 + 40 * number);
        let journey = rig.journey(began);
        events.push(rig.event("started", &journey, None, began));
        events.push(rig.event("offered", &journey, Some(1), began));
        let mut answer = |kind, round, took_s| {
            let mut event = rig.event(kind, &journey, Some(round), began + TimeDelta::seconds(took_s));
            if kind == "failed" {
                event["reason"] = json!(if number % 2 == 0 {
                    "state_mismatch"
                } else {
                    "provider_unavailable"
                });
            } else if round == 2 {
                event["method"] = json!("otp sms");
                event["fallback"] = json!(true);
            }
            events.push(event);
        };
        match number {
            0..=8 => answer("succeeded", 1, 5 + number),
            9..=10 => {
                answer("failed", 1, 10);
                answer("succeeded", 2, 40);
                first = first.or(Some(journey.clone()));
            }
            11..=13 => answer("failed", 1, 10),
            _ => {}
        }
    }
    rig.send([rig.body(&events)]).await;
    assert_eq!(rig.ingest().await.rejected, 0);
    first.unwrap()
}

/// Whether a figure is what the API said. Reading a fraction back from JSON may cost its last digit.
#[track_caller]
fn same(shown: Option<String>, told: &Value, what: &str) {
    let shown = shown.map(|text| text.parse::<f64>().unwrap());
    let close = match (shown, told.as_f64()) {
        (Some(shown), Some(told)) => (shown - told).abs() <= told.abs() * 1e-12,
        (shown, told) => shown == told,
    };
    assert!(close, "{what}: {shown:?}, not {told}");
}

#[tokio::test]
async fn every_key_figure_is_the_apis() {
    let (rig, mut browser) = stage().await;
    traffic(&rig).await;
    let time = |at: chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let now = rig.now();
    for (range, from, step) in [
        ("24h", now - TimeDelta::hours(23), "hour"),
        ("7d", now - TimeDelta::hours(167), "hour"),
        ("30d", "2025-12-07T00:00:00Z".parse().unwrap(), "day"),
    ] {
        let query = format!("from={}&to={}&step={step}", time(from), time(now));
        let path = format!("/v1/tenants/{}/metrics/step-up?{query}", rig.tenant);
        let report = rig.acme.get(&path).await.expect(200);
        let total = &report["total"];
        assert_eq!(
            (&total["started"], &total["succeeded"]),
            (&json!(18), &json!(11)),
            "{range}"
        );
        let figures = [
            ("started", "started"),
            ("succeeded", "succeeded"),
            ("success-rate", "success_rate"),
            ("abandoned", "abandoned"),
            ("refused-tokens", "refused_tokens"),
            ("p50", "time_to_complete_p50_ms"),
            ("p95", "time_to_complete_p95_ms"),
        ];
        let more = [
            ("offered", "offered"),
            ("failed", "failed"),
            ("skipped", "skipped"),
            ("exempted", "exempted"),
            ("p99", "time_to_complete_p99_ms"),
            ("fallback-rate", "fallback_rate"),
            ("cold-starts", "cold_starts"),
        ];
        let tenant = browser
            .open(&format!("/console/tenants/{}?range={range}", rig.tenant))
            .await;
        for (figure, field) in figures.iter().chain(&more) {
            same(
                tenant.figure(figure),
                &total[field],
                &format!("{range}: {figure}"),
            );
        }
        let overview = browser.open(&format!("/console?range={range}")).await;
        for (figure, field) in figures {
            same(
                overview.figure(figure),
                &total[field],
                &format!("{range}: {figure}"),
            );
        }
        for method in report["methods"].as_array().unwrap() {
            let row = format!("data-method={}", method["method"]);
            assert!(tenant.text.contains(&row), "{row}");
        }
        let by_reason = rig.acme.get(&format!("{path}&group_by=reason")).await.expect(200);
        for group in by_reason["groups"].as_array().unwrap() {
            if group["failed"] != 0 {
                let row = format!("data-reason={}", group["group"]);
                let (_, rest) = tenant.text.split_once(&row).unwrap_or_else(|| panic!("{row}"));
                let row = rest.split("</tr>").next().unwrap();
                assert!(
                    row.contains(&format!("<data value=\"{}\">", group["failed"])),
                    "{row}"
                );
            }
        }
    }
    let by_tenant = rig
        .app
        .operator()
        .get("/v1/metrics/step-up?group_by=tenant")
        .await
        .expect(200);
    assert_eq!(by_tenant["groups"][0]["group"], json!(rig.tenant));
    let overview = browser.open("/console").await;
    let ranked = overview
        .text
        .matches(&format!("data-tenant=\"{}\"", rig.tenant))
        .count();
    assert_eq!(ranked, 1, "among the busiest");
    assert!(
        !overview.text.contains("data-provider"),
        "of eleven successes nothing is said"
    );
    // The queue was read until it was empty.
    assert_eq!(overview.figure("event-lag").as_deref(), Some("0"));
    // Of what is counted by condition, one tenant waits for its worker.
    assert_eq!(overview.figure("tenants-changing").as_deref(), Some("1"));
    assert_eq!(overview.figure("tenants-ready").as_deref(), Some("0"));
}

#[tokio::test]
async fn providers_are_ranked_once_each_and_with_enough_successes_only() {
    let (rig, mut browser) = stage().await;
    // Two tenants of one provider with a dozen successes each, and one of another with a single slow one.
    let mut tenants = vec![rig.tenant.clone()];
    for name in ["branch", "slow"] {
        tenants.push(text(&rig.acme.tenant(name).await["id"]));
    }
    for (tenant, provider) in tenants.iter().zip(["a.example", "a.example", "b.example"]) {
        sqlx::query("UPDATE tenants SET blockid_tenant_dns = $2 WHERE id = $1")
            .bind(tenant)
            .bind(provider)
            .execute(&rig.app.owner)
            .await
            .unwrap();
    }
    let mut bodies = Vec::new();
    for (tenant, successes, took_s) in [(&tenants[0], 12, 5), (&tenants[1], 12, 5), (&tenants[2], 1, 300)] {
        let mut events = Vec::new();
        for number in 0..successes {
            let began = rig.now() - TimeDelta::minutes(30 + number);
            let journey = rig.journey(began);
            for (kind, round, at) in [
                ("started", None, began),
                ("succeeded", Some(1), began + TimeDelta::seconds(took_s)),
            ] {
                let mut event = rig.event(kind, &journey, round, at);
                event["tenant_id"] = json!(tenant);
                events.push(event);
            }
        }
        bodies.push(json!({"stepgate_batch": 1, "tenant_id": tenant, "events": events}).to_string());
    }
    rig.send(bodies).await;
    assert_eq!(rig.ingest().await.rejected, 0);
    let overview = browser.open("/console").await;
    let rows: Vec<&str> = overview.text.split("<tr data-provider=").skip(1).collect();
    assert_eq!(rows.len(), 1, "{rows:?}");
    let row = rows[0].split("</tr>").next().unwrap();
    assert!(row.starts_with("\"a.example\""), "{row}");
    assert!(
        row.contains("<data value=\"24\">"),
        "both tenants' together: {row}"
    );
}

#[tokio::test]
async fn groups_are_told_whole_and_percentiles_are_not_those_of_slices() {
    let (rig, _) = stage().await;
    traffic(&rig).await;
    let path = format!("/v1/tenants/{}/metrics/step-up", rig.tenant);
    let whole = rig.acme.get(&path).await.expect(200);
    assert_eq!(whole["groups"], json!([]));
    let split = rig.acme.get(&format!("{path}?group_by=app")).await.expect(200);
    let [group] = split["groups"].as_array().unwrap().as_slice() else {
        panic!("{split}");
    };
    assert_eq!(group["group"], json!(rig.app_id));
    for (field, value) in whole["total"].as_object().unwrap() {
        assert_eq!(&group[field], value, "{field}");
    }
    assert!(split["rows"].as_array().unwrap().len() > 5);
}

#[tokio::test]
async fn a_journey_is_a_timeline_and_a_foreign_one_is_not_there() {
    let (rig, mut browser) = stage().await;
    let journey = traffic(&rig).await;
    let page = format!("/console/tenants/{}/journeys/{journey}", rig.tenant);
    let shown = browser.open(&page).await.expect(200);
    let places: Vec<_> = ["started", "offered", "failed", "succeeded"]
        .iter()
        .map(|kind| {
            shown
                .find(&format!("data-type=\"{kind}\""))
                .unwrap_or_else(|| panic!("{kind} in {shown}"))
        })
        .collect();
    assert!(places.is_sorted(), "oldest first: {places:?}");
    assert!(
        shown.contains("The provider could not be reached"),
        "reasons are explained: {shown}"
    );
    assert!(
        shown.contains("otp sms") && shown.contains("not the policy's first"),
        "{shown}"
    );
    // Under another tenant it is not there, nor is one that never was.
    let other = text(&rig.acme.tenant("other customers").await["id"]);
    browser
        .open(&format!("/console/tenants/{other}/journeys/{journey}"))
        .await
        .expect(404);
    let gone = browser
        .open(&format!(
            "/console/tenants/{}/journeys/jrn_{}",
            rig.tenant,
            "0".repeat(26)
        ))
        .await
        .expect(404);
    assert!(gone.contains("Events are kept for 30 days"), "{gone}");
    // What a provider says is text: acr and reason come from outside.
    let evil = "<script>alert(1)</script>";
    let mut event = rig.event("failed", &journey, Some(3), rig.now() - TimeDelta::seconds(1));
    event["reason"] = json!(evil);
    event["acr"] = json!(evil);
    event["amr"] = json!([evil]);
    event["hops_ms"] = json!({evil: 3});
    rig.send([rig.body(&[event])]).await;
    assert_eq!(rig.ingest().await.stored, 1);
    for page in [page, format!("/console/tenants/{}", rig.tenant)] {
        let shown = browser.open(&page).await.expect(200);
        assert!(
            shown.contains("&lt;script&gt;alert(1)") && !shown.contains(evil),
            "{page}: {shown}"
        );
    }
}

#[tokio::test]
async fn empty_pages_say_what_to_do() {
    let app = TestApp::start_with(|config| config.console.demo_link = true).await;
    let (link, _) = console_sessions::make_link(&app.context).await.unwrap();
    let mut browser = Browser::new(&app);
    browser
        .open(&format!("/console/enter/{}", link.reveal()))
        .await
        .expect_redirect("/console");
    for (page, says) in [
        ("/console", "There are no tenants yet"),
        ("/console/tenants", "POST /v1/tenants"),
        (
            "/console/operations",
            "Every accepted change of a tenant opens one",
        ),
        ("/console/cells", "stepgate cell apply"),
        ("/console", "No alarm is raised"),
        ("/console", "Of no tenant AWS has anything other than wanted"),
        ("/console", "There is no cell, so no tenant can be made"),
        ("/console/rollouts", "There was no rollout yet"),
        ("/console/tenants?condition=Drifted", "There is no such tenant"),
        ("/console/audit?actor=nobody", "There are no such entries"),
        ("/console/nothing", "begin at the overview"),
    ] {
        let page = browser.open(page).await;
        assert!(page.text.contains(says), "{says}: {}", page.text);
    }
}
