//! The published JSON Schema and the reader agree, in both directions, on what a schema can say.

use crate::arbitrary::policy;
use crate::schema_check::accepts;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::LazyLock;
use step_up::policy::{
    Binding, Condition, Outcome, PolicyDocument, Requirement, SubjectLink, ValidationContext, codes,
    json_schema, parse, validate,
};

/// Findings that are about form alone; the schema refuses them too.
const SAYABLE: [&str; 20] = [
    codes::TOO_MANY_RULES,
    codes::RULE_ID_EMPTY,
    codes::RULE_ID_RESERVED,
    codes::RULE_ID_MALFORMED,
    codes::LIST_EMPTY,
    codes::LIST_TOO_LONG,
    codes::VALUE_EMPTY,
    codes::ATTRIBUTE_MALFORMED,
    codes::APP_ID_MALFORMED,
    codes::ACTION_MALFORMED,
    codes::REASON_EMPTY,
    codes::METHODS_EMPTY,
    codes::METHODS_TOO_MANY,
    codes::METHOD_DUPLICATE,
    codes::AAL_OUT_OF_RANGE,
    codes::IAL_OUT_OF_RANGE,
    codes::ATTEMPTS_OUT_OF_RANGE,
    codes::CHALLENGE_OPEN_TOO_SHORT,
    codes::CHALLENGE_OPEN_TOO_LONG,
    codes::MAX_AGE_OUT_OF_RANGE,
];

static SCHEMA: LazyLock<Value> = LazyLock::new(json_schema);

/// Whether parsing and the findings about form let the document through.
fn read_accepts(document: &Value) -> bool {
    parse(document).is_ok_and(|policy| {
        let report = validate(&policy, &ValidationContext::unlearned());
        !report
            .errors
            .iter()
            .any(|finding| SAYABLE.contains(&finding.code.as_ref()))
    })
}

fn check(document: &Value) -> Result<(), TestCaseError> {
    // A document of an older version is the reader's alone: the schema is that of the current one.
    if document.get("schema_version") != Some(&json!(1)) {
        return Ok(());
    }
    let (by_schema, by_reader) = (accepts(&SCHEMA, &SCHEMA, document), read_accepts(document));
    prop_assert_eq!(by_schema, by_reader, "{}: {:?}", document, parse(document));
    Ok(())
}

/// Pointers of every value in a document.
fn pointers(value: &Value, prefix: &str, into: &mut Vec<String>) {
    into.push(prefix.to_owned());
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                pointers(
                    field,
                    &format!("{prefix}/{}", name.replace('~', "~0").replace('/', "~1")),
                    into,
                );
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointers(item, &format!("{prefix}/{index}"), into);
            }
        }
        _ => {}
    }
}

/// One change somewhere in a document.
fn mutate(document: &mut Value, place: Index, kind: u8, other: Index) {
    let replacements = [
        Value::Null,
        json!(true),
        json!(0),
        json!(2),
        json!(-1),
        json!(1.5),
        json!(4_000_000_000_u64),
        json!(""),
        json!("otp"),
        json!([]),
        json!({}),
        json!(["otp", "otp"]),
        json!([["x"]]),
        json!({ "all": [] }),
        json!({ "name": "email", "exists": true }),
        json!({ "step_up": "not_required", "reason": "r" }),
    ];
    let names = [
        "extra", "reason", "methods", "min_aal", "all", "any", "not", "equals", "in", "name", "id", "when",
    ];
    let mut all = Vec::new();
    pointers(document, "", &mut all);
    let pointer = place.get(&all).clone();
    let Some(target) = document.pointer_mut(&pointer) else {
        return;
    };
    match (kind % 3, &mut *target) {
        (0, Value::Object(fields)) if !fields.is_empty() => {
            let name = other.get(&fields.keys().cloned().collect::<Vec<_>>()).clone();
            fields.remove(&name);
        }
        (1, Value::Object(fields)) => {
            fields.insert((*other.get(&names)).to_owned(), other.get(&replacements).clone());
        }
        (0, Value::Array(items)) => {
            items.pop();
        }
        _ => *target = other.get(&replacements).clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn schema_and_reader_agree_on_documents(policy in policy()) {
        check(&serde_json::to_value(&policy).unwrap())?;
    }

    #[test]
    fn schema_and_reader_agree_on_broken_documents(
        policy in policy(),
        changes in proptest::collection::vec((any::<Index>(), 0_u8..3, any::<Index>()), 1..4),
    ) {
        let mut document = serde_json::to_value(&policy).unwrap();
        for (place, kind, other) in changes {
            mutate(&mut document, place, kind, other);
        }
        check(&document)?;
    }
}

/// Agreement on refusals alone would prove little.
#[test]
fn the_generator_makes_documents_that_are_accepted_and_refused() {
    let mut runner = TestRunner::deterministic();
    let accepted = (0..200)
        .filter(|_| {
            let policy = policy().new_tree(&mut runner).expect("a policy").current();
            accepts(
                &SCHEMA,
                &SCHEMA,
                &serde_json::to_value(policy).expect("plain data"),
            )
        })
        .count();
    assert!((50..=170).contains(&accepted), "{accepted} of 200");
}

fn names(schema: &Value, pointer: &str) -> BTreeSet<String> {
    schema
        .pointer(pointer)
        .and_then(Value::as_object)
        .expect("an object")
        .keys()
        .cloned()
        .collect()
}

/// The other direction of "no field is missing": every name that the types write is in the schema, and
/// every name in the schema is one that the types know.
#[test]
fn the_schema_has_every_field_and_no_other() {
    let schema = json_schema();
    let keys = |value: Value| -> BTreeSet<String> { value.as_object().unwrap().keys().cloned().collect() };

    let full = Outcome::Required(Requirement {
        min_aal: Some(2),
        min_ial: Some(2),
        challenge_open_s: Some(60),
        max_age_min: Some(60),
        ..Requirement::with_methods(vec!["otp".to_owned()])
    });
    assert_eq!(
        names(&schema, "/$defs/required/properties"),
        keys(serde_json::to_value(full).unwrap())
    );
    let initial = serde_json::to_value(PolicyDocument::initial()).unwrap();
    assert_eq!(names(&schema, "/properties"), keys(initial));

    for name in names(&schema, "/$defs/condition/properties") {
        let argument = match name.as_str() {
            "all" | "any" | "app" | "action" => json!([]),
            "not" => json!({ "all": [] }),
            "attribute" => json!({ "name": "email", "exists": true }),
            _ => json!(true),
        };
        serde_json::from_value::<Condition>(json!({ name: argument })).expect("a known condition");
    }
    for (pointer, values) in [
        (
            "/$defs/required/properties/binding/enum",
            serde_json::to_value([Binding::Nonce, Binding::StateOnly]),
        ),
        (
            "/$defs/required/properties/subject_link/enum",
            serde_json::to_value([
                SubjectLink::Username,
                SubjectLink::VerifiedEmail,
                SubjectLink::LinkedOnly,
            ]),
        ),
    ] {
        assert_eq!(schema.pointer(pointer), Some(&values.unwrap()));
    }
    // The defaults that the schema tells are those that the reader fills in.
    for (name, property) in schema
        .pointer("/$defs/required/properties")
        .and_then(Value::as_object)
        .unwrap()
    {
        if let Some(default) = property.get("default") {
            let initial = serde_json::to_value(PolicyDocument::initial()).unwrap();
            assert_eq!(
                initial.pointer(&format!("/default/{name}")),
                Some(default),
                "{name}"
            );
        }
    }
}
