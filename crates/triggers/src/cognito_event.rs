//! The events Cognito sends, as this crate reads them.
//!
//! Our own types instead of a published crate's, for three habits of the real events: explicit `null`s
//! anywhere, parts that are left out when empty, and new fields without notice. A field that is absent,
//! `null` or of another type reads as empty, and an empty field is refused where it matters: nothing in
//! here can fail or panic. The answer is written into the *received* JSON, so that what we do not know is
//! echoed as Cognito expects it.
//!
//! None of the types is `Debug`: they carry answers, tokens and private parameters.

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;
use std::collections::BTreeMap;
use std::marker::PhantomData;

/// Text to text, as attributes, metadata and challenge parameters are.
pub type StringMap = BTreeMap<String, String>;

/// One event of any of our triggers.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CognitoEvent {
    /// Event version: `1`, and for the pre-token trigger `2` and above.
    #[serde(deserialize_with = "lenient_text")]
    pub version: String,
    /// For example `DefineAuthChallenge_Authentication`.
    #[serde(deserialize_with = "lenient")]
    pub trigger_source: String,
    /// The pool that asks.
    #[serde(deserialize_with = "lenient")]
    pub user_pool_id: String,
    /// Cognito's user name: what was typed, or a UUID when users sign in by e-mail.
    #[serde(deserialize_with = "lenient")]
    pub user_name: String,
    /// Who called Cognito.
    #[serde(deserialize_with = "lenient")]
    pub caller_context: CallerContext,
    /// What the trigger is asked.
    #[serde(deserialize_with = "lenient")]
    pub request: Request,
}

/// Who called Cognito.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CallerContext {
    /// App client id.
    #[serde(deserialize_with = "lenient")]
    pub client_id: String,
}

/// The union of the four triggers' requests.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Request {
    /// The user's attributes; empty for an unknown user.
    #[serde(deserialize_with = "lenient_map")]
    pub user_attributes: StringMap,
    /// Whether the user does not exist (with user-existence errors prevented).
    #[serde(deserialize_with = "lenient")]
    pub user_not_found: bool,
    /// What the client sent along with this call.
    #[serde(deserialize_with = "lenient_map")]
    pub client_metadata: StringMap,
    /// *define*, *create*: the rounds of this sign-in so far.
    #[serde(deserialize_with = "lenient_list")]
    pub session: Vec<Round>,
    /// *verify*: what *create* kept from the client.
    #[serde(deserialize_with = "lenient_map")]
    pub private_challenge_parameters: StringMap,
    /// *verify*: what the client answered.
    #[serde(deserialize_with = "lenient_text")]
    pub challenge_answer: String,
}

/// One past round of a sign-in.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Round {
    /// `SRP_A`, `PASSWORD_VERIFIER`, `CUSTOM_CHALLENGE`, …
    #[serde(deserialize_with = "lenient")]
    pub challenge_name: String,
    /// Whether it was passed; `null` reads as not.
    #[serde(deserialize_with = "lenient")]
    pub challenge_result: bool,
    /// What *create* noted about it.
    #[serde(deserialize_with = "lenient")]
    pub challenge_metadata: Option<String>,
}

impl CognitoEvent {
    /// Reads an event; what cannot be read is empty.
    pub fn read(event: &Value) -> Self {
        Self::deserialize(event).unwrap_or_default()
    }

    /// The user's `sub`, when the user exists.
    pub fn user_sub(&self) -> Option<&str> {
        if self.request.user_not_found {
            return None;
        }
        self.request
            .user_attributes
            .get("sub")
            .map(String::as_str)
            .filter(|sub| !sub.is_empty())
    }

    /// A value of the client's metadata, when it is there and not empty.
    pub fn client_metadata(&self, key: &str) -> Option<&str> {
        self.request
            .client_metadata
            .get(key)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}

/// Puts fields into the event's `response` and gives the event back.
pub fn respond(mut event: Value, fields: Vec<(&str, Value)>) -> Value {
    let Some(object) = event.as_object_mut() else {
        return Value::Null;
    };
    let response = object
        .entry("response")
        .or_insert_with(|| Value::Object(serde_json::Map::new()));
    if !response.is_object() {
        *response = Value::Object(serde_json::Map::new());
    }
    if let Some(response) = response.as_object_mut() {
        for (key, value) in fields {
            response.insert(key.to_owned(), value);
        }
    }
    event
}

/// Reads a value, or its default when it is `null` or of another type.
fn lenient<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

/// Text; numbers and booleans as their text.
fn lenient_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(text(Value::deserialize(deserializer)?).unwrap_or_default())
}

/// Text to text; values that are neither text, number nor boolean are left out.
fn lenient_map<'de, D: Deserializer<'de>>(deserializer: D) -> Result<StringMap, D::Error> {
    let Value::Object(object) = Value::deserialize(deserializer)? else {
        return Ok(StringMap::new());
    };
    Ok(object
        .into_iter()
        .filter_map(|(key, value)| Some((key, text(value)?)))
        .collect())
}

/// A list; an element that cannot be read is there as an empty one, so that no round is overlooked.
fn lenient_list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    let _: PhantomData<T> = PhantomData;
    let Value::Array(list) = Value::deserialize(deserializer)? else {
        return Ok(Vec::new());
    };
    Ok(list
        .into_iter()
        .map(|item| serde_json::from_value(item).unwrap_or_default())
        .collect())
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn explicit_nulls_and_missing_parts_read_as_empty() {
        let event = CognitoEvent::read(&json!({
            "version": 1, "triggerSource": null, "callerContext": null,
            "request": {"userAttributes": null, "session": [null, {"challengeName": "SRP_A", "challengeResult": null}],
                        "clientMetadata": null, "challengeAnswer": null}
        }));
        assert_eq!(event.version, "1");
        assert_eq!(event.trigger_source, "");
        assert!(event.request.user_attributes.is_empty());
        assert_eq!(event.request.session.len(), 2);
        assert_eq!(event.request.session[1].challenge_name, "SRP_A");
        assert!(!event.request.session[1].challenge_result);
    }

    #[test]
    fn an_unknown_user_has_no_sub_even_if_attributes_say_one() {
        let event =
            CognitoEvent::read(&json!({"request": {"userNotFound": true, "userAttributes": {"sub": "x"}}}));
        assert_eq!(event.user_sub(), None);
    }

    #[test]
    fn a_response_is_written_into_the_received_event() {
        let event = json!({"odd": 1, "response": {"answerCorrect": null}});
        assert_eq!(
            respond(event, vec![("answerCorrect", json!(true))]),
            json!({"odd": 1, "response": {"answerCorrect": true}})
        );
        assert_eq!(
            respond(json!({"response": null}), vec![("a", json!(1))]),
            json!({"response": {"a": 1}})
        );
        assert_eq!(respond(json!([1]), vec![]), Value::Null);
    }
}
