//! Pilot step-ups and methods as the API refuses them: before a tenant is provisioned, too late, to strangers.

use crate::support::{Partner, TestApp};
use chrono::TimeDelta;
use serde_json::{Value, json};

/// A tenant whose pool, functions and provider are there, as far as the database says.
async fn provisioned(app: &TestApp, acme: &Partner) -> String {
    let tenant_id = acme.tenant("customers").await["id"].as_str().unwrap().to_owned();
    provision(app, &tenant_id).await;
    tenant_id
}

/// Makes the database say so.
pub(super) async fn provision(app: &TestApp, tenant_id: &str) {
    let observed = json!({
        "user_pool_id": "eu-central-1_x", "settings_secret_arn": "arn:aws:secretsmanager:x",
        "stack": {
            "stack_id": "arn:aws:cloudformation:x", "challenge_function_arn": "arn:aws:lambda:c",
            "challenge_role_arn": "arn:aws:iam:c", "verify_function_arn": "arn:aws:lambda:eu-central-1:000000000000:function:none",
            "verify_role_arn": "arn:aws:iam:v", "policies_table": "p", "records_table": "r",
        },
        "provider": {
            "tenant_dns": "127.0.0.1:9", "community": "default",
            "metadata": {
                "issuer": "http://127.0.0.1:9", "authorization_endpoint": "http://127.0.0.1:9/authorize",
                "token_endpoint": "http://127.0.0.1:9/token", "jwks_uri": "http://127.0.0.1:9/jwks",
                "redirect_uri": "http://127.0.0.1:9/admin/default/post_stepup", "id_token_signing_algorithms": ["RS256"],
                "pkce_s256": true, "jwks": {"keys": []}, "fetched_at_unix_s": 0,
            },
        },
    });
    sqlx::query("UPDATE tenants SET observed = $2 WHERE id = $1")
        .bind(tenant_id)
        .bind(observed)
        .execute(&app.owner)
        .await
        .unwrap();
}

fn parameter(url: &str, name: &str) -> Option<String> {
    let url = url::Url::parse(url).unwrap();
    url.query_pairs()
        .find_map(|(key, value)| (key == name).then(|| value.into_owned()))
}

#[tokio::test]
async fn a_pilot_asks_for_its_method_with_values_of_its_own() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let tenant_id = acme.tenant("too early").await["id"].as_str().unwrap().to_owned();
    let body = json!({"method": "otp", "username": "ada & co"});
    let early = format!("/v1/tenants/{tenant_id}/blockid/pilots");
    acme.post(&early, body.clone()).await.problem(409, "tenant_state");

    let pilots = format!("/v1/tenants/{}/blockid/pilots", provisioned(&app, &acme).await);
    let begun = acme.post(&pilots, body.clone()).await.expect(201);
    assert_eq!(
        (&begun["pilot"]["state"], &begun["pilot"]["method"]),
        (&json!("open"), &json!("otp"))
    );
    let url = begun["authorize_url"].as_str().unwrap();
    let claims: Value = serde_json::from_str(&parameter(url, "claims").unwrap()).unwrap();
    assert_eq!(claims["id_token"]["acr"]["values"], json!(["otp"]));
    assert_eq!(claims["id_token"]["username"], json!("ada & co"));
    assert_eq!(parameter(url, "code_challenge_method").as_deref(), Some("S256"));
    let again = acme.post(&pilots, body).await.expect(201);
    let again = again["authorize_url"].as_str().unwrap();
    for name in ["state", "nonce", "code_challenge"] {
        let (one, other) = (parameter(url, name).unwrap(), parameter(again, name).unwrap());
        assert!(one.len() >= 43 && one != other, "{name}");
    }

    for (body, pointer, code) in [
        (
            json!({"method": "telepathy", "username": "ada"}),
            "/method",
            "unknown",
        ),
        (json!({"method": "otp", "username": " "}), "/username", "empty"),
        (json!({"method": "otp"}), "/username", "missing"),
        (
            json!({"method": "otp", "username": "ada", "x": 1}),
            "/x",
            "unknown_field",
        ),
    ] {
        acme.post(&pilots, body)
            .await
            .problem(422, "validation_failed")
            .names(pointer, code);
    }
}

