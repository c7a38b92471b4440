//! Tenants: reading, listing, changing.

use crate::support::{TestApp, examples};
use chrono::TimeDelta;
use serde_json::{Value, json};

#[tokio::test]
async fn a_created_tenant_is_as_asked_and_the_worker_is_due() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let answer = acme.post("/v1/tenants", examples::tenant("customers")).await;
    let location = answer.header("location").to_owned();
    let body = answer.expect(202);
    let (tenant, operation) = (&body["tenant"], &body["operation"]);
    assert_eq!(
        location,
        format!("/v1/operations/{}", operation["id"].as_str().unwrap())
    );
    let id = tenant["id"].as_str().unwrap();
    assert_eq!(tenant["pool"], examples::tenant("")["pool"]);
    assert_eq!(
        tenant["blockid"],
        json!({"tenant_dns": "127.0.0.1:9", "community": "default", "client_id": "demo-client"})
    );
    assert_eq!(
        (&tenant["state"], &tenant["ready"]),
        (&json!("active"), &json!(false))
    );
    assert_eq!(
        (&tenant["generation"], &tenant["observed_generation"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(
        (&tenant["user_pool_id"], &tenant["last_error"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(
        (&operation["kind"], &operation["state"]),
        (&json!("create_tenant"), &json!("pending"))
    );
    assert_eq!(
        (&operation["tenant_id"], &operation["resource_id"]),
        (&json!(id), &json!(id))
    );
    assert_eq!(acme.get(&format!("/v1/tenants/{id}")).await.expect(200), *tenant);
    assert_eq!(acme.get(&location).await.expect(200), *operation);
    let due: bool = sqlx::query_scalar("SELECT next_attempt_at <= $1 AND lease_owner IS NULL FROM tenants")
        .bind(stepgate::clock::Clock::now(&*app.clock))
        .fetch_one(&app.owner)
        .await
        .unwrap();
    assert!(due, "the worker must find the tenant");
}

#[tokio::test]
async fn what_is_not_given_has_defaults() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let mut body = examples::tenant("customers");
    body.as_object_mut().unwrap().remove("pool");
    body.as_object_mut().unwrap().remove("cell_id");
    let pool = acme.post("/v1/tenants", body).await.expect(202)["tenant"]["pool"].take();
    assert_eq!(
        pool,
        json!({"self_sign_up": false, "sign_in_with": "username", "attributes": [], "email": null, "tier": "essentials",
               "password": {"min_length": 12, "require_lowercase": true, "require_uppercase": true, "require_digits": true,
                            "require_symbols": false, "temporary_validity_days": 7}})
    );
}

#[tokio::test]
async fn lists_have_pages_in_a_stable_order() {
    let app = TestApp::start().await;
    let (acme, other) = (app.partner("acme").await, app.partner("other").await);
    let mut made = Vec::new();
    for number in 0..5 {
        made.push(
            acme.tenant(&format!("t{number}")).await["id"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
        // Two at the same moment: the id decides.
        app.clock.advance(TimeDelta::seconds(number % 2));
    }
    other.tenant("t0").await;
    let mut seen = Vec::new();
    let mut path = "/v1/tenants?limit=2".to_owned();
    loop {
        let page = acme.get(&path).await.expect(200);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        seen.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/tenants?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    made.sort();
    seen.sort();
    assert_eq!(seen, made, "each once, and none of another partner");
    let everybodys = app.operator().get("/v1/tenants").await.expect(200);
    assert_eq!(everybodys["items"].as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn a_change_grows_the_generation_and_opens_an_operation() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let id = acme.tenant("customers").await["id"].as_str().unwrap().to_owned();
    sqlx::raw_sql(
        "UPDATE tenants SET failed_passes = 7, next_attempt_at = '2030-01-01', observed_generation = 1",
    )
    .execute(&app.owner)
    .await
    .unwrap();
    assert_eq!(
        acme.get(&format!("/v1/tenants/{id}")).await.expect(200)["ready"],
        json!(true)
    );
    app.clock.advance(TimeDelta::minutes(1));
    let change = json!({"name": "clients", "pool": {"password": {"min_length": 20}, "email": null,
        "attributes": [{"name": "unit", "max_length": 40}, {"name": "grade"}]}});
    let answer = acme.patch(&format!("/v1/tenants/{id}"), change).await;
    let location = answer.header("location").to_owned();
    let body = answer.expect(202);
    let tenant = &body["tenant"];
    assert_eq!(
        (&tenant["name"], &tenant["generation"]),
        (&json!("clients"), &json!(2))
    );
    assert_eq!(
        (&tenant["ready"], &tenant["updated_at"]),
        (&json!(false), &json!("2026-01-05T10:01:00Z"))
    );
    assert_eq!(tenant["pool"]["email"], Value::Null);
    assert_eq!(tenant["pool"]["password"]["min_length"], json!(20));
    assert_eq!(tenant["pool"]["attributes"].as_array().unwrap().len(), 2);
    assert_eq!(body["operation"]["kind"], json!("update_tenant"));
    assert_eq!(acme.get(&location).await.expect(200)["state"], json!("pending"));
    let (passes, due): (i32, bool) =
        sqlx::query_as("SELECT failed_passes, next_attempt_at <= $1 FROM tenants")
            .bind(stepgate::clock::Clock::now(&*app.clock))
            .fetch_one(&app.owner)
            .await
            .unwrap();
    assert_eq!((passes, due), (0, true));
}

#[tokio::test]
async fn what_cognito_fixed_at_creation_is_refused_with_a_reason() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let path = format!(
        "/v1/tenants/{}",
        acme.tenant("customers").await["id"].as_str().unwrap()
    );
    for (pool, pointer) in [
        (json!({"sign_in_with": "email"}), "/pool/sign_in_with"),
        (json!({"attributes": []}), "/pool/attributes"),
        (
            json!({"attributes": [{"name": "unit", "mutable": false, "max_length": 40}]}),
            "/pool/attributes/0",
        ),
        (
            json!({"attributes": [{"name": "unit", "max_length": 41}]}),
            "/pool/attributes/0",
        ),
    ] {
        let problem = acme
            .patch(&path, json!({"pool": pool}))
            .await
            .problem(422, "validation_failed");
        problem.names(pointer, "create_only");
        assert!(
            problem.body["detail"].as_str().unwrap().contains("Cognito"),
            "{}",
            problem.body
        );
    }
    assert_eq!(
        acme.get(&path).await.expect(200)["generation"],
        json!(1),
        "a refused change changes nothing"
    );
}

#[tokio::test]
async fn a_tenant_without_its_secret_or_being_deleted_cannot_be_changed() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let path = format!(
        "/v1/tenants/{}",
        acme.tenant("customers").await["id"].as_str().unwrap()
    );
    for state in ["awaiting_secret", "deleting"] {
        let deletion = json!({"since": "2026-01-05T10:00:00Z", "purge_from": "2026-02-04T10:00:00Z"});
        sqlx::query("UPDATE tenants SET state = $1, deletion = $2")
            .bind(state)
            .bind((state == "deleting").then_some(deletion))
            .execute(&app.owner)
            .await
            .unwrap();
        assert_eq!(acme.get(&path).await.expect(200)["state"], json!(state));
        acme.patch(&path, json!({"name": "x"}))
            .await
            .problem(409, "tenant_state");
        acme.post(&format!("{path}/apps"), json!({"name": "x"}))
            .await
            .problem(409, "tenant_state");
    }
}

#[tokio::test]
async fn names_are_unique_at_a_partner_and_not_beyond() {
    let app = TestApp::start().await;
    let (acme, other) = (app.partner("acme").await, app.partner("other").await);
    acme.tenant("customers").await;
    other.tenant("customers").await;
    acme.post("/v1/tenants", examples::tenant("customers"))
        .await
        .problem(409, "name_taken")
        .names("/name", "taken");
    let second = acme.tenant("second").await["id"].as_str().unwrap().to_owned();
    let rename = acme
        .patch(&format!("/v1/tenants/{second}"), json!({"name": "customers"}))
        .await;
    rename.problem(409, "name_taken").names("/name", "taken");
}
