//! Users and links over the API, as far as no pool is asked; with one: `crate::links`, `crate::users`.

use crate::support::TestApp;
use serde_json::{Value, json};

const SUB: &str = "f3b5a1c2-7d4e-4f60-9a1b-2c3d4e5f6071";

#[tokio::test]
async fn who_is_looked_for_is_said_in_exactly_one_way() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let tenant_id = acme.tenant("customers").await["id"].as_str().unwrap().to_owned();
    let find = format!("/v1/tenants/{tenant_id}/users:find");
    for (body, field) in [
        (json!({}), " exactly_one"),
        (
            json!({"username": "ann", "email": "ann@acme.example"}),
            " exactly_one",
        ),
        (json!({"sub": SUB, "username": "ann"}), " exactly_one"),
        (json!({"username": ""}), "/username empty"),
        (json!({"email": "x".repeat(129)}), "/email too_long"),
        (json!({"username": "a\u{7}"}), "/username control_character"),
        (json!({"sub": "ann"}), "/sub invalid"),
        (json!({"phone": "1"}), "/phone unknown_field"),
    ] {
        let problem = acme
            .post(&find, body.clone())
            .await
            .problem(422, "validation_failed");
        assert_eq!(problem.fields(), [field], "{body}");
    }
    for body in [
        json!({"username": "ann"}),
        json!({"email": "ann@acme.example"}),
        json!({"sub": SUB}),
    ] {
        acme.post(&find, body).await.problem(409, "tenant_state");
    }
}

#[tokio::test]
async fn names_in_the_path_lead_nowhere_and_nothing_undone_is_written_down() {
    let app = TestApp::start().await;
    let (acme, other) = (app.partner("acme").await, app.partner("other").await);
    let tenant_id = acme.tenant("customers").await["id"].as_str().unwrap().to_owned();
    let users = format!("/v1/tenants/{tenant_id}/users");
    for name in ["ann", "ann@acme.example", &SUB.to_uppercase(), "user%23x"] {
        acme.get(&format!("{users}/{name}"))
            .await
            .problem(404, "not_found");
        acme.get(&format!("{users}/{name}/links"))
            .await
            .problem(404, "not_found");
    }
    let reason = json!({"reason": "drill"});
    let user = format!("{users}/{SUB}");
    acme.post(&format!("{user}/links/short:unlink"), reason.clone())
        .await
        .problem(404, "not_found");
    acme.post(&format!("{user}/links/{}:unlink", "G".repeat(64)), reason.clone())
        .await
        .problem(404, "not_found");
    let link = json!({"subject": "s", "reason": "drill"});
    acme.post(&format!("{user}/links"), link.clone())
        .await
        .problem(409, "tenant_state");
    acme.post(&format!("{user}:sign-out"), reason.clone())
        .await
        .problem(409, "tenant_state");
    let unspoken = json!({"subject": "s", "reason": ""});
    acme.post(&format!("{user}/links"), unspoken)
        .await
        .problem(422, "validation_failed")
        .names("/reason", "empty");
    for (path, body) in [
        (format!("{users}:find"), json!({"username": "ann"})),
        (format!("{user}:sign-out"), reason.clone()),
        (format!("{user}/links"), link),
        (format!("{user}/links/{}:unlink", "0".repeat(64)), reason),
    ] {
        other.post(&path, body).await.problem(404, "not_found");
    }
    let entries: Vec<Value> =
        sqlx::query_scalar("SELECT to_jsonb(a) FROM audit_log a WHERE action LIKE 'user_%'")
            .fetch_all(&app.owner)
            .await
            .unwrap();
    assert_eq!(entries, Vec::<Value>::new());
}
