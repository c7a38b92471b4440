//! What is counted, where it is noted.

use super::{scrape, sum};
use crate::{
    events::rig::Rig,
    installation::{self, process::free_port},
    support::{REGION, TestApp},
};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use chrono::TimeDelta;
use serde_json::json;
use std::net::TcpListener;
use stepgate::{
    aws::Aws,
    domain::{actor::OperatorScope, cell::Cell},
    observability::metrics::{families::Value, metrics},
    storage::backlog,
    worker::jobs::{measure_backlog, seal_audit_log},
};
use url::Url;

const REQUESTS: &str = "stepgate_http_request_duration_seconds_count";

#[test]
fn requests_are_counted_by_operation_where_only_prometheus_looks() {
    installation::run(|installation| async move {
        let port = free_port();
        let (api, url) = crate::running::start_api(
            installation,
            None,
            "counted",
            &[("STEPGATE_METRICS_LISTEN", &format!("127.0.0.1:{port}"))],
        )
        .await;
        let address = Url::parse(&format!("http://127.0.0.1:{port}")).expect("a URL");
        let tenant = &installation.tenant().await.id;
        let partner = installation.partner_at(&url);
        for _ in 0..3 {
            partner
                .get(&format!("/v1/tenants/{tenant}"))
                .await
                .expect("a tenant");
        }
        let http = attacks::http::client().expect("a client");
        let ask = async |method: &str, path: &str| {
            let method: reqwest::Method = method.parse().expect("a method");
            let sent = http.request(method, url.join(path).expect("a URL")).send().await;
            sent.expect("an answer").status().as_u16()
        };
        assert_eq!(ask("GET", &format!("/v1/tenants/{tenant}")).await, 401);
        assert_eq!(ask("GET", "/v1/no-such-path/hunter2").await, 401);
        assert_eq!(ask("HUNTER2", "/healthz").await, 405);
        // The API's own address tells nothing.
        assert_eq!(ask("GET", "/metrics").await, 404);

        let text = scrape(&address).await;
        let count = |labels: &[(&str, &str)]| sum(&text, REQUESTS, labels);
        let operation = ("operation", "getTenant");
        assert!(
            (count(&[operation, ("method", "GET"), ("status", "2xx")]) - 3.0).abs() < 0.1,
            "{text}"
        );
        assert!(
            (count(&[operation, ("status", "4xx")]) - 1.0).abs() < 0.1,
            "{text}"
        );
        assert!(
            (count(&[("operation", "none"), ("method", "GET"), ("status", "4xx")]) - 2.0).abs() < 0.1,
            "{text}"
        );
        assert!(
            (count(&[("method", "other"), ("status", "4xx")]) - 1.0).abs() < 0.1,
            "{text}"
        );
        assert!(
            (sum(&text, "stepgate_unknown_callers_total", &[]) - 2.0).abs() < 0.1,
            "{text}"
        );
        assert!(
            sum(&text, "stepgate_http_requests_in_flight", &[]).abs() < 0.1,
            "{text}"
        );
        assert!((sum(&text, "stepgate_build_info", &[("command", "serve")]) - 1.0).abs() < 0.1);
        for needle in ["hunter2", "HUNTER2", tenant.as_str(), "sgk_"] {
            assert!(!text.contains(needle), "{needle} is in: {text}");
        }
        // And the address of the metrics serves nothing else.
        for path in ["/v1/tenants", "/healthz", "/readyz", "/openapi.json", "/"] {
            assert_eq!(crate::running::status(&address, path).await, 404, "{path}");
        }
        crate::running::stop(api).await;
    });
}

/// A number as a word: types of events have no digits.
fn letters(number: u8) -> String {
    [number / 10, number % 10]
        .map(|digit| char::from(b'a' + digit))
        .iter()
        .collect()
}

