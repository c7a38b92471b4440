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
        assert_eq!(
            cell["quotas"],
            json!({"user_pools": null, "stacks": null, "roles": null, "sign_in_calls_per_s": null})
        );
        assert_eq!(cell["aws_call_limits"], json!({}));
        // 1,000 roles, one of them the forwarder's, two a tenant.
        assert_eq!(
            (&cell["head_room"]["tenants"], &cell["head_room"]["free_tenants"]),
            (&json!(0), &json!(499))
        );
        assert_eq!(cell["head_room"]["quotas"].as_array().unwrap().len(), 4);
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
async fn cells_are_listed_in_pages() {
    let app = TestApp::start_without_cell().await;
    let mut made = Vec::new();
    for region in ["eu-central-1", "us-east-1", "ap-south-1"] {
        made.push(json!(app.add_cell(region).await.id));
        app.clock.advance(chrono::TimeDelta::seconds(1));
    }
    let first = app.operator().get("/v1/cells?limit=2").await.expect(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = app
        .operator()
        .get(&format!("/v1/cells?limit=2&cursor={cursor}"))
        .await;
    let rest = rest.expect(200);
    let ids = |page: &serde_json::Value| -> Vec<serde_json::Value> {
        let items = page["items"].as_array().unwrap();
        items.iter().map(|cell| cell["id"].clone()).collect()
    };
    assert_eq!(
        (ids(&first), ids(&rest)),
        (made[..2].to_vec(), made[2..].to_vec())
    );
    assert_eq!(rest["next_cursor"], json!(null));
    app.operator()
        .get("/v1/cells?limit=0")
        .await
        .problem(400, "invalid_query");
}

#[tokio::test]
async fn what_cell_apply_registers_leaves_the_etag_as_it_is() {
    let app = TestApp::start_without_cell().await;
    let cell = app.add_cell("eu-central-1").await;
    let path = format!("/v1/cells/{}", cell.id);
    let read = app.operator().get(&path).await;
    assert_eq!(read.header("etag"), "\"1\"");
    app.clock.advance(chrono::TimeDelta::seconds(1));
    // Again, by the command that an operator runs for every release.
    assert_eq!(app.add_cell("eu-central-1").await.id, cell.id);
    let applied = app.operator().get(&path).await;
    assert_eq!(applied.header("etag"), "\"1\"");
    assert_ne!(applied.expect(200)["updated_at"], read.expect(200)["updated_at"]);
    let closed = app.operator().patch(&path, json!({"state": "closed"})).await;
    assert_eq!(closed.header("etag"), "\"2\"");
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

#[tokio::test]
async fn a_tenant_goes_to_the_region_that_was_asked_for() {
    let app = TestApp::start_without_cell().await;
    let acme = app.partner("acme").await;
    let tenant = crate::support::examples::tenant;
    app.add_cell("eu-central-1").await;
    app.clock.advance(chrono::TimeDelta::seconds(1));
    let american = app.add_cell("us-east-1").await.id.to_string();
    let mut asked = tenant("one");
    asked["region"] = json!("us-east-1");
    let placed = acme.post("/v1/tenants", asked.clone()).await.expect(202);
    assert_eq!(placed["tenant"]["cell_id"], json!(american));
    // Fewer live in the other one, but that is not where it was to be.
    asked["name"] = json!("two");
    let placed = acme.post("/v1/tenants", asked.clone()).await.expect(202);
    assert_eq!(placed["tenant"]["region"], "us-east-1");
    asked["name"] = json!("three");
    asked["region"] = json!("ap-south-1");
    acme.post("/v1/tenants", asked)
        .await
        .problem(409, "no_cell_available")
        .names("/region", "not_available");
}

#[tokio::test]
async fn a_full_cell_says_which_quota_is_spent_and_takes_tenants_again_when_it_was_raised() {
    let app = TestApp::start_without_cell().await;
    let acme = app.partner("acme").await;
    let cell = app.add_cell("eu-central-1").await.id.to_string();
    let path = format!("/v1/cells/{cell}");
    let operator = app.operator();
    let quotas =
        async |quotas: serde_json::Value| operator.patch(&path, json!({"quotas": quotas})).await.expect(200);
    // Room for two: a role of the forwarder's, and two a tenant.
    let changed = quotas(json!({"roles": 6})).await;
    assert_eq!(changed["head_room"]["free_tenants"], 2, "{changed}");
    let tenant = crate::support::examples::tenant;
    acme.post("/v1/tenants", tenant("one")).await.expect(202);
    acme.post("/v1/tenants", tenant("two")).await.expect(202);
    let refused = acme
        .post("/v1/tenants", tenant("three"))
        .await
        .problem(409, "cell_full");
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(
        detail.contains(&cell) && detail.contains("5 of 6 IAM roles") && detail.contains("operator"),
        "{detail}"
    );
    let full = operator.get(&path).await.expect(200);
    assert_eq!(
        (
            &full["head_room"]["free_tenants"],
            &full["head_room"]["free_permille"]
        ),
        (&json!(0), &json!(0))
    );
    quotas(json!({"user_pools": 2})).await;
    let refused = acme
        .post("/v1/tenants", tenant("three"))
        .await
        .problem(409, "cell_full");
    assert!(
        refused.body["detail"]
            .as_str()
            .unwrap()
            .contains("2 of 2 Cognito user pools")
    );
    let back = quotas(json!({})).await;
    assert_eq!(
        (&back["quotas"]["user_pools"], &back["quotas"]["roles"]),
        (&json!(null), &json!(null))
    );
    acme.post("/v1/tenants", tenant("three")).await.expect(202);
    operator
        .patch(&path, json!({"quotas": {"roles": 1_000_001}}))
        .await
        .problem(422, "validation_failed")
        .names("/quotas/roles", "out_of_range");
}

#[tokio::test]
async fn the_last_place_is_given_away_once() {
    let app = TestApp::start_without_cell().await;
    let acme = app.partner("acme").await;
    let cell = app.add_cell("eu-central-1").await.id.to_string();
    let quotas = json!({"quotas": {"user_pools": 3}});
    app.operator()
        .patch(&format!("/v1/cells/{cell}"), quotas)
        .await
        .expect(200);
    let names: Vec<String> = (0..8).map(|index| format!("tenant {index}")).collect();
    let asked = names
        .iter()
        .map(|name| acme.post("/v1/tenants", crate::support::examples::tenant(name)));
    let answers = futures_util::future::join_all(asked).await;
    let (placed, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 202);
    assert_eq!((placed.len(), refused.len()), (3, 5));
    for answer in refused {
        answer.problem(409, "cell_full");
    }
}

#[tokio::test]
async fn a_closed_cell_keeps_its_tenants_and_an_unfinished_one_is_completed_there() {
    let app = TestApp::start_without_cell().await;
    let acme = app.partner("acme").await;
    let cell = app.add_cell("eu-central-1").await.id.to_string();
    let tenant = acme.tenant("one").await;
    acme.tenant("unfinished").await;
    // As if the service had died before the client secret was in the cell.
    sqlx::raw_sql("DELETE FROM operation_steps; DELETE FROM operations; UPDATE tenants SET state = 'awaiting_secret', credentials_secret_arn = NULL WHERE name = 'unfinished'")
        .execute(&app.owner)
        .await
        .unwrap();
    let close = async |state: &str| {
        let path = format!("/v1/cells/{cell}");
        app.operator()
            .patch(&path, json!({"state": state}))
            .await
            .expect(200)
    };
    assert_eq!(close("closed").await["state"], "closed");
    let example = crate::support::examples::tenant;
    acme.post("/v1/tenants", example("two"))
        .await
        .problem(409, "no_cell_available");
    let completed = acme.post("/v1/tenants", example("unfinished")).await.expect(202);
    assert_eq!(completed["tenant"]["cell_id"], json!(cell));
    let path = format!("/v1/tenants/{}", tenant["id"].as_str().unwrap());
    acme.patch(&path, json!({"name": "renamed"})).await.expect(202);
    let entry: (String, serde_json::Value) =
        sqlx::query_as("SELECT action, detail FROM audit_log WHERE action = 'cell_changed'")
            .fetch_one(&app.owner)
            .await
            .unwrap();
    assert_eq!(
        entry.1["changes"]["/state"],
        json!({"from": "ready", "to": "closed"})
    );
    close("closed").await;
    assert_eq!(close("ready").await["state"], "ready");
    let entries: i64 = sqlx::query_scalar("SELECT count(*) FROM audit_log WHERE action = 'cell_changed'")
        .fetch_one(&app.owner)
        .await
        .unwrap();
    assert_eq!(entries, 2, "to close what is closed changes nothing");
    acme.post("/v1/tenants", example("two")).await.expect(202);
}

#[tokio::test]
async fn an_operator_tells_how_often_aws_may_be_called() {
    let app = TestApp::start_without_cell().await;
    let cell = app.add_cell("eu-central-1").await.id.to_string();
    let path = format!("/v1/cells/{cell}");
    let operator = app.operator();
    let limit = async |limits: serde_json::Value| {
        let body = json!({ "aws_call_limits": limits });
        operator.patch(&path, body).await
    };
    let raised = json!({"cognito-idp:UserPoolUpdate": 30.0, "cloudformation:Describe": 0.5});
    let changed = limit(raised.clone()).await.expect(200);
    assert_eq!(changed["aws_call_limits"], raised);
    assert_eq!(operator.get(&path).await.expect(200)["aws_call_limits"], raised);
    // The same again is no change; what is absent in the next is AWS's default again.
    limit(raised.clone()).await.expect(200);
    let replaced = json!({"lambda:GetFunction": 200.0});
    assert_eq!(
        limit(replaced.clone()).await.expect(200)["aws_call_limits"],
        replaced
    );
    let entries: Vec<serde_json::Value> =
        sqlx::query_scalar("SELECT detail FROM audit_log WHERE action = 'cell_changed' ORDER BY position")
            .fetch_all(&app.owner)
            .await
            .unwrap();
    assert_eq!(entries.len(), 2, "{entries:?}");
    assert_eq!(
        entries[0]["changes"]["/aws_call_limits/cognito-idp:UserPoolUpdate"],
        json!({"from": null, "to": 30.0}),
        "{entries:?}"
    );

    let refused = limit(json!({"cognito-idp:Everything": 5, "lambda:GetFunction": 5})).await;
    let refused = refused.problem(422, "validation_failed");
    let detail = refused.body["errors"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("`cognito-idp:UserPoolRead`"), "{detail}");
    refused.names("/aws_call_limits/cognito-idp:Everything", "unknown");
    for rate in [json!(0), json!(-3), json!(0.1), json!(100_001)] {
        limit(json!({ "lambda:GetFunction": rate }))
            .await
            .problem(422, "validation_failed")
            .names("/aws_call_limits/lambda:GetFunction", "out_of_range");
    }
    for nonsense in [
        json!(["lambda:GetFunction"]),
        json!({"lambda:GetFunction": "many"}),
        json!(7),
    ] {
        limit(nonsense).await.problem(422, "validation_failed");
    }
    assert_eq!(operator.get(&path).await.expect(200)["aws_call_limits"], replaced);
}
