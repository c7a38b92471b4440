//! The operations of the client against `openapi/stepgate.json`.

use crate::operations::OPERATIONS;
use serde_json::Value;
use std::collections::BTreeSet;

/// The document is made from the service's routes, so this compares the client with the service.
#[test]
fn every_operation_of_the_document_has_a_method_and_no_other_has() {
    let document: Value = serde_json::from_str(include_str!("../../../openapi/stepgate.json")).unwrap();
    let mut served = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            // Beside the methods a path has parameters that they share, and words about it.
            if let Some(id) = operation["operationId"].as_str() {
                served.insert((id.to_owned(), method.to_uppercase(), path.clone()));
            }
        }
    }
    let known: BTreeSet<_> = OPERATIONS
        .iter()
        .map(|line| (line.id.to_owned(), line.method.to_owned(), line.path.to_owned()))
        .collect();
    let missing: Vec<_> = served.difference(&known).collect();
    let gone: Vec<_> = known.difference(&served).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "add a line in crates/client/src/operations.rs for each of {missing:#?}; take these out: {gone:#?}"
    );
}

#[test]
fn what_is_changed_as_it_was_read_is_asked_for_with_its_revision() {
    let document: Value = serde_json::from_str(include_str!("../../../openapi/stepgate.json")).unwrap();
    let mut found = 0;
    for line in OPERATIONS {
        let operation = &document["paths"][line.path][line.method.to_lowercase()];
        let mut parameters = operation["parameters"].as_array().into_iter().flatten();
        let needs = parameters.any(|one| one["name"] == "If-Match");
        assert_eq!(line.parts.contains(&"if_match"), needs, "{}", line.id);
        found += usize::from(needs);
    }
    assert!(found > 8, "only {found} operations with If-Match");
}
