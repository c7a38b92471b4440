//! The audit log: who sees what, exports, refused attempts. Its order and seals are in [`super::audit_seals`].

use crate::support::{Caller, TestApp, client::send, env::required};
use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgConnection;
use std::io::Write as _;
use stepgate::{usecases::denials, worker::jobs::seal_audit_log};

pub(super) async fn items(caller: &Caller, query: &str) -> Vec<Value> {
    let page = caller.get(&format!("/v1/audit{query}")).await.expect(200);
    page["items"].as_array().unwrap().clone()
}

pub(super) fn actions(items: &[Value]) -> Vec<&str> {
    items
        .iter()
        .map(|item| item["action"].as_str().unwrap())
        .collect()
}

pub(super) async fn verify(caller: &Caller, heads: Value) -> Value {
    caller
        .post("/v1/audit:verify", json!({ "heads": heads }))
        .await
        .expect(200)
}

/// Adds an entry to a partner's chain.
pub(super) async fn enter(db: &mut PgConnection, partner_id: &str, id: &str) {
    sqlx::query(
        "INSERT INTO audit_log (id, partner_id, resource_id, action, actor, reason, at)
         VALUES ($1, $2, 'x', 'tenant_updated', 'worker', '', '2026-01-05T10:00:00Z')",
    )
    .bind(format!("aud_01jd7v0p3h8s5k2m4n6q9r1{id}"))
    .bind(partner_id)
    .execute(db)
    .await
    .unwrap();
}

#[tokio::test]
async fn an_entry_tells_who_did_what_when_and_in_which_request() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let tenant = acme.tenant("customers").await;
    let path = format!("/v1/tenants/{}", tenant["id"].as_str().unwrap());
    let change = acme
        .request(Method::PATCH, &path)
        .header("x-request-id", "trace-7")
        .header("if-match", "\"1\"")
        .json(&json!({"pool": {"self_sign_up": true}}));
    send(change).await.expect(202);
    let entry = items(&acme, "?limit=1").await.remove(0);
    assert_eq!(entry["action"], "tenant_updated");
    assert_eq!(
        (&entry["outcome"], &entry["actor_role"]),
        (&json!("done"), &json!("partner_admin"))
    );
    assert_eq!(
        (&entry["request_id"], &entry["at"]),
        (&json!("trace-7"), &json!("2026-01-05T10:00:00Z"))
    );
    assert_eq!(
        (&entry["tenant_id"], &entry["partner_id"]),
        (&tenant["id"], &json!(acme.id))
    );
    assert!(entry["actor"].as_str().unwrap().starts_with("key_"));
    assert_eq!(
        entry["detail"]["changes"],
        json!({"/pool/self_sign_up": {"from": false, "to": true}})
    );
    assert_eq!(entry["seal"], Value::Null, "nobody sealed it yet");
    let everything = serde_json::to_string(&items(&acme, "").await).unwrap();
    assert!(!everything.contains(crate::support::examples::CLIENT_SECRET));
}

#[tokio::test]
async fn partners_see_their_own_chain_and_auditors_every_one() {
    let app = TestApp::start().await;
    let (acme, other) = (app.partner("acme").await, app.partner("other").await);
    acme.tenant("customers").await;
    other.tenant("customers").await;
    let own = items(&acme, "").await;
    assert_eq!(
        actions(&own),
        ["tenant_created", "key_created", "partner_created"],
        "newest first"
    );
    assert!(own.iter().all(|item| item["partner_id"] == json!(acme.id)));
    let all = items(&app.auditor().await, "").await;
    assert_eq!(
        all.len(),
        8,
        "two partners, the operator's and the auditor's key: {all:?}"
    );
    assert_eq!(all[7]["actor"], "command_line");
    assert_eq!(all[7]["partner_id"], Value::Null);
    let foreign = format!("?partner_id={}", other.id);
    assert!(items(&acme, &foreign).await.is_empty());
    assert_eq!(items(app.operator(), &foreign).await.len(), 3);
}

