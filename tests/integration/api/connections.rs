//! BlockID connections over HTTP: what is refused before anything is sent anywhere, and what is staged.

use crate::support::{Partner, TestApp, examples};
use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};

async fn put(partner: &Partner, path: &str, body: &Value) -> crate::support::Answer {
    partner.change(Method::PUT, path, body.clone()).await
}

async fn tenant(app: &TestApp) -> (Partner, String) {
    let acme = app.partner("acme").await;
    let tenant = acme.tenant("customers").await;
    let path = format!("/v1/tenants/{}/blockid", tenant["id"].as_str().unwrap());
    (acme, path)
}

/// As if the worker had made the pool: from then on there may be users.
async fn with_pool(app: &TestApp) {
    sqlx::raw_sql("UPDATE tenants SET observed = '{\"user_pool_id\": \"eu-central-1_x\"}'")
        .execute(&app.owner)
        .await
        .unwrap();
}

/// Places that lead inside, however they are written (A19). The cell lists 127.0.0.1/32.
const INSIDE: [(&str, &str); 16] = [
    ("10.0.0.1", "ip_literal"),
    ("169.254.169.254", "ip_literal"),
    ("127.0.0.2", "ip_literal"),
    ("[::1]", "ip_literal"),
    ("[fd00:ec2::254]", "ip_literal"),
    ("[::ffff:169.254.169.254]", "ip_literal"),
    ("127.1", "disguised_ip"),
    ("0x7f000001", "disguised_ip"),
    ("2130706433", "disguised_ip"),
    ("user@acme.1kosmos.net", "has_userinfo"),
    ("acme.1kosmos.net@127.0.0.1", "has_userinfo"),
    ("https://acme.1kosmos.net", "has_scheme"),
    ("acme.1kosmos.net/x", "has_path"),
    ("acme.1kosmos.net:0", "bad_port"),
    ("acme.1kosmos.net:80:443", "bad_port"),
    ("acme.1kosmos.net.", "trailing_dot"),
];

#[tokio::test]
async fn places_inside_are_refused_at_every_door() {
    let app = TestApp::start().await;
    let (acme, path) = tenant(&app).await;
    for (tenant_dns, code) in INSIDE {
        let mut body = examples::connection("secret");
        body["tenant_dns"] = json!(tenant_dns);
        let refused = acme.post("/v1/blockid:check", body.clone()).await;
        refused
            .problem(422, "validation_failed")
            .names("/tenant_dns", code);
        let refused = put(&acme, &path, &body).await;
        refused
            .problem(422, "validation_failed")
            .names("/tenant_dns", code);
        let mut new = examples::tenant("other");
        new["blockid"]["tenant_dns"] = json!(tenant_dns);
        let refused = acme.post("/v1/tenants", new).await;
        refused
            .problem(422, "validation_failed")
            .names("/blockid/tenant_dns", code);
    }
}

#[tokio::test]
async fn a_check_tells_every_check_once_and_keeps_the_secret_to_itself() {
    let app = TestApp::start().await;
    let (acme, path) = tenant(&app).await;
    let answer = acme
        .post("/v1/blockid:check", examples::connection("canary-of-the-check"))
        .await;
    assert!(!answer.text.contains("canary"), "{}", answer.text);
    let report = answer.expect(200);
    let names: Vec<_> = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| check["name"].clone())
        .collect();
    assert_eq!(
        json!(names),
        json!([
            "host",
            "tls",
            "discovery",
            "issuer",
            "endpoints",
            "algorithms",
            "keys",
            "pkce",
            "nonce",
            "frame_ancestors",
            "client_secret"
        ])
    );
    assert_eq!(report["checks"][0]["outcome"], "passed", "{report}");
    // Nobody listens there.
    assert_eq!(report["checks"][2]["outcome"], "unknown", "{report}");
    assert_eq!(acme.get(&path).await.expect(200)["check"], Value::Null);

    let stored = acme
        .call(Method::POST, &format!("{path}:check"), None)
        .await
        .expect(200);
    assert_eq!(stored["checks"][10]["outcome"], "skipped", "{stored}");
    assert_eq!(acme.get(&path).await.expect(200)["check"], stored);
    let audited: Vec<String> =
        sqlx::query_scalar("SELECT action FROM audit_log WHERE action LIKE 'connection%'")
            .fetch_all(&app.owner)
            .await
            .unwrap();
    assert_eq!(audited, ["connection_checked"]);
}

