//! Cells.

use crate::support::TestApp;
use serde_json::json;

#[tokio::test]
async fn operators_and_auditors_see_the_cells() {
    let app = TestApp::start().await;
    for caller in [app.operator().clone(), app.auditor().await] {
        let cells = caller.get("/v1/cells").await.expect(200);
        let cell = &cells["items"][0];
        assert_eq!(cell["account_id"], json!(app.account_id));
        assert_eq!(
            (&cell["state"], &cell["architecture"]),
            (&json!("ready"), &json!("x86_64"))
        );
        assert_eq!(cell["allowed_provider_networks"], json!(["127.0.0.1/32"]));
        let one = caller
            .get(&format!("/v1/cells/{}", cell["id"].as_str().unwrap()))
            .await
            .expect(200);
        assert_eq!(&one, cell);
    }
    app.operator()
        .get("/v1/cells/cel_01jd7v0p3h8s5k2m4n6q9r1t0w")
        .await
        .problem(404, "not_found");
    app.operator()
        .get("/v1/cells/cel_x")
        .await
        .problem(404, "not_found");
}

#[tokio::test]
async fn a_tenant_goes_to_the_cell_asked_for_or_to_the_emptiest() {
    let app = TestApp::start_without_cell().await;
    let acme = app.partner("acme").await;
    let tenant = crate::support::examples::tenant;
    acme.post("/v1/tenants", tenant("none"))
        .await
        .problem(409, "no_cell_available");
    let first = app.add_cell("eu-central-1").await.id.to_string();
    app.clock.advance(chrono::TimeDelta::seconds(1));
    let second = app.add_cell("us-east-1").await.id.to_string();
    assert_eq!(acme.tenant("one").await["cell_id"], json!(first));
    let two = acme.tenant("two").await;
    assert_eq!(
        (&two["cell_id"], &two["region"]),
        (&json!(second), &json!("us-east-1"))
    );
    let mut asked = tenant("three");
    asked["cell_id"] = json!(second);
    assert_eq!(
        acme.post("/v1/tenants", asked.clone()).await.expect(202)["tenant"]["cell_id"],
        json!(second)
    );
    sqlx::raw_sql("UPDATE cells SET state = 'closed'")
        .execute(&app.owner)
        .await
        .unwrap();
    asked["name"] = json!("four");
    acme.post("/v1/tenants", asked)
        .await
        .problem(409, "no_cell_available")
        .names("/cell_id", "not_available");
}
