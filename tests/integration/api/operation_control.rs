//! Listing and cancelling operations.

use crate::support::{TestApp, examples};
use serde_json::{Value, json};

fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap().iter();
    items
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn operations_are_listed_newest_first_and_filtered() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let one = acme.tenant("one").await["id"].as_str().unwrap().to_owned();
    let two = acme.tenant("two").await["id"].as_str().unwrap().to_owned();
    let mut newest_first = Vec::new();
    for name in ["a", "b", "c"] {
        app.clock.advance(chrono::TimeDelta::seconds(1));
        let made = acme
            .post(&format!("/v1/tenants/{one}/apps"), json!({"name": name}))
            .await
            .expect(202);
        newest_first.insert(0, made["operation"]["id"].as_str().unwrap().to_owned());
    }
    let all = acme.get("/v1/operations").await.expect(200);
    assert_eq!(ids(&all)[..3], newest_first);
    assert_eq!(all["items"].as_array().unwrap().len(), 5);
    let read = acme
        .get(&format!("/v1/operations/{}", newest_first[0]))
        .await
        .expect(200);
    assert_eq!(
        all["items"][0], read,
        "the list shows what reading one shows, steps included"
    );

    let mut seen = Vec::new();
    let mut path = "/v1/operations?limit=2&kind=create_app".to_owned();
    loop {
        let page = acme.get(&path).await.expect(200);
        seen.extend(ids(&page));
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/v1/operations?limit=2&kind=create_app&cursor={cursor}");
    }
    assert_eq!(seen, newest_first);
    let of_two = acme
        .get(&format!("/v1/operations?tenant_id={two}&state=pending"))
        .await
        .expect(200);
    assert_eq!(of_two["items"].as_array().unwrap().len(), 1);
    assert_eq!(of_two["items"][0]["tenant_id"], json!(two));
    let failed = acme.get("/v1/operations?state=failed").await.expect(200);
    assert_eq!(failed["items"], json!([]));
    for (query, field) in [
        ("state=done", "query:state invalid"),
        ("kind=make_coffee", "query:kind invalid"),
        (
            "tenant_id=app_01jd7v0p3h8s5k2m4n6q9r1t0w",
            "query:tenant_id invalid",
        ),
        ("state=failed&state=failed", "query:state duplicate"),
    ] {
        let problem = acme.get(&format!("/v1/operations?{query}")).await;
        assert_eq!(problem.problem(400, "invalid_query").fields(), [field]);
    }

    let other = app.partner("other").await;
    other
        .get(&format!("/v1/operations?tenant_id={one}"))
        .await
        .problem(404, "not_found");
    assert_eq!(other.get("/v1/operations").await.expect(200)["items"], json!([]));
    let everybodys = app.operator().get("/v1/operations").await.expect(200);
    assert_eq!(everybodys["items"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn a_pending_operation_is_cancelled_once_and_the_worker_leaves_the_tenant() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let made = acme
        .post("/v1/tenants", examples::tenant("customers"))
        .await
        .expect(202);
    let cancel = format!(
        "/v1/operations/{}:cancel",
        made["operation"]["id"].as_str().unwrap()
    );
    let why = json!({"reason": "wrong community"});
    let cancelled = acme.post(&cancel, why.clone()).await.expect(200);
    assert_eq!(cancelled["state"], json!("cancelled"));
    assert!(cancelled["started_at"].is_null() && cancelled["finished_at"].is_string());
    let steps = cancelled["steps"].as_array().unwrap();
    assert!(steps.iter().all(|step| step["state"] == "skipped"), "{steps:?}");
    acme.post(&cancel, why).await.problem(409, "operation_state");
    assert!(app.run_worker().await.is_empty(), "nobody works on it any more");

    let audited: (String, String, Value) =
        sqlx::query_as("SELECT action, reason, detail FROM audit_log ORDER BY position DESC LIMIT 1")
            .fetch_one(&app.owner)
            .await
            .unwrap();
    assert_eq!(
        audited,
        (
            "operation_cancelled".into(),
            "wrong community".into(),
            json!({"kind": "create_tenant", "was": "pending"})
        )
    );

    // What was asked for stays asked for: the next change takes it up.
    let tenant = format!("/v1/tenants/{}", made["tenant"]["id"].as_str().unwrap());
    assert_eq!(acme.get(&tenant).await.expect(200)["ready"], json!(false));
    let again = acme.patch(&tenant, json!({"name": "renamed"})).await.expect(202);
    assert_eq!(app.run_worker().await.len(), 1, "the tenant is due again");
    let location = format!("/v1/operations/{}", again["operation"]["id"].as_str().unwrap());
    assert_ne!(acme.get(&location).await.expect(200)["state"], json!("pending"));
    let first = acme.get(cancel.trim_end_matches(":cancel")).await.expect(200);
    assert_eq!(
        first["state"],
        json!("cancelled"),
        "a pass does not reopen what was cancelled"
    );
}

#[tokio::test]
async fn cancelling_takes_the_tenant_from_the_worker_that_has_it() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let made = acme
        .post("/v1/tenants", examples::tenant("customers"))
        .await
        .expect(202);
    let run = async |statement: &'static str| sqlx::raw_sql(statement).execute(&app.owner).await.unwrap();
    run(
        "UPDATE tenants SET lease_owner = 'w', lease_expires_at = '2100-01-01Z', fencing_token = 7;
         UPDATE operations SET state = 'running', started_at = '2026-01-05T10:00:00Z'",
    )
    .await;
    let path = format!("/v1/operations/{}", made["operation"]["id"].as_str().unwrap());
    let cancelled = acme
        .post(&format!("{path}:cancel"), json!({"reason": "stuck"}))
        .await
        .expect(200);
    assert_eq!(
        (&cancelled["state"], &cancelled["started_at"]),
        (&json!("cancelled"), &json!("2026-01-05T10:00:00Z"))
    );
    let claim: (Option<String>, i64) = sqlx::query_as("SELECT lease_owner, fencing_token FROM tenants")
        .fetch_one(&app.owner)
        .await
        .unwrap();
    assert_eq!(claim, (None, 8), "the worker's next write is refused");
}

#[tokio::test]
async fn another_open_operation_keeps_the_worker_at_it() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let tenant_id = acme.tenant("customers").await["id"].as_str().unwrap().to_owned();
    let made = acme
        .post(
            &format!("/v1/tenants/{tenant_id}/apps"),
            json!({"name": "Portal"}),
        )
        .await
        .expect(202);
    let path = format!("/v1/operations/{}", made["operation"]["id"].as_str().unwrap());
    acme.post(&format!("{path}:cancel"), json!({"reason": "later"}))
        .await
        .expect(200);
    assert_eq!(app.run_worker().await.len(), 1);
}

#[tokio::test]
async fn a_suspension_is_carried_through() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let tenant_id = acme.tenant("customers").await["id"].as_str().unwrap().to_owned();
    let why = json!({"reason": "drill"});
    let made = acme
        .post(&format!("/v1/tenants/{tenant_id}:suspend"), why.clone())
        .await
        .expect(202);
    let path = format!("/v1/operations/{}", made["operation"]["id"].as_str().unwrap());
    let problem = acme
        .post(&format!("{path}:cancel"), why)
        .await
        .problem(409, "operation_state");
    assert!(
        problem.body["detail"]
            .as_str()
            .unwrap()
            .contains("carried through")
    );
    assert_eq!(acme.get(&path).await.expect(200)["state"], json!("pending"));
}
