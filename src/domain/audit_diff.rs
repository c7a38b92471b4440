//! What an audit entry says of a change: which fields, from what to what, without secrets.
//!
//! Only types without secrets are compared, so nothing secret should come this way; what is called a secret is
//! hidden all the same, and long texts are named by their length and digest.

use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// Changed fields that are listed; the rest is counted.
const MAX_FIELDS: usize = 50;
/// Longest text that is written out, characters.
const MAX_TEXT_CHARS: usize = 256;
/// Fields whose values are never written down, by the end of their names.
const SECRET_NAMES: [&str; 5] = [
    "secret",
    "private_key",
    "access_token",
    "refresh_token",
    "api_key",
];

/// `{"changes": {pointer: {"from", "to"}}}` of everything that differs; `null` when nothing does.
pub fn diff(before: &impl Serialize, after: &impl Serialize) -> serde_json::Result<Value> {
    let mut found = Vec::new();
    compare(
        "",
        &serde_json::to_value(before)?,
        &serde_json::to_value(after)?,
        &mut found,
    );
    if found.is_empty() {
        return Ok(Value::Null);
    }
    let more = found.len().saturating_sub(MAX_FIELDS);
    found.truncate(MAX_FIELDS);
    let changes: Map<String, Value> = found.into_iter().collect();
    Ok(if more == 0 {
        json!({ "changes": changes })
    } else {
        json!({ "changes": changes, "more_changes": more })
    })
}

/// What was made, as an entry shows it.
pub fn made(new: &impl Serialize) -> serde_json::Result<Value> {
    Ok(json!({ "made": shown("", &serde_json::to_value(new)?) }))
}

fn compare(pointer: &str, before: &Value, after: &Value, found: &mut Vec<(String, Value)>) {
    if before == after {
        return;
    }
    if let (Value::Object(old), Value::Object(new)) = (before, after) {
        let removed = old.keys().filter(|key| !new.contains_key(*key));
        for key in new.keys().chain(removed) {
            let place = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
            let side = |map: &Map<String, Value>| map.get(key).cloned().unwrap_or(Value::Null);
            compare(&place, &side(old), &side(new), found);
        }
        return;
    }
    let change = json!({"from": shown(pointer, before), "to": shown(pointer, after)});
    found.push((pointer.to_owned(), change));
}

fn shown(name: &str, value: &Value) -> Value {
    if SECRET_NAMES.iter().any(|secret| name.ends_with(secret)) && !value.is_null() {
        return "[not written down]".into();
    }
    match value {
        Value::String(text) if text.chars().count() > MAX_TEXT_CHARS => {
            let digest = hex::encode(&Sha256::digest(text)[..8]);
            format!("[{} characters, SHA-256 {digest}…]", text.chars().count()).into()
        }
        Value::Array(list) if list.len() > MAX_FIELDS => format!("[{} items]", list.len()).into(),
        Value::Array(list) => list.iter().map(|value| shown(name, value)).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), shown(key, value)))
            .collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_told_and_secrets_are_not() {
        let before =
            json!({"name": "a", "pool": {"min": 8, "tags": ["x"], "gone": 1}, "client_secret": "hunter2"});
        let after = json!({"name": "a", "pool": {"min": 9, "tags": ["x", "y"]}, "client_secret": "hunter3"});
        let told = diff(&before, &after).unwrap();
        assert_eq!(
            told,
            json!({"changes": {
                "/pool/min": {"from": 8, "to": 9},
                "/pool/tags": {"from": ["x"], "to": ["x", "y"]},
                "/pool/gone": {"from": 1, "to": null},
                "/client_secret": {"from": "[not written down]", "to": "[not written down]"},
            }})
        );
        assert_eq!(diff(&before, &before).unwrap(), Value::Null);
        let made = made(&json!({"inner": {"api_key": "hunter2"}, "note": "x".repeat(300)}))
            .unwrap()
            .to_string();
        assert!(
            !made.contains("hunter2") && made.contains("300 characters"),
            "{made}"
        );
    }

    #[test]
    fn a_flood_of_fields_is_counted() {
        let many = |value: u32| {
            (0..60)
                .map(|n| (format!("f{n}"), value))
                .collect::<std::collections::BTreeMap<_, _>>()
        };
        let told = diff(&many(1), &many(2)).unwrap();
        assert_eq!(told["changes"].as_object().unwrap().len(), 50);
        assert_eq!(told["more_changes"], 10);
    }
}