#[tokio::test]
async fn a_rotation_is_staged_once_and_nothing_of_the_secret_is_kept() {
    let app = TestApp::start().await;
    let (acme, path) = tenant(&app).await;
    let body = examples::connection("canary-of-the-rotation");
    let answer = put(&acme, &path, &body).await;
    assert!(!answer.text.contains("canary"), "{}", answer.text);
    let accepted = answer.expect(202);
    assert_eq!(accepted["operation"]["kind"], "change_connection");
    let change = &accepted["connection"]["change"];
    assert_eq!(
        (&change["state"], &change["new_secret"]),
        (&json!("staged"), &json!(true))
    );
    assert_eq!(change["operation_id"], accepted["operation"]["id"]);

    // A second change waits for the first.
    put(&acme, &path, &examples::connection("another"))
        .await
        .problem(409, "connection_changing");
    let rows: Vec<String> = sqlx::query_scalar("SELECT to_jsonb(c)::text FROM connection_changes c")
        .fetch_all(&app.owner)
        .await
        .unwrap();
    assert_eq!(rows.len(), 1);
    assert!(!rows[0].contains("canary"), "{rows:?}");
    let (action, detail): (String, Value) =
        sqlx::query_as("SELECT action, detail FROM audit_log WHERE action LIKE 'connection%'")
            .fetch_one(&app.owner)
            .await
            .unwrap();
    assert_eq!(action, "connection_changed");
    assert_eq!(
        (&detail["new_secret"], &detail["voids_links"]),
        (&json!(true), &json!(false))
    );
}

#[tokio::test]
async fn what_a_crash_left_is_taken_over_by_the_repeat() {
    let app = TestApp::start().await;
    let (acme, path) = tenant(&app).await;
    let id = path.split('/').nth(3).unwrap().to_owned();
    // The server died between its two transactions: reserved, and maybe written.
    let reserve =
        "INSERT INTO connection_changes (id, tenant_id, partner_id, state, connection, previous, lease_owner,
                       lease_expires_at, created_at)
                   SELECT 'chg_01jd7v0p3h8s5k2m4n6q9r1t0w', id, partner_id, 'staging',
                       '{\"tenant_dns\": \"x\", \"community\": \"x\", \"client_id\": \"x\"}',
                       '{\"tenant_dns\": \"x\", \"community\": \"x\", \"client_id\": \"x\"}', 'dead', $2, $2
                   FROM tenants WHERE id = $1";
    let lease_end = stepgate::clock::Clock::now(&*app.clock) + TimeDelta::seconds(60);
    sqlx::query(reserve)
        .bind(&id)
        .bind(lease_end)
        .execute(&app.owner)
        .await
        .unwrap();
    let body = examples::connection("new-secret");
    put(&acme, &path, &body).await.problem(409, "connection_changing");
    app.clock.advance(TimeDelta::seconds(61));
    let accepted = put(&acme, &path, &body).await.expect(202);
    let change = &accepted["connection"]["change"];
    assert_eq!(change["id"], "chg_01jd7v0p3h8s5k2m4n6q9r1t0w");
    assert_eq!(change["blockid"]["client_id"], "demo-client");
}

#[tokio::test]
async fn a_secret_must_come_with_another_place_or_client_and_a_change_must_change_something() {
    let app = TestApp::start().await;
    let (acme, path) = tenant(&app).await;
    let unchanged = json!({"tenant_dns": "127.0.0.1:9", "community": "default", "client_id": "demo-client"});
    let refused = put(&acme, &path, &unchanged).await;
    refused.problem(422, "validation_failed").names("", "unchanged");
    for (field, value) in [
        ("tenant_dns", "localhost:9"),
        ("community", "other"),
        ("client_id", "other"),
    ] {
        let mut body = unchanged.clone();
        body[field] = json!(value);
        let refused = put(&acme, &path, &body).await;
        refused
            .problem(422, "validation_failed")
            .names("/client_secret", "missing");
    }
    let mut body = unchanged.clone();
    body["extra_ca_pem"] = json!("canary");
    let refused = put(&acme, &path, &body).await;
    assert!(!refused.text.contains("canary"));
    refused
        .problem(422, "validation_failed")
        .names("/extra_ca_pem", "not_certificates");
}

