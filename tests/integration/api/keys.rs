//! API keys: their life, their scopes, and who may make them.

use crate::support::{Caller, TestApp, examples};
use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn holder(app: &TestApp, key: &Value) -> Caller {
    app.anybody().with_key(Some(text(&key["key"])))
}

#[tokio::test]
async fn a_partners_administrator_keeps_the_partners_own_keys() {
    let app = TestApp::start().await;
    let (acme, other) = (app.partner("acme").await, app.partner("other").await);
    let path = format!("/v1/partners/{}/keys", acme.id);
    let body = json!({"name": "portal", "role": "partner_reader", "expires_at": "2026-01-06T10:00:00Z"});
    let made = acme.post(&path, body).await.expect(201);
    let portal = holder(&app, &made);
    portal.get("/v1/tenants").await.expect(200);
    let key = format!("{path}/{}", text(&made["id"]));
    let shown = acme.get(&key).await.expect(200);
    assert_eq!(shown["expires_at"], "2026-01-06T10:00:00Z");
    assert_eq!(shown["last_used_at"], "2026-01-05T10:00:00Z");
    assert_eq!(
        (&shown["scopes"], &shown["revoked_at"]),
        (&Value::Null, &Value::Null)
    );
    let all = acme.get(&path).await;
    assert!(
        !all.text.contains("\"key\"") && !all.text.contains("hash"),
        "{}",
        all.text
    );
    assert_eq!(
        all.expect(200)["items"].as_array().unwrap().len(),
        2,
        "and none of others"
    );
    // To another partner neither the keys nor their owner are there.
    for path in [&path, &key] {
        other.get(path).await.problem(404, "not_found");
    }
    other
        .post(&path, json!({"name": "x", "role": "partner_reader"}))
        .await
        .problem(404, "not_found");
    other
        .call(Method::POST, &format!("{key}:revoke"), None)
        .await
        .problem(404, "not_found");
    let mixed = format!("/v1/partners/{}/keys/{}", other.id, text(&made["id"]));
    other.get(&mixed).await.problem(404, "not_found");
    // Revoked means from the next request on, and for good.
    let revoked = acme
        .call(Method::POST, &format!("{key}:revoke"), None)
        .await
        .expect(200);
    assert_eq!(revoked["revoked_at"], "2026-01-05T10:00:00Z");
    portal.get("/v1/tenants").await.problem(401, "unauthenticated");
    app.clock.advance(TimeDelta::minutes(1));
    let again = acme
        .call(Method::POST, &format!("{key}:revoke"), None)
        .await
        .expect(200);
    assert_eq!(again, revoked);
}

#[tokio::test]
async fn a_key_that_expires_stops_working_by_itself() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let path = format!("/v1/partners/{}/keys", acme.id);
    let body = json!({"name": "short", "role": "partner_reader", "expires_at": "2026-01-05T10:01:00Z"});
    let short = holder(&app, &acme.post(&path, body).await.expect(201));
    app.clock.advance(TimeDelta::seconds(59));
    short.get("/v1/tenants").await.expect(200);
    app.clock.advance(TimeDelta::seconds(1));
    short.get("/v1/tenants").await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn rotation_lets_the_old_key_work_for_the_overlap() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let path = format!("/v1/partners/{}/keys", acme.id);
    let body = json!({"name": "portal", "role": "partner_admin", "scopes": ["policies:write"]});
    let made = acme.post(&path, body).await.expect(201);
    let old = holder(&app, &made);
    let rotate = format!("{path}/{}:rotate", text(&made["id"]));
    acme.post(&rotate, json!({"overlap_s": 2_592_001}))
        .await
        .problem(422, "validation_failed")
        .names("/overlap_s", "out_of_range");
    let rotated = acme.post(&rotate, json!({"overlap_s": 60})).await.expect(201);
    let (new, replaced) = (&rotated["new"], &rotated["replaced"]);
    assert_eq!(
        (&new["name"], &new["role"], &new["scopes"]),
        (
            &json!("portal"),
            &json!("partner_admin"),
            &json!(["policies:write"])
        )
    );
    assert_eq!(
        (&replaced["replaced_by"], &replaced["expires_at"]),
        (&new["id"], &json!("2026-01-05T10:01:00Z"))
    );
    let fresh = holder(&app, new);
    old.get("/v1/tenants").await.expect(200);
    fresh.get("/v1/tenants").await.expect(200);
    // It has its successor; a second one would leave open which of them counts.
    acme.post(&rotate, json!({})).await.problem(409, "key_state");
    app.clock.advance(TimeDelta::seconds(60));
    old.get("/v1/tenants").await.problem(401, "unauthenticated");
    fresh.get("/v1/tenants").await.expect(200);
    // Without overlap the old one ends at once; an earlier end of its own stays.
    let again = format!("{path}/{}:rotate", text(&new["id"]));
    let third = acme.post(&again, json!({"overlap_s": 0})).await.expect(201);
    fresh.get("/v1/tenants").await.problem(401, "unauthenticated");
    holder(&app, &third["new"]).get("/v1/tenants").await.expect(200);
    let actions: Vec<String> =
        sqlx::query_scalar("SELECT action FROM audit_log WHERE partner_id = $1 ORDER BY position")
            .bind(&acme.id)
            .fetch_all(&app.owner)
            .await
            .unwrap();
    assert_eq!(actions[..3], ["partner_created", "key_created", "key_created"]);
    assert_eq!(actions[3..], ["key_rotated", "key_rotated"]);
}

