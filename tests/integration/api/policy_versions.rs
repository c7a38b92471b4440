//! Older versions of policies: listed, read, compared, written back.

use super::policies::policy_path;
use crate::support::{TestApp, client::send, examples};
use reqwest::Method;
use serde_json::{Value, json};

fn with_attempts(attempts: u8) -> Value {
    let mut document = examples::policy();
    document["default"]["attempts"] = json!(attempts);
    document
}

#[tokio::test]
async fn versions_are_listed_newest_first_and_read() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let path = policy_path(&acme).await;
    for version in 1..=3 {
        acme.put(&path, version, with_attempts(1)).await.expect(202);
    }
    let numbers = |page: &Value| -> Vec<i64> {
        let items = page["items"].as_array().unwrap();
        items
            .iter()
            .map(|item| item["version"].as_i64().unwrap())
            .collect()
    };
    let page = acme.get(&format!("{path}/versions?limit=3")).await.expect(200);
    assert_eq!(numbers(&page), [4, 3, 2]);
    assert!(page["items"][0]["author"].as_str().unwrap().starts_with("key_"));
    assert!(page["items"][0]["created_at"].is_string());
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = acme
        .get(&format!("{path}/versions?cursor={cursor}"))
        .await
        .expect(200);
    assert_eq!((numbers(&rest), &rest["next_cursor"]), (vec![1], &Value::Null));
    // A cursor of another list names no version.
    let foreign = stepgate::storage::Cursor {
        created_at: chrono::DateTime::UNIX_EPOCH,
        id: "tnt_x".into(),
    };
    acme.get(&format!("{path}/versions?cursor={}", foreign.encode()))
        .await
        .problem(400, "invalid_query");

    let second = acme.get(&format!("{path}/versions/2")).await.expect(200);
    assert_eq!(
        (&second["version"], &second["document"]["default"]["attempts"]),
        (&json!(2), &json!(1))
    );
    for absent in [
        "versions/5",
        "versions/0",
        "versions/x",
        "versions/2/diff/9",
        "versions/9/diff/2",
    ] {
        acme.get(&format!("{path}/{absent}"))
            .await
            .problem(404, "not_found");
    }
}

#[tokio::test]
async fn differences_are_told_from_the_older_to_the_newer() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let path = policy_path(&acme).await;
    acme.put(&path, 1, with_attempts(3)).await.expect(202);
    acme.put(&path, 2, with_attempts(1)).await.expect(202);
    let changes = async |version: u8, against: u8| {
        acme.get(&format!("{path}/versions/{version}/diff/{against}"))
            .await
            .expect(200)["changes"]
            .take()
    };
    let change = |before: u8, after: u8| json!([{"rule": "default", "kind": "changed", "field": "/attempts", "before": before, "after": after}]);
    assert_eq!(changes(3, 2).await, change(3, 1));
    assert_eq!(changes(2, 3).await, change(1, 3));
    assert_eq!(changes(2, 2).await, json!([]));
}

#[tokio::test]
async fn a_rollback_writes_the_older_document_as_a_new_version() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let path = policy_path(&acme).await;
    acme.put(&path, 1, with_attempts(1)).await.expect(202);
    let back = async |if_match: Option<&str>, version: i64| {
        let request = acme
            .request(Method::POST, &format!("{path}:rollback"))
            .json(&json!({"version": version}));
        send(match if_match {
            Some(etag) => request.header("if-match", etag),
            None => request,
        })
        .await
    };
    back(None, 1).await.problem(428, "precondition_required");
    back(Some("\"1\""), 1).await.problem(412, "precondition_failed");
    for (version, code) in [
        (2, "not_older"),
        (7, "not_older"),
        (0, "unknown"),
        (-1, "unknown"),
    ] {
        back(Some("\"2\""), version)
            .await
            .problem(422, "validation_failed")
            .names("/version", code);
    }
    let answer = back(Some("\"2\""), 1).await;
    assert_eq!(answer.header("etag"), "\"3\"");
    let location = answer.header("location").to_owned();
    assert_eq!(answer.expect(202)["policy"]["version"], json!(3));
    assert_eq!(
        acme.get(&location).await.expect(200)["kind"],
        json!("update_policy")
    );
    let same = acme.get(&format!("{path}/versions/3/diff/1")).await.expect(200);
    assert_eq!(same["changes"], json!([]));
    let undone = acme.get(&format!("{path}/versions/3/diff/2")).await.expect(200);
    assert_ne!(undone["changes"], json!([]));
}
