//! The OpenAPI document.

use crate::support::TestApp;
use serde_json::{Value, json};
use std::path::Path;

#[test]
fn the_document_that_is_checked_in_is_up_to_date() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/stepgate.json");
    let checked_in = std::fs::read_to_string(file).unwrap_or_default();
    let made = stepgate::api::document::document_text().unwrap();
    assert!(
        checked_in == made,
        "openapi/stepgate.json is stale; run: cargo run -- openapi > openapi/stepgate.json"
    );
}

#[tokio::test]
async fn every_operation_is_described_and_references_resolve() {
    let app = TestApp::start().await;
    let document = app.anybody().get("/openapi.json").await.expect(200);
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = format!("{method} {path}");
            assert!(
                operation["summary"].as_str().is_some_and(|text| !text.is_empty()),
                "{name} has no summary"
            );
            assert!(
                ids.insert(operation["operationId"].as_str().unwrap().to_owned()),
                "{name} has no id of its own"
            );
            assert!(
                operation["tags"].as_array().is_some_and(|tags| tags.len() == 1),
                "{name} has no tag"
            );
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let null = json!("null");
                assert!(
                    !parameter["schema"]["type"]
                        .as_array()
                        .is_some_and(|types| types.contains(&null)),
                    "{name}: {} cannot be null",
                    parameter["name"]
                );
            }
            if matches!(method.as_str(), "put" | "patch") {
                changes_what_was_read(&name, item, operation);
            }
            let schemes = operation["security"].as_array().map(Vec::len);
            assert_eq!(schemes, Some(usize::from(path.starts_with("/v1/"))), "{name}");
            assert!(
                operation["description"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{name} has no description"
            );
            for (status, response) in operation["responses"].as_object().unwrap() {
                if status == "204" {
                    assert!(
                        response["content"].is_null(),
                        "{name} has a content that cannot be"
                    );
                    continue;
                }
                let content = response["content"]
                    .as_object()
                    .unwrap_or_else(|| panic!("{name} {status} has no content"));
                let problem = status.parse::<u16>().unwrap() >= 400;
                assert_eq!(
                    content.contains_key("application/problem+json"),
                    problem,
                    "{name} {status}"
                );
            }
            let expected = if path.starts_with("/v1/") {
                &["401", "403", "500", "503"][..]
            } else {
                &["500", "503"]
            };
            for status in expected {
                assert!(
                    operation["responses"][status].is_object(),
                    "{name} lacks {status}"
                );
            }
        }
    }
    // The members of a whole are not refused by its parts.
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        for part in schema["allOf"].as_array().into_iter().flatten() {
            let Some(reference) = part["$ref"].as_str() else {
                continue;
            };
            let part = document.pointer(&reference[1..]).unwrap();
            assert!(
                part["additionalProperties"].is_null(),
                "{name} is refused by {reference}"
            );
        }
    }
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    assert!(references.len() > 50);
    for reference in references {
        let pointer = reference.strip_prefix('#').expect("a reference to elsewhere");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

/// Every update is under `If-Match`, and the reading of the same tells what to send there.
fn changes_what_was_read(name: &str, item: &Value, operation: &Value) {
    let parameters = operation["parameters"].as_array().unwrap();
    assert!(
        parameters
            .iter()
            .any(|one| one["name"] == "If-Match" && one["required"] == true),
        "{name} takes no If-Match"
    );
    for status in ["412", "428"] {
        assert!(
            operation["responses"][status].is_object(),
            "{name} lacks {status}"
        );
    }
    assert!(
        item["get"]["responses"]["200"]["headers"]["ETag"].is_object(),
        "what {name} changes is shown without an ETag"
    );
}

/// Lists that cannot grow: the kinds of problems are the service's own, methods are at most the shipped ones and 16.
const WITHOUT_PAGES: [&str; 2] = ["/problems", "/v1/tenants/{tenant_id}/blockid/methods"];

#[tokio::test]
async fn every_list_that_can_grow_has_pages() {
    let app = TestApp::start().await;
    let document = app.anybody().get("/openapi.json").await.expect(200);
    let (mut paged, mut without) = (0, Vec::new());
    for (path, item) in document["paths"].as_object().unwrap() {
        let Some(reference) =
            item["get"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].as_str()
        else {
            continue;
        };
        let schema = document.pointer(&reference[1..]).unwrap();
        if schema["properties"]["items"].is_null() {
            continue;
        }
        if schema["properties"]["next_cursor"].is_null() {
            without.push(path.as_str());
            continue;
        }
        let parameters = item["get"]["parameters"].as_array().unwrap();
        for wanted in ["limit", "cursor"] {
            assert!(
                parameters.iter().any(|one| one["name"] == wanted),
                "{path} takes no {wanted}"
            );
        }
        paged += 1;
    }
    assert_eq!(without, WITHOUT_PAGES);
    assert!(paged > 10, "only {paged} lists were found");
}

fn collect_references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| collect_references(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| collect_references(value, found)),
        _ => {}
    }
}
