//! Apps.

use crate::support::{TestApp, examples};
use serde_json::{Value, json};

#[tokio::test]
async fn an_app_is_as_asked_and_grows_the_tenants_generation() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let tenant = acme.tenant("customers").await;
    let path = format!("/v1/tenants/{}/apps", tenant["id"].as_str().unwrap());
    let answer = acme.post(&path, examples::app("Portal")).await;
    let location = answer.header("location").to_owned();
    let body = answer.expect(202);
    let made = &body["app"];
    for (field, value) in examples::app("Portal").as_object().unwrap() {
        if field != "policy" {
            assert_eq!(&made[field], value, "{field}");
        }
    }
    assert_eq!(
        (&made["tenant_id"], &made["client_id"]),
        (&tenant["id"], &Value::Null)
    );
    assert_eq!(made["policy_version"], json!(1));
    let operation = acme.get(&location).await.expect(200);
    assert_eq!(
        (&operation["kind"], &operation["resource_id"]),
        (&json!("create_app"), &made["id"])
    );
    assert_eq!(
        acme.get(&format!("{path}/{}", made["id"].as_str().unwrap()))
            .await
            .expect(200),
        *made
    );
    let after = acme
        .get(&format!("/v1/tenants/{}", tenant["id"].as_str().unwrap()))
        .await
        .expect(200);
    assert_eq!(
        (&after["generation"], &after["ready"]),
        (&json!(2), &json!(false))
    );
    let policy = acme
        .get(&format!("{path}/{}/policy", made["id"].as_str().unwrap()))
        .await
        .expect(200);
    assert_eq!(policy["document"]["default"]["attempts"], json!(3));
}

#[tokio::test]
async fn defaults_are_cautious() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let tenant_id = acme.tenant("customers").await["id"].as_str().unwrap().to_owned();
    let made = acme.app(&tenant_id, "Portal").await;
    for (field, value) in [
        ("id_token_validity_min", json!(15)),
        ("access_token_validity_min", json!(15)),
        ("refresh_token_validity_min", json!(480)),
        ("session_validity_min", json!(3)),
        ("allowed_origins", json!([])),
        ("action_step_up", json!(false)),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    let path = format!(
        "/v1/tenants/{tenant_id}/apps/{}/policy",
        made["id"].as_str().unwrap()
    );
    let policy = acme.get(&path).await.expect(200);
    assert_eq!(policy["document"]["default"]["step_up"], json!("required"));
}

#[tokio::test]
async fn apps_are_listed_by_tenant() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let one = acme.tenant("one").await["id"].as_str().unwrap().to_owned();
    let two = acme.tenant("two").await["id"].as_str().unwrap().to_owned();
    for name in ["a", "b", "c"] {
        acme.app(&one, name).await;
    }
    let in_two = acme.app(&two, "a").await;
    let first = acme
        .get(&format!("/v1/tenants/{one}/apps?limit=2"))
        .await
        .expect(200);
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = acme
        .get(&format!("/v1/tenants/{one}/apps?limit=2&cursor={cursor}"))
        .await
        .expect(200);
    assert_eq!(
        (rest["items"].as_array().unwrap().len(), &rest["next_cursor"]),
        (1, &Value::Null)
    );
    let id = in_two["id"].as_str().unwrap();
    acme.get(&format!("/v1/tenants/{one}/apps/{id}"))
        .await
        .problem(404, "not_found");
    acme.post(&format!("/v1/tenants/{one}/apps"), json!({"name": "a"}))
        .await
        .problem(409, "name_taken")
        .names("/name", "taken");
}