#[tokio::test]
async fn a_limited_key_does_what_its_scopes_say_and_makes_no_stronger_one() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let keys = format!("/v1/partners/{}/keys", acme.id);
    let limited = async |scopes: Value| {
        let body = json!({"name": "limited", "role": "partner_admin", "scopes": scopes});
        holder(&app, &acme.post(&keys, body).await.expect(201))
    };
    let tenant_id = text(&acme.tenant("customers").await["id"]);
    let tenant = format!("/v1/tenants/{tenant_id}");
    let app_id = text(&acme.app(&tenant_id, "Portal").await["id"]);
    let policy = format!("{tenant}/apps/{app_id}/policy");

    let reads = limited(json!(["read"])).await;
    reads.get(&tenant).await.expect(200);
    reads
        .post(
            &format!("{policy}:validate"),
            json!({"document": examples::policy()}),
        )
        .await
        .expect(200);
    for (path, body) in [
        ("/v1/tenants".to_owned(), examples::tenant("second")),
        (format!("{tenant}:suspend"), json!({"reason": "drill"})),
        (keys.clone(), json!({"name": "x", "role": "partner_reader"})),
    ] {
        reads.post(&path, body).await.problem(403, "forbidden");
    }
    reads
        .put(&policy, 1, examples::policy())
        .await
        .problem(403, "forbidden");

    let policies = limited(json!(["policies:write"])).await;
    policies.put(&policy, 1, examples::policy()).await.expect(202);
    policies
        .patch(&tenant, json!({"name": "x"}))
        .await
        .problem(403, "forbidden");

    let tenants = limited(json!(["tenants:write"])).await;
    tenants
        .patch(&tenant, json!({"name": "renamed"}))
        .await
        .expect(202);
    tenants
        .put(&policy, 2, examples::policy())
        .await
        .problem(403, "forbidden");
    let more = json!({"name": "x", "role": "partner_admin"});
    tenants.post(&keys, more.clone()).await.problem(403, "forbidden");

    let keeper = limited(json!(["keys:write"])).await;
    for scopes in [
        Value::Null,
        json!(["tenants:write"]),
        json!(["keys:write", "policies:write"]),
    ] {
        let mut body = more.clone();
        body["scopes"] = scopes;
        keeper
            .post(&keys, body)
            .await
            .problem(422, "validation_failed")
            .names("/scopes", "exceeds_own");
    }
    let mut body = more;
    body["scopes"] = json!(["read", "keys:write"]);
    keeper.post(&keys, body).await.expect(201);
    // Nor does it take over a stronger one by rotating it.
    let all = acme.get(&keys).await.expect(200);
    let stronger = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["scopes"].is_null())
        .unwrap();
    let rotate = format!("{keys}/{}:rotate", text(&stronger["id"]));
    keeper.post(&rotate, json!({})).await.problem(403, "forbidden");
}

