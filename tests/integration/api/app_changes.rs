//! Changing and deleting apps.

use crate::support::{TestApp, client::send, examples};
use reqwest::Method;
use serde_json::{Value, json};

async fn made(app: &TestApp) -> (crate::support::Partner, String, String) {
    let acme = app.partner("acme").await;
    let tenant_id = acme.tenant("customers").await["id"].as_str().unwrap().to_owned();
    let apps = format!("/v1/tenants/{tenant_id}/apps");
    let made = acme.post(&apps, examples::app("Portal")).await.expect(202);
    let path = format!("{apps}/{}", made["app"]["id"].as_str().unwrap());
    (acme, apps, path)
}

#[tokio::test]
async fn a_change_holds_what_it_names_and_needs_the_revision_that_was_read() {
    let app = TestApp::start().await;
    let (acme, _, path) = made(&app).await;
    let read = acme.get(&path).await;
    assert_eq!(read.header("etag"), "\"1\"");
    let before = read.expect(200);
    let change = json!({"session_validity_min": 7, "allowed_origins": ["https://new.acme.example"], "return_url": null});
    let change_app = |etag: &str, body: &Value| {
        send(
            acme.request(Method::PATCH, &path)
                .header("if-match", etag)
                .json(body),
        )
    };
    acme.call(Method::PATCH, &path, Some(change.clone()))
        .await
        .problem(428, "precondition_required");
    change_app("\"2\"", &change)
        .await
        .problem(412, "precondition_failed");
    let answer = change_app("\"1\"", &change).await;
    assert_eq!(answer.header("etag"), "\"2\"");
    let location = answer.header("location").to_owned();
    let body = answer.expect(202);
    let mut expected = before;
    expected["session_validity_min"] = json!(7);
    expected["allowed_origins"] = json!(["https://new.acme.example"]);
    expected.as_object_mut().unwrap().remove("return_url");
    expected["revision"] = json!(2);
    expected["updated_at"] = body["app"]["updated_at"].clone();
    assert_eq!(body["app"], expected);
    assert_eq!(acme.get(&path).await.expect(200), expected);
    assert_eq!(acme.get(&location).await.expect(200)["kind"], json!("update_app"));
    change_app("\"1\"", &change)
        .await
        .problem(412, "precondition_failed");

    let audited: (String, Value) =
        sqlx::query_as("SELECT action, detail FROM audit_log ORDER BY position DESC LIMIT 1")
            .fetch_one(&app.owner)
            .await
            .unwrap();
    let changed = json!(["session_validity_min", "allowed_origins", "return_url"]);
    assert_eq!(
        audited,
        ("app_changed".into(), json!({"changed": changed, "revision": 2}))
    );
}

#[tokio::test]
async fn a_name_that_is_taken_and_settings_that_the_policy_does_not_bear_are_refused() {
    let app = TestApp::start().await;
    let (acme, apps, path) = made(&app).await;
    acme.post(&apps, json!({"name": "Second"})).await.expect(202);
    let change_app = |body: Value| {
        send(
            acme.request(Method::PATCH, &path)
                .header("if-match", "\"1\"")
                .json(&body),
        )
    };
    change_app(json!({"name": "Second"}))
        .await
        .problem(409, "name_taken")
        .names("/name", "taken");
    // Its refresh tokens must outlive the others, whichever of them is changed.
    change_app(json!({"id_token_validity_min": 700}))
        .await
        .problem(422, "validation_failed")
        .names("/refresh_token_validity_min", "too_short");
    assert_eq!(acme.get(&path).await.expect(200)["revision"], json!(1));
}

#[tokio::test]
async fn a_deleted_app_is_not_there_and_its_name_is_free() {
    let app = TestApp::start().await;
    let (acme, apps, path) = made(&app).await;
    let answer = acme.call(Method::DELETE, &path, None).await;
    let location = answer.header("location").to_owned();
    let body = answer.expect(202);
    assert_eq!(body["app"]["name"], json!("Portal"));
    let operation = acme.get(&location).await.expect(200);
    assert_eq!(
        (&operation["kind"], &operation["resource_id"]),
        (&json!("delete_app"), &body["app"]["id"])
    );
    for gone in [
        path.clone(),
        format!("{path}/policy"),
        format!("{path}/policy/versions"),
        format!("{path}/policy/versions/1"),
        format!("{path}/integration"),
    ] {
        acme.get(&gone).await.problem(404, "not_found");
    }
    acme.call(Method::DELETE, &path, None)
        .await
        .problem(404, "not_found");
    acme.put(&format!("{path}/policy"), 1, examples::policy())
        .await
        .problem(404, "not_found");
    assert_eq!(acme.get(&apps).await.expect(200)["items"], json!([]));
    acme.post(&apps, json!({"name": "Portal"})).await.expect(202);
    let action: String = sqlx::query_scalar(
        "SELECT action FROM audit_log WHERE action LIKE 'app%' ORDER BY position DESC OFFSET 1 LIMIT 1",
    )
    .fetch_one(&app.owner)
    .await
    .unwrap();
    assert_eq!(action, "app_deleted");
}

