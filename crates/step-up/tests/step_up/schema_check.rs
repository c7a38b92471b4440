//! As much of JSON Schema (draft 2020-12) as the published policy schema uses. A keyword it does not know
//! fails the test, so that the schema cannot come to rely on something that is not checked.

use serde_json::{Map, Value};

/// Whether `value` is valid under `schema`; `root` resolves references.
pub(crate) fn accepts(root: &Value, schema: &Value, value: &Value) -> bool {
    let keywords = schema.as_object().expect("a schema is an object");
    keywords
        .iter()
        .all(|(keyword, argument)| keyword_accepts(root, keywords, keyword, argument, value))
}

fn keyword_accepts(
    root: &Value,
    keywords: &Map<String, Value>,
    keyword: &str,
    argument: &Value,
    value: &Value,
) -> bool {
    let limit = || usize::try_from(argument.as_u64().expect("a number")).expect("a size");
    match keyword {
        "$schema" | "$id" | "$defs" | "title" | "description" | "default" => true,
        "$ref" => {
            let pointer = argument
                .as_str()
                .and_then(|text| text.strip_prefix('#'))
                .expect("a local reference");
            accepts(root, root.pointer(pointer).expect("a known reference"), value)
        }
        "type" => match argument.as_str().expect("one type") {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_u64() || value.is_i64(),
            other => panic!("type `{other}` is not known here"),
        },
        "const" => value == argument,
        "enum" => argument.as_array().expect("a list").contains(value),
        "not" => !accepts(root, argument, value),
        "oneOf" => {
            let schemas = argument.as_array().expect("a list");
            schemas
                .iter()
                .filter(|schema| accepts(root, schema, value))
                .count()
                == 1
        }
        "required" => {
            let names = argument.as_array().expect("a list");
            value.as_object().is_none_or(|fields| {
                names
                    .iter()
                    .all(|name| fields.contains_key(name.as_str().unwrap()))
            })
        }
        "properties" => {
            let schemas = argument.as_object().expect("an object");
            value.as_object().is_none_or(|fields| {
                fields.iter().all(|(name, field)| {
                    schemas
                        .get(name)
                        .is_none_or(|schema| accepts(root, schema, field))
                })
            })
        }
        "additionalProperties" => {
            assert_eq!(*argument, Value::Bool(false), "only `false` is known here");
            let known = keywords["properties"].as_object().expect("an object");
            value
                .as_object()
                .is_none_or(|fields| fields.keys().all(|name| known.contains_key(name)))
        }
        "minProperties" => value.as_object().is_none_or(|fields| fields.len() >= limit()),
        "maxProperties" => value.as_object().is_none_or(|fields| fields.len() <= limit()),
        "items" => value
            .as_array()
            .is_none_or(|items| items.iter().all(|item| accepts(root, argument, item))),
        "minItems" => value.as_array().is_none_or(|items| items.len() >= limit()),
        "maxItems" => value.as_array().is_none_or(|items| items.len() <= limit()),
        "uniqueItems" => value.as_array().is_none_or(|items| {
            items
                .iter()
                .enumerate()
                .all(|(at, item)| !items[..at].contains(item))
        }),
        "minLength" => value.as_str().is_none_or(|text| text.chars().count() >= limit()),
        "maxLength" => value.as_str().is_none_or(|text| text.chars().count() <= limit()),
        "minimum" => value
            .as_f64()
            .is_none_or(|number| number >= argument.as_f64().unwrap()),
        "maximum" => value
            .as_f64()
            .is_none_or(|number| number <= argument.as_f64().unwrap()),
        "pattern" => value
            .as_str()
            .is_none_or(|text| pattern_matches(argument.as_str().unwrap(), text)),
        other => panic!("keyword `{other}` is not known here"),
    }
}

/// The three patterns of the schema.
fn pattern_matches(pattern: &str, text: &str) -> bool {
    let name = |text: &str| {
        text.chars()
            .all(|c| c.is_ascii_alphanumeric() || "._:-".contains(c))
    };
    match pattern {
        "\\S" => text.chars().any(|c| !c.is_whitespace()),
        "^[A-Za-z0-9._:-]+$" => !text.is_empty() && name(text),
        "^app_[A-Za-z0-9._:-]*$" => text.strip_prefix("app_").is_some_and(name),
        other => panic!("pattern `{other}` is not known here"),
    }
}
