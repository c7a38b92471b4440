//! `Idempotency-Key`: one effect and one answer, whatever happens in between.

use crate::support::{Answer, TestApp, client::send, examples};
use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};
use stepgate::worker::jobs::sweep_idempotency_keys;

const KEY: &str = "0f7b1c9e-6f43-4a57-9a0e-5f2f6d2f1b7a";

pub(super) async fn count(app: &TestApp, table: &str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
        .fetch_one(&app.owner)
        .await
        .unwrap()
}

#[tokio::test]
async fn every_post_that_creates_answers_a_repeat_with_the_same() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let tenant_id = acme.tenant("existing").await["id"].as_str().unwrap().to_owned();
    let operator = app.operator();
    for (caller, path, body, table) in [
        (
            operator,
            "/v1/partners".to_owned(),
            json!({"name": "new"}),
            "partners",
        ),
        (
            &acme.admin,
            "/v1/tenants".to_owned(),
            examples::tenant("new"),
            "tenants",
        ),
        (
            &acme.admin,
            format!("/v1/tenants/{tenant_id}/apps"),
            examples::app("new"),
            "apps",
        ),
    ] {
        let first = caller.post_once(&path, KEY, &body).await;
        assert!(first.status.is_success(), "{path}: {}", first.text);
        let rows = count(&app, table).await;
        for quoted in [false, true] {
            let key = if quoted {
                format!("\"{KEY}\"")
            } else {
                KEY.to_owned()
            };
            let again = caller.post_once(&path, &key, &body).await;
            assert_eq!((again.status, &again.text), (first.status, &first.text), "{path}");
            assert_eq!(
                again.headers.get("location"),
                first.headers.get("location"),
                "{path}"
            );
            assert_eq!(again.header("idempotency-replayed"), "true");
        }
        assert!(!first.headers.contains_key("idempotency-replayed"));
        assert_eq!(count(&app, table).await, rows, "{path}");
        let mut other = body.clone();
        other["name"] = json!("another");
        let reused = caller.post_once(&path, KEY, &other).await;
        reused.problem(422, "idempotency_key_reused");
        assert_eq!(count(&app, table).await, rows, "{path}");
    }
    // The same key and body at another operation is another request.
    let elsewhere = operator.post_once("/v1/keys", KEY, &json!({"name": "new"})).await;
    elsewhere.problem(422, "validation_failed");
    let document = app.anybody().get("/openapi.json").await.expect(200);
    for (path, item) in document["paths"].as_object().unwrap() {
        let post = &item["post"];
        let creates = post["operationId"]
            .as_str()
            .is_some_and(|id| id.starts_with("create"));
        let parameters = post["parameters"].as_array().cloned().unwrap_or_default();
        let takes_key = parameters
            .iter()
            .any(|parameter| parameter["name"] == "Idempotency-Key");
        assert!(
            takes_key || !creates,
            "POST {path} creates and takes no Idempotency-Key"
        );
    }
}

#[tokio::test]
async fn the_answer_of_a_repeat_has_no_secret_and_the_database_neither() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let path = format!("/v1/partners/{}/keys", acme.id);
    let body = json!({"name": "portal", "role": "partner_reader"});
    let first = app.operator().post_once(&path, KEY, &body).await.expect(201);
    let secret = first["key"].as_str().unwrap().to_owned();
    assert_eq!(first["code"], Value::Null);
    let again = app.operator().post_once(&path, KEY, &body).await.expect(201);
    assert_eq!(
        (&again["key"], &again["code"]),
        (&Value::Null, &json!("secret_already_shown"))
    );
    assert_eq!((&again["id"], &again["prefix"]), (&first["id"], &first["prefix"]));
    let key = format!("{path}/{}:rotate", first["id"].as_str().unwrap());
    let rotated = app.operator().post_once(&key, KEY, &json!({})).await;
    rotated.problem(422, "idempotency_key_reused");
    let other = "7c1d52f0-4a0f-4b51-a0a3-50f2e8a2d1c9";
    let rotated = app
        .operator()
        .post_once(&key, other, &json!({}))
        .await
        .expect(201);
    let repeated = app
        .operator()
        .post_once(&key, other, &json!({}))
        .await
        .expect(201);
    assert_eq!(repeated["new"]["id"], rotated["new"]["id"]);
    assert_eq!(repeated["new"]["code"], json!("secret_already_shown"));
    acme.post_once("/v1/tenants", KEY, &examples::tenant("customers"))
        .await
        .expect(202);
    let rows: Vec<String> =
        sqlx::query_scalar("SELECT t::text || encode(fingerprint, 'escape') FROM idempotency_keys t")
            .fetch_all(&app.owner)
            .await
            .unwrap();
    assert_eq!(rows.len(), 3);
    for row in rows {
        for hidden in [
            &secret[..],
            rotated["new"]["key"].as_str().unwrap(),
            examples::CLIENT_SECRET,
            KEY,
            other,
        ] {
            assert!(!row.contains(hidden), "{hidden} in {row}");
        }
    }
}