#[tokio::test]
async fn a_pilot_expires_and_is_nobody_elses() {
    let app = TestApp::start().await;
    let (acme, other) = (app.partner("acme").await, app.partner("other").await);
    let pilots = format!("/v1/tenants/{}/blockid/pilots", provisioned(&app, &acme).await);
    let body = json!({"method": "otp", "username": "ada"});
    other.post(&pilots, body.clone()).await.problem(404, "not_found");
    let begun = acme.post(&pilots, body).await.expect(201);
    let path = format!("{pilots}/{}", begun["pilot"]["id"].as_str().unwrap());
    let complete = format!("{path}:complete");
    let state = parameter(begun["authorize_url"].as_str().unwrap(), "state").unwrap();
    let answer = |code: &str, state: &str| json!({"code": code, "state": state});
    other.get(&path).await.problem(404, "not_found");
    other
        .post(&complete, answer("c", &state))
        .await
        .problem(404, "not_found");
    // Under another tenant of the same partner it is not there either.
    let elsewhere = acme.tenant("elsewhere").await["id"].as_str().unwrap().to_owned();
    let id = path.rsplit('/').next().unwrap();
    acme.get(&format!("/v1/tenants/{elsewhere}/blockid/pilots/{id}"))
        .await
        .problem(404, "not_found");

    for (body, pointer, code) in [
        (answer("", &state), "/code", "invalid"),
        (answer("c\u{e4}", &state), "/code", "invalid"),
        (answer(&"c".repeat(4097), &state), "/code", "invalid"),
        (answer("c", "another"), "/state", "mismatch"),
        (json!({"code": 7, "state": state}), "/code", "wrong_type"),
    ] {
        acme.post(&complete, body)
            .await
            .problem(422, "validation_failed")
            .names(pointer, code);
    }
    assert_eq!(acme.get(&path).await.expect(200)["state"], json!("open"));
    app.clock.advance(TimeDelta::minutes(10));
    assert_eq!(acme.get(&path).await.expect(200)["state"], json!("expired"));
    acme.post(&complete, answer("c", &state))
        .await
        .problem(409, "pilot_closed");
}

#[tokio::test]
async fn a_function_that_cannot_be_asked_spends_the_pilot() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let pilots = format!("/v1/tenants/{}/blockid/pilots", provisioned(&app, &acme).await);
    let begun = acme
        .post(&pilots, json!({"method": "otp", "username": "ada"}))
        .await
        .expect(201);
    let path = format!("{pilots}/{}", begun["pilot"]["id"].as_str().unwrap());
    let state = parameter(begun["authorize_url"].as_str().unwrap(), "state").unwrap();
    let body = json!({"code": "c", "state": state});
    let complete = format!("{path}:complete");
    acme.post(&complete, body.clone())
        .await
        .problem(409, "pilot_failed");
    let ended = acme.get(&path).await.expect(200);
    assert_eq!(ended["refusal"]["reason"], json!("function_unavailable"));
    acme.post(&complete, body).await.problem(409, "pilot_closed");
}

#[tokio::test]
async fn own_methods_are_validated_and_audited() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let tenant_id = provisioned(&app, &acme).await;
    let path = format!("/v1/tenants/{tenant_id}/blockid/methods");
    let put = async |extra: Value| {
        acme.change(reqwest::Method::PUT, &path, json!({"extra_methods": extra}))
            .await
    };
    let fido2 = json!({"acr": "fido2", "label": "Passkey", "max_aal": 3, "phishing_resistant": true});
    let mut shipped = fido2.clone();
    shipped["acr"] = json!("otp email");
    let mut odd = fido2.clone();
    odd["max_aal"] = json!(4);
    odd["label"] = json!("");
    odd["acr"] = json!("a,b");
    let problem = put(json!([fido2, shipped, odd, fido2]))
        .await
        .problem(422, "validation_failed");
    for pointer in ["/1/acr", "/2/acr", "/2/label", "/2/max_aal", "/3/acr"] {
        problem.names(&format!("/extra_methods{pointer}"), "invalid");
    }
    let many: Vec<Value> = (0..17)
        .map(|n| json!({"acr": format!("m{n}"), "label": "m", "max_aal": 1}))
        .collect();
    put(json!(many))
        .await
        .problem(422, "validation_failed")
        .names("/extra_methods", "too_many");

    let accepted = put(json!([fido2])).await.expect(202);
    assert_eq!(accepted["operation"]["kind"], json!("update_methods"));
    assert_eq!(accepted["operation"]["steps"].as_array().unwrap().len(), 1);
    let methods = acme.get(&path).await.expect(200);
    let own = methods["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&own["acr"], &own["extra"], &own["observed"]),
        (&json!("fido2"), &json!(true), &Value::Null)
    );
    // What is offered in a simulation has the tenant's labels.
    let created = acme.app(&tenant_id, "Portal").await;
    let simulate = format!(
        "/v1/tenants/{tenant_id}/apps/{}/policy:simulate",
        created["id"].as_str().unwrap()
    );
    let draft = json!({"document": {"schema_version": 1, "default":
        {"step_up": "required", "methods": ["fido2"], "min_aal": 3}}});
    let told = acme.post(&simulate, draft).await.expect(200);
    assert_eq!(told["offer"]["methods"][0]["can_satisfy"], json!(true), "{told}");
    let audited: Vec<(String, Value)> = sqlx::query_as(
        "SELECT action, detail FROM audit_log WHERE tenant_id = $1 AND action LIKE 'methods%'",
    )
    .bind(&tenant_id)
    .fetch_all(&app.owner)
    .await
    .unwrap();
    assert_eq!(
        audited,
        [(
            "methods_changed".to_owned(),
            json!({"before": [], "after": ["fido2"]})
        )]
    );
}
