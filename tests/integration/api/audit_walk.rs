//! Every operation of the document that changes something leaves an entry in the audit log.

use super::authorization::{ask, call, case, fresh, new_keys, set};
use reqwest::Method;
use serde_json::json;

/// Operations that are not `GET` and change nothing.
const CHANGES_NOTHING: [&str; 5] = [
    "simulatePolicy",
    "validatePolicy",
    "verifyAudit",
    "checkConnection",
    "findUsers",
];

/// Operations that a pool, a provider or an earlier change must be there for: their entries are shown by tests of their own.
const SHOWN_ELSEWHERE: [&str; 7] = [
    "purgeTenant",
    "exportUsers",
    "completePilot",
    "signOutUser",
    "createLink",
    "unlinkUser",
    "revertConnection",
];

#[tokio::test]
async fn every_change_leaves_an_entry() {
    let mut walk = set(false).await;
    let app = &walk.app;
    let document = app.anybody().get("/openapi.json").await.expect(200);
    let entries = async || {
        let entries: Vec<(String, String)> =
            sqlx::query_as("SELECT action, actor FROM audit_log WHERE outcome = 'done' ORDER BY position")
                .fetch_all(&app.owner)
                .await
                .unwrap();
        entries
    };
    let mut walked = Vec::new();
    for (template, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let operation_id = operation["operationId"].as_str().unwrap();
            let left_out = CHANGES_NOTHING.contains(&operation_id) || SHOWN_ELSEWHERE.contains(&operation_id);
            if !template.starts_with("/v1/") || method == "get" || left_out {
                continue;
            }
            if operation_id.starts_with("rotate") {
                // A key is rotated once, and not after it was revoked.
                walk.ids.keys = new_keys(app, &walk.ids.partner).await;
            }
            if template.contains("{exemption_id}:") {
                walk.ids.exemption = ask(&walk.asker, &walk.ids).await;
            }
            if operation_id.ends_with("Rollout") {
                walk.ids.rollout = super::rollouts::walked(app, &walk.ids.cell, operation_id).await;
            }
            let (roles, mut body) = case(operation_id, "walked").unwrap();
            if operation_id == "updatePartner" {
                // The case of the authorization test changes nothing, and nothing is what it would leave.
                body = Some(json!({"name": "renamed"}));
            }
            if operation_id == "createExemption" {
                body = Some(json!({"app_id": walk.ids.app, "reason": "drill", "duration_min": 5}));
            }
            let path = fresh(&walk.asker, &walk.ids, operation_id)
                .await
                .fill(operation_id, template);
            let caller = if roles[2] {
                &walk.callers[2]
            } else {
                &walk.callers[0]
            };
            let method: Method = method.to_uppercase().parse().unwrap();
            let before = entries().await;
            let answer = call(caller, &method, &path, body.as_ref()).await;
            assert!(answer.status.is_success(), "{operation_id}: {}", answer.text);
            let after = entries().await;
            assert!(
                after.len() > before.len(),
                "{operation_id} left no entry in the audit log"
            );
            assert!(
                after[before.len()..]
                    .iter()
                    .any(|(_, actor)| actor.starts_with("key_")),
                "{operation_id} does not say who it was"
            );
            walked.push(operation_id.to_owned());
        }
    }
    assert!(walked.len() >= 9, "only {walked:?}");
}