#[tokio::test]
async fn a_key_belongs_to_whoever_sent_it() {
    let app = TestApp::start().await;
    let (acme, other) = (app.partner("acme").await, app.partner("other").await);
    let body = examples::tenant("customers");
    let first = acme.post_once("/v1/tenants", KEY, &body).await.expect(202);
    let foreign = other.post_once("/v1/tenants", KEY, &body).await;
    assert!(!foreign.headers.contains_key("idempotency-replayed"));
    let foreign = foreign.expect(202);
    assert_ne!(foreign["tenant"]["id"], first["tenant"]["id"]);
    assert_eq!(foreign["tenant"]["partner_id"], json!(other.id));
    assert_eq!(acme.post_once("/v1/tenants", KEY, &body).await.expect(202), first);
}

#[tokio::test]
async fn what_was_refused_may_be_corrected_under_the_same_key() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    acme.tenant("taken").await;
    acme.post_once("/v1/tenants", KEY, &examples::tenant("taken"))
        .await
        .problem(409, "name_taken");
    acme.post_once("/v1/tenants", KEY, &examples::tenant(" "))
        .await
        .problem(422, "validation_failed");
    acme.post_once("/v1/tenants", KEY, &examples::tenant("free"))
        .await
        .expect(202);
    assert_eq!(count(&app, "idempotency_keys").await, 1);
}

#[tokio::test]
async fn keys_that_are_no_keys_are_refused() {
    let app = TestApp::start().await;
    for key in [
        "",
        "short",
        "fifteen-letters",
        "with space in between",
        "non-ascii-\u{e9}-0123456789",
        &"x".repeat(256),
    ] {
        let answer = app
            .operator()
            .post_once("/v1/partners", key, &json!({"name": "x"}))
            .await;
        answer
            .problem(400, "invalid_header")
            .names("header:Idempotency-Key", "invalid");
    }
    let twice = app
        .operator()
        .request(Method::POST, "/v1/partners")
        .header("idempotency-key", KEY);
    let twice = twice.header("idempotency-key", KEY).json(&json!({"name": "x"}));
    send(twice).await.problem(400, "invalid_header");
    assert_eq!(count(&app, "partners").await, 0);
}

#[tokio::test]
async fn a_request_under_way_is_not_begun_again_and_a_dead_one_is_taken_over() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let body = examples::tenant("customers");
    acme.post_once("/v1/tenants", KEY, &body).await.expect(202);
    // As if the server had died before the second transaction, whose answer is part of it.
    let statements = "DELETE FROM operation_steps; DELETE FROM operations;
        UPDATE tenants SET state = 'awaiting_secret', credentials_secret_arn = NULL,
               lease_owner = (SELECT encode(id, 'hex') FROM idempotency_keys), lease_expires_at = '2026-01-05T10:01:00Z';
        UPDATE idempotency_keys SET status = NULL, location = NULL, answer = NULL, lease_owner = 'dead'";
    sqlx::raw_sql(statements).execute(&app.owner).await.unwrap();
    let busy = acme.post_once("/v1/tenants", KEY, &body).await;
    let wait: i64 = busy.header("retry-after").parse().unwrap();
    busy.problem(409, "idempotency_in_progress");
    assert!((1..=16).contains(&wait), "{wait}");
    // Without the key it is a stranger, who has to wait for the reservation's own lease.
    acme.post("/v1/tenants", body.clone())
        .await
        .problem(409, "name_taken");
    app.clock.advance(TimeDelta::seconds(wait));
    let done = acme.post_once("/v1/tenants", KEY, &body).await.expect(202);
    assert_eq!(done["tenant"]["state"], json!("active"));
    assert_eq!(
        (count(&app, "tenants").await, count(&app, "operations").await),
        (1, 1)
    );
    assert_eq!(acme.post_once("/v1/tenants", KEY, &body).await.expect(202), done);
}

#[tokio::test]
async fn of_many_repeats_at_once_one_does_the_work() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let body = examples::tenant("customers");
    let repeats = (0..8).map(|_| acme.post_once("/v1/tenants", KEY, &body));
    let answers = futures_util::future::join_all(repeats).await;
    let (done, busy): (Vec<Answer>, Vec<Answer>) =
        answers.into_iter().partition(|answer| answer.status == 202);
    assert!(!done.is_empty());
    assert!(done.iter().all(|answer| answer.text == done[0].text));
    for answer in busy {
        answer.problem(409, "idempotency_in_progress");
    }
    assert_eq!(
        (count(&app, "tenants").await, count(&app, "operations").await),
        (1, 1)
    );
}

#[tokio::test]
async fn answers_are_kept_for_a_day() {
    let app = TestApp::start().await;
    let body = json!({"name": "acme"});
    let first = app
        .operator()
        .post_once("/v1/partners", KEY, &body)
        .await
        .expect(201);
    app.clock.advance(TimeDelta::hours(24) - TimeDelta::seconds(1));
    assert_eq!(sweep_idempotency_keys::sweep(&app.context).await.unwrap(), 0);
    assert_eq!(
        app.operator()
            .post_once("/v1/partners", KEY, &body)
            .await
            .expect(201),
        first
    );
    app.clock.advance(TimeDelta::seconds(2));
    assert_eq!(sweep_idempotency_keys::sweep(&app.context).await.unwrap(), 1);
    app.operator()
        .post_once("/v1/partners", KEY, &body)
        .await
        .problem(409, "name_taken");
}