#[tokio::test]
async fn the_log_is_narrowed_and_paged() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let first = acme.tenant("first").await;
    app.clock.advance(TimeDelta::hours(1));
    acme.tenant("second").await;
    let of_first = format!("?tenant_id={}", first["id"].as_str().unwrap());
    assert_eq!(actions(&items(&acme, &of_first).await), ["tenant_created"]);
    assert_eq!(items(&acme, "?action=tenant_created").await.len(), 2);
    assert_eq!(
        items(&acme, "?action=tenant_created&from=2026-01-05T10:30:00Z")
            .await
            .len(),
        1
    );
    assert_eq!(
        items(&acme, "?action=tenant_created&to=2026-01-05T11:00:00Z")
            .await
            .len(),
        1
    );
    assert_eq!(items(&acme, "?outcome=denied").await.len(), 0);
    let actor = items(&acme, "?action=tenant_created").await[0]["actor"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(items(&acme, &format!("?actor={actor}")).await.len(), 2);

    let mut walked = Vec::new();
    let mut path = "/v1/audit?limit=1".to_owned();
    loop {
        let page = acme.get(&path).await.expect(200);
        walked.extend(page["items"].as_array().unwrap().clone());
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/v1/audit?limit=1&cursor={cursor}");
    }
    assert_eq!(walked, items(&acme, "").await);

    for (query, pointer, code) in [
        ("tenant_id=x", "query:tenant_id", "invalid"),
        ("partner_id=tnt_1", "query:partner_id", "invalid"),
        ("outcome=perhaps", "query:outcome", "invalid"),
        ("from=yesterday", "query:from", "invalid"),
        ("to=2026-13-01T00:00:00Z", "query:to", "invalid"),
        ("action=", "query:action", "invalid"),
        ("actor=%00", "query:actor", "invalid"),
        (
            "from=2026-01-05T10:30:00Z&from=2026-01-05T10:30:00Z",
            "query:from",
            "duplicate",
        ),
        ("colour=red", "query:colour", "unknown_parameter"),
        ("limit=0", "query:limit", "out_of_range"),
        ("cursor=MTo", "query:cursor", "invalid"),
    ] {
        let answer = acme.get(&format!("/v1/audit?{query}")).await;
        answer.problem(400, "invalid_query").names(pointer, code);
    }
    acme.get("/v1/audit:export?limit=5")
        .await
        .problem(400, "invalid_query");
}

#[tokio::test]
async fn refused_attempts_are_written_down_once_and_then_counted() {
    let app = TestApp::start().await;
    let (acme, other) = (app.partner("acme").await, app.partner("other").await);
    let tenant = acme.tenant("customers").await;
    let foreign = format!("/v1/tenants/{}", tenant["id"].as_str().unwrap());
    let rows = async || {
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM audit_log")
            .fetch_one(&app.owner)
            .await
            .unwrap()
    };
    let before = rows().await;
    for _ in 0..25 {
        other.get(&foreign).await.problem(404, "not_found");
        let change = other
            .request(Method::PATCH, &foreign)
            .header("if-match", "\"1\"")
            .json(&json!({"name": "mine"}));
        send(change).await.problem(404, "not_found");
        other
            .post("/v1/partners", json!({"name": "x"}))
            .await
            .problem(403, "forbidden");
    }
    assert_eq!(rows().await, before + 3, "one entry for each operation");
    let denied = items(&other, "?outcome=denied").await;
    assert_eq!(actions(&denied), ["access_denied"; 3]);
    assert_eq!(denied[2]["resource_id"], json!(foreign));
    assert_eq!(
        denied[2]["detail"],
        json!({"operation": "GET /v1/tenants/{tenant_id}", "code": "not_found"})
    );
    assert_eq!(denied[0]["detail"]["code"], "forbidden");
    assert!(
        items(&acme, "?outcome=denied").await.is_empty(),
        "the owner's chain does not tell of strangers"
    );

    assert_eq!(
        denials::close_windows(&app.context).await.unwrap(),
        0,
        "the window is open"
    );
    app.clock.advance(TimeDelta::hours(1));
    assert_eq!(denials::close_windows(&app.context).await.unwrap(), 3);
    let repeated = items(&other, "?action=access_denied_repeatedly").await;
    assert_eq!(repeated.len(), 3);
    assert!(
        repeated
            .iter()
            .all(|entry| entry["detail"]["attempts"] == 24 && entry["actor"] == denied[0]["actor"])
    );
    // Then it begins anew; a single attempt has no second entry.
    other.get(&foreign).await.problem(404, "not_found");
    app.clock.advance(TimeDelta::hours(1));
    assert_eq!(denials::close_windows(&app.context).await.unwrap(), 0);
    assert_eq!(rows().await, before + 7);

    // Operators' attempts belong to the installation, and unknown callers leave nothing.
    app.operator()
        .post("/v1/tenants", json!({}))
        .await
        .problem(403, "forbidden");
    assert_eq!(
        items(app.operator(), "?outcome=denied&limit=1").await[0]["partner_id"],
        Value::Null
    );
    let (before, counted) = (
        rows().await,
        stepgate::observability::metrics::metrics()
            .unknown_callers
            .get([]),
    );
    app.anybody()
        .get("/v1/tenants")
        .await
        .problem(401, "unauthenticated");
    assert_eq!(rows().await, before);
    let now = stepgate::observability::metrics::metrics()
        .unknown_callers
        .get([]);
    assert!(now > counted);
    // What is not a refusal is not one: a path that does not exist, a body that is wrong.
    other.get("/v1/nope").await.problem(404, "route_not_found");
    other
        .post("/v1/tenants", json!({}))
        .await
        .problem(422, "validation_failed");
    assert_eq!(rows().await, before);
}