#[tokio::test]
async fn a_flood_of_foreign_words_makes_no_new_series() {
    let rig = Rig::start().await;
    let at = rig.now() - TimeDelta::minutes(1);
    let cell: Value = rig.cell.id.to_string().into();
    let mut events = Vec::new();
    for number in 0..400 {
        let journey = rig.journey(at);
        let mut event = rig.event("succeeded", &journey, Some(1), at + TimeDelta::seconds(3));
        event["method"] = json!(format!("method {number}"));
        event["reason"] = json!(format!("reason_{number}"));
        events.push(event);
    }
    for number in 0..100 {
        let mut event = rig.event("failed", &rig.journey(at), Some(1), at);
        event["type"] = json!(format!("type{}", letters(number)));
        events.push(event);
    }
    rig.send(events.chunks(25).map(|chunk| rig.body(chunk))).await;
    assert_eq!(rig.ingest().await.stored, 500);

    let text = metrics().render().unwrap();
    let of_cell = |line: &&str| line.contains(&*cell);
    let lines: Vec<&str> = text.lines().filter(of_cell).collect();
    let series = |name: &str| lines.iter().filter(|line| line.starts_with(name)).count();
    // What is known, what is not, and the journeys that ended.
    assert_eq!(series("stepgate_step_ups_total{"), 3, "{lines:#?}");
    assert_eq!(series("stepgate_step_up_refusals_total{"), 1, "{lines:#?}");
    let step_ups = &metrics().step_ups;
    assert_eq!(
        step_ups.get([cell.clone(), "succeeded".into(), "other".into()]),
        400
    );
    assert_eq!(step_ups.get([cell.clone(), "other".into(), "none".into()]), 100);
    assert_eq!(metrics().events.get([cell, "stored".into()]), 500);
    for needle in [rig.tenant.as_str(), "method 7", "reason_7", "typeah"] {
        assert!(!text.contains(needle), "{needle} is a label");
    }
}

#[tokio::test]
async fn repeated_and_bad_events_are_told_apart_from_new_ones_and_only_listed_tenants_are_named() {
    let rig = Rig::start().await;
    let at = rig.now() - TimeDelta::minutes(1);
    let event = |kind| rig.event(kind, &rig.journey(at), Some(1), at + TimeDelta::seconds(4));
    let events = [event("succeeded"), event("succeeded"), event("offered")];
    let body = rig.body(&events);
    rig.send([body.clone(), body, "not JSON".to_owned()]).await;
    rig.ingest().await;
    let cell: Value = rig.cell.id.to_string().into();
    let events = |result: &'static str| metrics().events.get([cell.clone(), result.into()]);
    assert_eq!(
        (events("stored"), events("repeated"), events("put_aside")),
        (3, 3, 1)
    );
    let aside = [cell.clone(), "unreadable_message".into()];
    assert_eq!(metrics().events_put_aside.get(aside), 1);
    let text = metrics().render().unwrap();
    let of_cell = |name: &str| sum(&text, name, &[("cell", &cell)]);
    assert!((of_cell("stepgate_step_up_completion_seconds_count") - 2.0).abs() < 0.1);
    assert!((of_cell("stepgate_step_up_completion_seconds_sum") - 8.0).abs() < 0.1);
    // The queue was found empty at last.
    assert!(of_cell("stepgate_event_lag_seconds").abs() < 0.1);
    assert!(
        !text.contains(&rig.tenant),
        "a tenant that is not listed is named"
    );
}

#[tokio::test]
async fn what_waits_is_seen_with_its_age_and_what_is_taken_up_is_not() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    acme.tenant("one").await;
    acme.tenant("two").await;
    app.clock.advance(TimeDelta::seconds(90));
    let scope = OperatorScope::worker();
    let now = || stepgate::clock::Clock::now(&*app.clock);
    let read = async || {
        let mut tx = app.context.db.begin(&scope).await.unwrap();
        let tenants = backlog::tenants(&mut tx, &scope).await.unwrap();
        (backlog::read(&mut tx, &scope, now()).await.unwrap(), tenants)
    };
    let (backlog, tenants) = read().await;
    assert_eq!(backlog.work.count, 2);
    assert_eq!(now() - backlog.work.since.unwrap(), TimeDelta::seconds(90));
    assert_eq!((backlog.pending_operations, backlog.running_operations), (2, 0));
    assert!(backlog.unsealed.count > 2 && backlog.unsealed.since.is_some());
    assert_eq!(backlog.deliveries.count, 0);
    assert_eq!(tenants.len(), 1);
    assert_eq!(
        (tenants[0].condition.as_str(), tenants[0].count),
        ("in_progress", 2)
    );

    // Claimed by a worker: nobody waits for it. Sealed: nothing is left to seal.
    sqlx::query("UPDATE tenants SET lease_owner = 'w', lease_expires_at = $1 WHERE name = 'one'")
        .bind(now() + TimeDelta::seconds(60))
        .execute(&app.owner)
        .await
        .unwrap();
    sqlx::query("UPDATE tenants SET failed_passes = 1, next_attempt_at = $1 WHERE name = 'two'")
        .bind(now() + TimeDelta::seconds(60))
        .execute(&app.owner)
        .await
        .unwrap();
    seal_audit_log::seal_all(&app.context).await.unwrap();
    let (backlog, tenants) = read().await;
    assert_eq!((backlog.work.count, backlog.work.since), (0, None));
    assert_eq!((backlog.unsealed.count, backlog.unsealed.since), (0, None));
    let conditions: Vec<_> = tenants.iter().map(|tenants| tenants.condition.as_str()).collect();
    assert!(
        conditions.contains(&"failing") && conditions.contains(&"in_progress"),
        "{conditions:?}"
    );
}