#[tokio::test]
async fn the_integration_has_what_a_developer_pastes() {
    let app = TestApp::start().await;
    let (acme, _, path) = made(&app).await;
    let path = format!("{path}/integration");
    let early = acme.get(&path).await.expect(200);
    assert_eq!(
        (&early["ready"], &early["snippets"], &early["endpoints"]["issuer"]),
        (&json!(false), &json!([]), &Value::Null)
    );
    sqlx::raw_sql(
        "UPDATE tenants SET observed = '{\"user_pool_id\": \"eu-central-1_Ab1\"}'; UPDATE apps SET client_id = 'client\"1'",
    )
    .execute(&app.owner)
    .await
    .unwrap();
    let ready = acme.get(&path).await.expect(200);
    assert_eq!(
        (&ready["ready"], &ready["region"], &ready["user_pool_id"]),
        (&json!(true), &json!("eu-central-1"), &json!("eu-central-1_Ab1"))
    );
    let issuer = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Ab1";
    assert_eq!(ready["endpoints"]["issuer"], json!(issuer));
    assert_eq!(
        ready["endpoints"]["jwks"],
        json!(format!("{issuer}/.well-known/jwks.json"))
    );
    assert_eq!(
        ready["browser"]["content_security_policy"],
        json!("connect-src https://cognito-idp.eu-central-1.amazonaws.com; frame-src https://127.0.0.1:9")
    );
    assert_eq!(
        ready["browser"]["allowed_origins"],
        json!(["https://portal.acme.example", "http://localhost:3000"])
    );
    let snippets = ready["snippets"].as_array().unwrap();
    let ids: Vec<_> = snippets
        .iter()
        .map(|snippet| snippet["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["amplify", "amazon-cognito-identity-js", "web", "redirect"]);
    for snippet in snippets {
        let code = snippet["code"].as_str().unwrap();
        assert!(
            code.contains("\"client\\\"1\""),
            "an id stays inside its quotes: {code}"
        );
        assert!(!code.contains('$'), "{code}");
    }
    assert_eq!(ready["claims"]["access_token"], ready["claims"]["id_token"]);
    assert_eq!(ready["notes"][0]["code"], "return_url_at_blockid");
    assert_eq!(
        ready["notes"].as_array().map(Vec::len),
        Some(1),
        "{}",
        ready["notes"]
    );
}

#[tokio::test]
async fn the_integration_says_what_is_particular_about_an_app() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let mut tenant = examples::tenant("customers");
    tenant["pool"]["tier"] = json!("lite");
    tenant["pool"]["email"] = Value::Null;
    tenant["sandbox"] = json!(true);
    let tenant = acme.post("/v1/tenants", tenant).await.expect(202);
    assert_eq!(tenant["tenant"]["sandbox"], json!(true));
    let apps = format!("/v1/tenants/{}/apps", tenant["tenant"]["id"].as_str().unwrap());
    let mut policy = examples::policy();
    policy["default"]["binding"] = json!("state_only");
    policy["default"]["max_age_min"] = json!(30);
    let made = acme
        .post(&apps, json!({"name": "Old", "policy": policy}))
        .await
        .expect(202);
    sqlx::raw_sql(
        "UPDATE tenants SET observed = '{\"user_pool_id\": \"eu-central-1_Ab1\"}'; UPDATE apps SET client_id = 'c1'",
    )
    .execute(&app.owner)
    .await
    .unwrap();
    let path = format!("{apps}/{}/integration", made["app"]["id"].as_str().unwrap());
    let found = acme.get(&path).await.expect(200);
    assert_eq!(found["claims"]["access_token"], json!([]));
    let notes = found["notes"].as_array().unwrap().iter();
    let codes: Vec<_> = notes.map(|note| note["code"].as_str().unwrap()).collect();
    assert_eq!(
        codes,
        [
            "no_allowed_origins",
            "no_access_token_claims",
            "cognito_default_sender",
            "sandbox",
            "shorter_sessions",
            "state_only_binding"
        ]
    );
    let last = found["snippets"].as_array().unwrap().last().unwrap();
    assert_eq!(last["id"], json!("bidstepup"));
}