#[tokio::test]
async fn the_installations_keys_are_kept_by_operators() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let operator = app.operator();
    for role in ["partner_admin", "partner_reader"] {
        let answer = operator
            .post("/v1/keys", json!({"name": "x", "role": role}))
            .await;
        answer
            .problem(422, "validation_failed")
            .names("/role", "not_an_installation_role");
    }
    let second = operator
        .post("/v1/keys", json!({"name": "second", "role": "operator"}))
        .await
        .expect(201);
    assert_eq!(second["partner_id"], Value::Null);
    let second_key = format!("/v1/keys/{}", text(&second["id"]));
    let listed = app.auditor().await.get("/v1/keys").await.expect(200);
    assert_eq!(
        listed["items"].as_array().unwrap().len(),
        3,
        "none of partners: {listed}"
    );
    // A partner's key is not one of them, and theirs are no partner's.
    let partner_keys = format!("/v1/partners/{}/keys", acme.id);
    let partners_own = text(&acme.get(&partner_keys).await.expect(200)["items"][0]["id"]);
    operator
        .get(&format!("/v1/keys/{partners_own}"))
        .await
        .problem(404, "not_found");
    operator
        .get(&format!("{partner_keys}/{}", text(&second["id"])))
        .await
        .problem(404, "not_found");
    let read_only = json!({"name": "dashboards", "role": "operator", "scopes": ["read"]});
    let read_only = holder(&app, &operator.post("/v1/keys", read_only).await.expect(201));
    read_only.get("/v1/partners").await.expect(200);
    read_only
        .post("/v1/partners", json!({"name": "x"}))
        .await
        .problem(403, "forbidden");
    // An operator that takes away the last key of all can still come in by the command line.
    let first = app.operator().get("/v1/keys").await.expect(200)["items"][0]["id"].take();
    let second = holder(&app, &second);
    second
        .call(Method::POST, &format!("/v1/keys/{}:revoke", text(&first)), None)
        .await
        .expect(200);
    operator.get("/v1/cells").await.problem(401, "unauthenticated");
    let refused = stepgate::usecases::api_keys::bootstrap(&app.context)
        .await
        .unwrap_err();
    assert_eq!(refused.detail(), "There is an operator key already.");
    sqlx::query("UPDATE api_keys SET revoked_at = now() WHERE name = 'dashboards'")
        .execute(&app.owner)
        .await
        .unwrap();
    second
        .call(Method::POST, &format!("{second_key}:revoke"), None)
        .await
        .expect(200);
    let new = stepgate::usecases::api_keys::bootstrap(&app.context)
        .await
        .unwrap();
    let caller = app.anybody().with_key(Some(new.presented.reveal().to_owned()));
    caller.get("/v1/cells").await.expect(200);
}

#[tokio::test]
async fn partners_are_read_listed_and_renamed() {
    let app = TestApp::start().await;
    let (acme, other) = (app.partner("acme").await, app.partner("other").await);
    let path = format!("/v1/partners/{}", acme.id);
    assert_eq!(acme.get(&path).await.expect(200)["name"], "acme");
    other.get(&path).await.problem(404, "not_found");
    let page = app.operator().get("/v1/partners?limit=1").await.expect(200);
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    let next = format!("/v1/partners?limit=1&cursor={}", text(&page["next_cursor"]));
    let rest = app.operator().get(&next).await.expect(200);
    assert_ne!(rest["items"][0]["id"], page["items"][0]["id"]);
    assert_eq!(rest["next_cursor"], Value::Null);
    let renamed = app
        .operator()
        .patch(&path, json!({"name": "Acme Identity"}))
        .await
        .expect(200);
    assert_eq!(renamed, acme.get(&path).await.expect(200));
    app.operator()
        .patch(&path, json!({"name": "other"}))
        .await
        .problem(409, "name_taken")
        .names("/name", "taken");
    let unknown = "/v1/partners/ptn_01jd7v0p3h8s5k2m4n6q9r1t0w";
    app.operator()
        .patch(unknown, json!({"name": "x"}))
        .await
        .problem(404, "not_found");
    let detail: Value = sqlx::query_scalar("SELECT detail FROM audit_log WHERE action = 'partner_changed'")
        .fetch_one(&app.owner)
        .await
        .unwrap();
    assert_eq!(detail, json!({"name": {"from": "acme", "to": "Acme Identity"}}));
}