/// The program that `docs/audit.md` shows, run over an export.
fn run_documented_check(export: &str) -> std::process::Output {
    let page = include_str!("../../../docs/audit.md");
    let program = page
        .split("```python\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    let mut child = std::process::Command::new(required("STEPGATE_TEST_PYTHON"))
        .args(["-c", program])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // A program that found something wrong reads no further.
    drop(child.stdin.take().unwrap().write_all(export.as_bytes()));
    child.wait_with_output().unwrap()
}

#[tokio::test]
async fn an_export_is_everything_and_can_be_checked_without_the_service() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let mut db = app.owner.acquire().await.unwrap();
    // More than one batch, and what JSON writers disagree about.
    for index in 0..520 {
        enter(&mut db, &acme.id, &format!("{index:03}")).await;
    }
    drop(db);
    acme.tenant("Ämter & «Gäste» 🙂 \"x\" \\").await;
    seal_audit_log::seal_all(&app.context).await.unwrap();
    let answer = acme.get("/v1/audit:export").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/x-ndjson");
    let lines: Vec<Value> = answer
        .text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 523);
    assert_eq!(lines[0]["action"], "partner_created", "oldest first");
    assert!(
        lines
            .windows(2)
            .all(|pair| pair[0]["seal"]["sequence"].as_i64() < pair[1]["seal"]["sequence"].as_i64())
    );
    assert!(lines.iter().all(|line| line["partner_id"] == json!(acme.id)));
    let narrowed = acme.get("/v1/audit:export?action=key_created").await.text;
    assert_eq!(narrowed.lines().count(), 1);
    assert_eq!(acme.get("/v1/audit:export?action=nothing").await.text, "");

    let whole = app.operator().get("/v1/audit:export").await.text;
    let checked = run_documented_check(&whole);
    let told = String::from_utf8(checked.stdout).unwrap();
    assert!(
        checked.status.success(),
        "{told}{}",
        String::from_utf8_lossy(&checked.stderr)
    );
    let heads = verify(app.operator(), json!([])).await["heads"].clone();
    for head in heads.as_array().unwrap() {
        assert!(told.contains(head["hash"].as_str().unwrap()), "{told}");
    }
    let forged = whole.replacen("key_created", "key_revoked", 1);
    assert!(
        !run_documented_check(&forged).status.success(),
        "a forged export passes"
    );
}

#[tokio::test]
async fn heads_that_no_chain_can_have_are_refused() {
    let app = TestApp::start().await;
    let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    for (member, value, code) in [
        ("sequence", json!(0), "too_small"),
        ("chain", json!("x".repeat(65)), "too_long"),
        ("hash", json!(hash.to_uppercase()), "invalid"),
        ("hash", json!(&hash[1..]), "invalid"),
    ] {
        let mut head = json!({"chain": "installation", "sequence": 1, "hash": hash});
        head[member] = value;
        app.operator()
            .post("/v1/audit:verify", json!({ "heads": [head] }))
            .await
            .problem(422, "validation_failed")
            .names(&format!("/heads/0/{member}"), code);
    }
}
