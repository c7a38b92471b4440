//! Operations, as the worker's records make them.

use crate::support::TestApp;
use serde_json::{Value, json};

#[tokio::test]
async fn an_operation_shows_steps_and_outcome() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let created = acme
        .post("/v1/tenants", crate::support::examples::tenant("customers"))
        .await
        .expect(202);
    let planned = created["operation"]["steps"].as_array().unwrap();
    assert!(
        planned
            .iter()
            .all(|step| step["state"] == "pending" && step["attempts"] == 0)
            && planned.len() > 3
    );
    let id: String = sqlx::query_scalar("SELECT id FROM operations")
        .fetch_one(&app.owner)
        .await
        .unwrap();
    let path = format!("/v1/operations/{id}");
    let pending = acme.get(&path).await.expect(200);
    assert_eq!(
        (&pending["state"], &pending["steps"], &pending["started_at"]),
        (&json!("pending"), &created["operation"]["steps"], &Value::Null)
    );

    let run = async |statements: String| {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statements))
            .execute(&app.owner)
            .await
            .unwrap()
    };
    let tries = json!([
        {"number": 1, "started_at": "2026-01-05T10:00:02Z", "finished_at": "2026-01-05T10:00:03.5Z",
         "error": "AWS did not answer.", "aws_request_id": "req-0"},
        {"number": 2, "started_at": "2026-01-05T10:00:05Z"},
    ]);
    run(format!(
        "UPDATE operations SET state = 'running', started_at = '2026-01-05T10:00:01Z';
         DELETE FROM operation_steps;
         INSERT INTO operation_steps (operation_id, position, name, state, attempts, detail, aws_request_id, started_at, tries)
         VALUES ('{id}', 1, 'second', 'pending', 0, NULL, NULL, NULL, '[]'),
                ('{id}', 0, 'first', 'running', 2, 'CREATE_IN_PROGRESS', 'req-1', '2026-01-05T10:00:02Z', $${tries}$$)"
    ))
    .await;
    let running = acme.get(&path).await.expect(200);
    assert_eq!(running["state"], json!("running"));
    assert_eq!(
        running["steps"],
        json!([
            {"name": "first", "state": "running", "attempts": 2, "detail": "CREATE_IN_PROGRESS", "error": null,
             "aws_request_id": "req-1", "started_at": "2026-01-05T10:00:02Z", "finished_at": null,
              "duration_ms": null, "tries": [
                {"number": 1, "started_at": "2026-01-05T10:00:02Z", "finished_at": "2026-01-05T10:00:03.500Z",
                 "duration_ms": 1500, "error": "AWS did not answer.", "aws_request_id": "req-0"},
                {"number": 2, "started_at": "2026-01-05T10:00:05Z", "finished_at": null, "duration_ms": null,
                 "error": null, "aws_request_id": null},
             ]},
            {"name": "second", "state": "pending", "attempts": 0, "detail": null, "error": null,
             "aws_request_id": null, "started_at": null, "finished_at": null, "duration_ms": null,
             "tries": []},
        ])
    );
    run("UPDATE operations SET state = 'failed', finished_at = '2026-01-05T10:00:09Z',
         error = '{\"code\": \"LimitExceeded\", \"message\": \"No room.\", \"step\": \"first\", \"at\": \"2026-01-05T10:00:09Z\"}'"
        .to_owned())
    .await;
    let failed = acme.get(&path).await.expect(200);
    assert_eq!(
        (&failed["state"], &failed["error"]["code"]),
        (&json!("failed"), &json!("LimitExceeded"))
    );
    assert_eq!(failed["finished_at"], json!("2026-01-05T10:00:09Z"));
    acme.get("/v1/operations/op_01jd7v0p3h8s5k2m4n6q9r1t0w")
        .await
        .problem(404, "not_found");
}