#[tokio::test]
async fn queues_and_budgets_are_told_by_cell_and_a_cell_that_cannot_be_asked_hides_no_other() {
    let rig = Rig::start().await;
    let other = rig.app.add_cell("us-east-1").await;
    sqlx::query("UPDATE cells SET event_queue_url = replace($1, 'events', 'nowhere') WHERE id = $2")
        .bind(&rig.queue_url)
        .bind(other.id.to_string())
        .execute(&rig.app.owner)
        .await
        .unwrap();
    let dead = format!("{}-dead", rig.queue_url);
    for body in ["one", "two"] {
        let sent = rig.sqs.send_message().queue_url(&dead).message_body(body);
        sent.send().await.unwrap();
    }
    rig.send(["waits".to_owned()]).await;
    sqlx::query(
        "INSERT INTO aws_call_budgets (scope, operation, limit_per_s, rate_per_s, tokens, refilled_at)
         SELECT account_id || '/' || region, 'lambda:GetFunction', 100, CASE WHEN id = $1 THEN 100 ELSE 25 END, 0, now() FROM cells",
    )
    .bind(rig.cell.id.to_string())
    .execute(&rig.app.owner)
    .await
    .unwrap();
    measure_backlog::measure_queues(&rig.app.context).await.unwrap();
    let text = metrics().render().unwrap();
    let of = |name: &str, cell: &Cell, more: &[(&str, &str)]| {
        let id = cell.id.to_string();
        sum(&text, name, &[&[("cell", &*id)], more].concat())
    };
    assert!(
        (of("stepgate_event_queue_messages", &rig.cell, &[]) - 1.0).abs() < 0.1,
        "{text}"
    );
    assert!(
        (of("stepgate_dead_event_queue_messages", &rig.cell, &[]) - 2.0).abs() < 0.1,
        "{text}"
    );
    let unknown = format!("_messages{{cell=\"{}\"}}", other.id);
    assert!(!text.contains(&unknown), "what is not known is told: {text}");
    let bucket = [("bucket", "lambda:GetFunction")];
    assert!(
        (of("stepgate_aws_budget_ratio", &rig.cell, &bucket) - 1.0).abs() < 0.01,
        "{text}"
    );
    assert!(
        (of("stepgate_aws_budget_ratio", &other, &bucket) - 0.25).abs() < 0.01,
        "{text}"
    );
}

#[tokio::test]
async fn aws_calls_are_counted_by_what_became_of_them() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let before = metrics()
        .aws_attempts
        .get(["STS".into(), "GetCallerIdentity".into()]);
    let server = HttpServer::new(|| App::new().default_service(web::to(answer)))
        .workers(1)
        .disable_signals()
        .bind("127.0.0.1:0")
        .unwrap();
    let address = server.addrs()[0];
    tokio::spawn(server.run());
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let calls = ["throttled", "refused", "failed", "not_sent"].map(|result| async move {
        let address = if result == "not_sent" { closed } else { address };
        let credentials = aws_credential_types::Credentials::new("a", "b", None, None, "test");
        let loader = aws_config::defaults(aws_config::BehaviorVersion::latest())
            .endpoint_url(format!("http://{address}/{result}"))
            .region(aws_config::Region::new(REGION))
            .credentials_provider(credentials);
        Aws::from_loader(loader)
            .await
            .sts(REGION)
            .account_id()
            .await
            .unwrap_err();
    });
    futures_util::future::join_all(calls).await;

    let text = metrics().render().unwrap();
    for result in ["throttled", "refused", "failed", "not_sent"] {
        let labels = [
            ("aws_service", "STS"),
            ("operation", "GetCallerIdentity"),
            ("result", result),
        ];
        let count = sum(&text, "stepgate_aws_call_duration_seconds_count", &labels);
        assert!((count - 1.0).abs() < 0.1, "{result}: {count}");
    }
    // Three of the four were tried four times; what is refused is not tried again.
    let attempts = metrics()
        .aws_attempts
        .get(["STS".into(), "GetCallerIdentity".into()]);
    assert!(attempts >= before + 13, "{before} and then {attempts}");
    assert!(!text.contains("hunter2"));
}

/// AWS, in the mood that the path names.
async fn answer(request: HttpRequest) -> HttpResponse {
    let error = |code: &str| {
        format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>hunter2</Message></Error></ErrorResponse>"
        )
    };
    let (mut answer, body) = match request.path().trim_matches('/') {
        "throttled" => (HttpResponse::BadRequest(), error("Throttling")),
        "refused" => (HttpResponse::Forbidden(), error("AccessDenied")),
        _ => (HttpResponse::InternalServerError(), error("InternalFailure")),
    };
    answer.content_type("text/xml").body(body)
}
