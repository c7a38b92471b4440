//! Partners and their keys.

use crate::support::TestApp;
use chrono::TimeDelta;
use serde_json::json;

#[tokio::test]
async fn an_operator_adds_a_partner_and_its_key_works() {
    let app = TestApp::start().await;
    let partner = app
        .operator()
        .post("/v1/partners", json!({"name": "Acme"}))
        .await
        .expect(201);
    assert_eq!(partner["name"], "Acme");
    assert_eq!(partner["created_at"], "2026-01-05T10:00:00Z");
    let id = partner["id"].as_str().unwrap();
    assert!(id.starts_with("ptn_"));
    let path = format!("/v1/partners/{id}/keys");
    let key = app
        .operator()
        .post(&path, json!({"name": "portal", "role": "partner_reader"}))
        .await
        .expect(201);
    assert_eq!(
        (&key["partner_id"], &key["role"], &key["name"]),
        (&json!(id), &json!("partner_reader"), &json!("portal"))
    );
    let secret = key["key"].as_str().unwrap();
    assert!(secret.starts_with(&format!("sgk_{}_", key["prefix"].as_str().unwrap())));
    app.anybody()
        .with_key(Some(secret.to_owned()))
        .get("/v1/tenants")
        .await
        .expect(200);
}

#[tokio::test]
async fn a_taken_name_and_an_unknown_partner_are_told() {
    let app = TestApp::start().await;
    app.partner("acme").await;
    app.operator()
        .post("/v1/partners", json!({"name": "acme"}))
        .await
        .problem(409, "name_taken")
        .names("/name", "taken");
    let body = json!({"name": "k", "role": "partner_admin"});
    let path = "/v1/partners/ptn_01jd7v0p3h8s5k2m4n6q9r1t0w/keys";
    app.operator()
        .post(path, body.clone())
        .await
        .problem(404, "not_found");
    app.operator()
        .post("/v1/partners/nonsense/keys", body)
        .await
        .problem(404, "not_found");
}

#[tokio::test]
async fn partner_keys_have_partner_roles_only() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let path = format!("/v1/partners/{}/keys", acme.id);
    for role in ["operator", "auditor"] {
        let answer = app
            .operator()
            .post(&path, json!({"name": "k", "role": role}))
            .await;
        answer
            .problem(422, "validation_failed")
            .names("/role", "not_a_partner_role");
    }
}

#[tokio::test]
async fn expired_revoked_and_altered_keys_do_not_work() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let set = async |column: &str, value: &str| {
        let statement = format!("UPDATE api_keys SET {column} = {value} WHERE partner_id IS NOT NULL");
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
            .execute(&app.owner)
            .await
            .unwrap();
    };
    acme.get("/v1/tenants").await.expect(200);
    set("expires_at", "'2026-01-05T10:00:01Z'").await;
    acme.get("/v1/tenants").await.expect(200);
    app.clock.advance(TimeDelta::seconds(1));
    let expired = acme.get("/v1/tenants").await.problem(401, "unauthenticated").body["detail"].clone();
    set("expires_at", "NULL").await;
    acme.get("/v1/tenants").await.expect(200);
    set("revoked_at", "'2026-01-05T10:00:00Z'").await;
    let revoked = acme.get("/v1/tenants").await.problem(401, "unauthenticated").body["detail"].clone();
    let unknown = format!("sgk_{}_{}", "a".repeat(12), "b".repeat(43));
    let unknown = app.anybody().with_key(Some(unknown)).get("/v1/tenants").await;
    let unknown = unknown.problem(401, "unauthenticated").body["detail"].clone();
    assert_eq!(
        (&expired, &revoked),
        (&unknown, &unknown),
        "the answer must not tell why"
    );
}

#[tokio::test]
async fn the_first_operator_key_is_made_once() {
    let app = TestApp::start().await;
    let again = stepgate::usecases::api_keys::bootstrap(&app.context)
        .await
        .unwrap_err();
    assert_eq!(again.detail(), "There is an operator key already.");
}

#[tokio::test]
async fn keys_are_stored_as_hashes_and_their_use_is_noted() {
    let app = TestApp::start().await;
    app.operator().get("/v1/cells").await.expect(200);
    let (hash, used): (Vec<u8>, Option<chrono::DateTime<chrono::Utc>>) =
        sqlx::query_as("SELECT secret_hash, last_used_at FROM api_keys")
            .fetch_one(&app.owner)
            .await
            .unwrap();
    assert_eq!(hash.len(), 32);
    assert_eq!(used, Some(stepgate::clock::Clock::now(&*app.clock)));
}