#[tokio::test]
async fn what_voids_links_is_asked_for_twice_and_the_token_is_of_one_change() {
    let app = TestApp::start().await;
    let (acme, path) = tenant(&app).await;
    with_pool(&app).await;
    let to = |tenant_dns: &str, confirm: Value| {
        let mut body = examples::connection("secret-of-the-new-place");
        body["tenant_dns"] = json!(tenant_dns);
        body["confirm"] = confirm;
        body
    };
    let refused = put(&acme, &path, &to("localhost:9", Value::Null)).await;
    let problem = refused.problem(409, "confirmation_required");
    problem.names("/confirm", "missing");
    let token = problem.body["confirmation"]["confirm"].clone();
    assert!(
        problem.body["confirmation"]["loses"]
            .as_str()
            .unwrap()
            .contains("links")
    );

    for (body, code) in [
        (to("localhost:9", json!("wrong")), "not_this_change"),
        (to("localhost:10", token.clone()), "not_this_change"),
    ] {
        let problem = put(&acme, &path, &body)
            .await
            .problem(409, "confirmation_required");
        problem.names("/confirm", code);
    }
    // An issuer that is to be accepted in the same place voids links as well.
    let mut issuer = examples::connection("secret");
    issuer["issuer"] = json!("https://127.0.0.1:9/new");
    put(&acme, &path, &issuer)
        .await
        .problem(409, "confirmation_required");
    app.clock.advance(TimeDelta::minutes(31));
    put(&acme, &path, &to("localhost:9", token))
        .await
        .problem(409, "confirmation_required");

    let problem = put(&acme, &path, &to("localhost:9", Value::Null))
        .await
        .problem(409, "confirmation_required");
    let token = problem.body["confirmation"]["confirm"].clone();
    let accepted = put(&acme, &path, &to("localhost:9", token)).await.expect(202);
    // Nothing is changed before it was tried.
    assert_eq!(accepted["connection"]["blockid"]["tenant_dns"], "127.0.0.1:9");
    assert_eq!(
        accepted["connection"]["change"]["blockid"]["tenant_dns"],
        "localhost:9"
    );
    let detail: Value =
        sqlx::query_scalar("SELECT detail FROM audit_log WHERE action = 'connection_changed'")
            .fetch_one(&app.owner)
            .await
            .unwrap();
    assert_eq!(detail["voids_links"], true);
    assert_eq!(detail["from"]["tenant_dns"], "127.0.0.1:9");
}

#[tokio::test]
async fn there_is_nothing_to_revert_before_the_first_change() {
    let app = TestApp::start().await;
    let (acme, path) = tenant(&app).await;
    acme.post(&format!("{path}:revert"), json!({}))
        .await
        .problem(409, "nothing_to_revert");
    let refused = acme.post(&format!("{path}:revert"), json!({"reason": " "})).await;
    refused
        .problem(422, "validation_failed")
        .names("/reason", "empty");
}

#[tokio::test]
async fn phishing_resistance_is_accepted_only_while_the_page_is_limited_to_the_apps_origins() {
    let app = TestApp::start().await;
    let (acme, path) = tenant(&app).await;
    let id = path.split('/').nth(3).unwrap().to_owned();
    let made = acme
        .post(&format!("/v1/tenants/{id}/apps"), examples::app("Portal"))
        .await
        .expect(202);
    let validate = format!(
        "/v1/tenants/{id}/apps/{}/policy:validate",
        made["app"]["id"].as_str().unwrap()
    );
    let mut policy = examples::policy();
    policy["default"]["phishing_resistant"] = json!(true);
    let told = async || {
        let report = acme
            .post(&validate, json!({"document": policy}))
            .await
            .expect(200);
        report.to_string().contains("frame_ancestors_not_limited")
    };
    assert!(told().await);
    for (sources, limited) in [
        (
            json!(["https://portal.acme.example", "http://localhost:3000"]),
            true,
        ),
        (json!(["https://portal.acme.example", "'self'"]), true),
        (
            json!(["https://portal.acme.example", "https://evil.example"]),
            false,
        ),
        (json!(["*"]), false),
        (Value::Null, false),
    ] {
        let report = json!({
            "checked_at": "2026-01-05T10:00:00Z", "tenant_dns": "127.0.0.1:9", "community": "default", "usable": true,
            "checks": [], "issuer": null, "frame_ancestors": sources,
        });
        sqlx::query("UPDATE tenants SET blockid_check = $1")
            .bind(&report)
            .execute(&app.owner)
            .await
            .unwrap();
        assert_eq!(told().await, !limited, "{sources}");
    }
}
