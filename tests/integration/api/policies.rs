//! Policies of apps.

use crate::support::client::send;
use crate::support::{Caller, TestApp, examples};
use reqwest::Method;
use serde_json::json;

pub(super) async fn policy_path(acme: &crate::support::Partner) -> String {
    let tenant_id = acme.tenant("customers").await["id"].as_str().unwrap().to_owned();
    let app_id = acme.app(&tenant_id, "Portal").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    format!("/v1/tenants/{tenant_id}/apps/{app_id}/policy")
}

#[tokio::test]
async fn a_new_version_replaces_the_one_that_was_read() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let path = policy_path(&acme).await;
    let read = acme.get(&path).await;
    assert_eq!(read.header("etag"), "\"1\"");
    let first = read.expect(200);
    assert_eq!(
        (&first["version"], &first["in_force"]),
        (&json!(1), &json!(false))
    );
    assert!(first["author"].as_str().unwrap().starts_with("key_"));
    let answer = acme.put(&path, 1, examples::policy()).await;
    assert_eq!(answer.header("etag"), "\"2\"");
    let location = answer.header("location").to_owned();
    let put = answer.expect(202);
    assert_eq!(put["policy"]["version"], json!(2));
    assert_eq!(
        acme.get(&location).await.expect(200)["kind"],
        json!("update_policy")
    );
    let second = acme.get(&path).await.expect(200);
    assert_eq!(second["document"]["default"]["attempts"], json!(3));
    let app_path = path.trim_end_matches("/policy");
    assert_eq!(acme.get(app_path).await.expect(200)["policy_version"], json!(2));
}

#[tokio::test]
async fn in_force_follows_the_worker() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let path = policy_path(&acme).await;
    let in_force = async |caller: &Caller| caller.get(&path).await.expect(200)["in_force"].as_bool().unwrap();
    assert!(!in_force(&acme).await);
    sqlx::raw_sql("UPDATE apps SET client_id = 'c'; UPDATE tenants SET observed_generation = generation")
        .execute(&app.owner)
        .await
        .unwrap();
    assert!(in_force(&acme).await);
    acme.put(&path, 1, examples::policy()).await.expect(202);
    assert!(!in_force(&acme).await);
    sqlx::raw_sql("UPDATE tenants SET observed_generation = generation")
        .execute(&app.owner)
        .await
        .unwrap();
    assert!(in_force(&acme).await);
    // A change of something else does not put the policy out of force.
    let tenant = path.split("/apps").next().unwrap();
    acme.patch(tenant, json!({"name": "renamed"})).await.expect(202);
    assert!(in_force(&acme).await);
}

#[tokio::test]
async fn a_write_needs_the_version_it_replaces() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let path = policy_path(&acme).await;
    let without = send(acme.request(Method::PUT, &path).json(&examples::policy())).await;
    without
        .problem(428, "precondition_required")
        .names("header:If-Match", "missing");
    acme.put(&path, 7, examples::policy())
        .await
        .problem(412, "precondition_failed");
    for bad in ["1", "*", "W/\"1\"", "\"x\"", "\"0\"", "\"1\", \"2\"", ""] {
        let answer = send(
            acme.request(Method::PUT, &path)
                .header("if-match", bad)
                .json(&examples::policy()),
        )
        .await;
        answer
            .problem(400, "invalid_header")
            .names("header:If-Match", "invalid");
    }
    assert_eq!(acme.get(&path).await.expect(200)["version"], json!(1));
}

#[tokio::test]
async fn of_two_writers_one_wins() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let path = policy_path(&acme).await;
    let (a, b) = tokio::join!(
        acme.put(&path, 1, examples::policy()),
        acme.put(&path, 1, examples::policy())
    );
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 412]);
}

#[tokio::test]
async fn everything_wrong_with_a_document_is_named() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let path = policy_path(&acme).await;
    let mut document = examples::policy();
    document["default"]["methods"][1] = json!("carrier pigeon");
    document["default"]["attempts"] = json!(9);
    let problem = acme
        .put(&path, 1, document.clone())
        .await
        .problem(422, "validation_failed");
    let fields = problem.fields();
    assert!(
        fields
            .iter()
            .any(|field| field.starts_with("/default/methods/1 ")),
        "{fields:?}"
    );
    assert!(
        fields.iter().any(|field| field.starts_with("/default/attempts ")),
        "{fields:?}"
    );
    let apps = path.split("/app_").next().unwrap();
    let problem = acme
        .post(apps, json!({"name": "Second", "policy": document}))
        .await
        .problem(422, "validation_failed");
    let fields = problem.fields();
    assert!(
        fields
            .iter()
            .any(|field| field.starts_with("/policy/default/methods/1 ")),
        "{fields:?}"
    );
}
