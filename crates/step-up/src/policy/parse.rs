//! From JSON to a [`PolicyDocument`]: form, limits that protect the reader, older schema versions.

use super::document::{Outcome, POLICY_SCHEMA_VERSION, PolicyDocument, Rule};
use super::upgrade;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_path_to_error::Segment;
use std::fmt::Write as _;

/// Largest document. Its item in the policies table may have 300 KiB, which leaves room for the rest.
pub const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

/// Deepest nesting of arrays and objects. Far above what validation allows, far below the stack's end.
pub const MAX_NESTING: usize = 48;

/// Why a document is not of the right form: the first mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at `{pointer}`)")]
pub struct ParseError {
    /// JSON pointer (RFC 6901) of the place; empty for the whole document.
    pub pointer: String,
    /// `malformed_json`, `document_too_large`, `document_too_deep`, `unsupported_schema_version` or
    /// `invalid_form`.
    pub code: &'static str,
    /// What is wrong, for people.
    pub message: String,
}

impl ParseError {
    pub(super) fn new(pointer: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            pointer: pointer.to_owned(),
            code,
            message: message.into(),
        }
    }
}

/// The current form, read by derive; [`PolicyDocument`]'s own `Deserialize` is the whole of [`parse`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Current {
    #[expect(
        dead_code,
        reason = "read before, to choose the form; named here so that it is a known field"
    )]
    schema_version: u32,
    #[serde(default)]
    rules: Vec<Rule>,
    default: Outcome,
}

impl<'de> Deserialize<'de> for PolicyDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        parse(&value).map_err(serde::de::Error::custom)
    }
}

/// Reads a document from text. Unlike [`parse`] it also sees, and refuses, a field given twice.
pub fn parse_str(text: &str) -> Result<PolicyDocument, ParseError> {
    if text.len() > MAX_DOCUMENT_BYTES {
        return Err(too_large());
    }
    let value: Value = serde_json::from_str(text)
        .map_err(|error| ParseError::new("", "malformed_json", format!("not JSON: {error}")))?;
    let document = parse(&value)?;
    if version(&value)? == POLICY_SCHEMA_VERSION {
        read::<Current, _>(&mut serde_json::Deserializer::from_str(text))?;
    }
    Ok(document)
}

/// Reads a document. One of an older schema version is brought to the current one.
pub fn parse(value: &Value) -> Result<PolicyDocument, ParseError> {
    if depth_exceeds(value, MAX_NESTING) {
        let message = format!("more than {MAX_NESTING} levels of arrays and objects");
        return Err(ParseError::new("", "document_too_deep", message));
    }
    if size_exceeds(value, MAX_DOCUMENT_BYTES) {
        return Err(too_large());
    }
    if !value.is_object() {
        return Err(ParseError::new("", "invalid_form", "a policy is a JSON object"));
    }
    match version(value)? {
        0 => upgrade::from_version_0(value),
        POLICY_SCHEMA_VERSION => {
            let current: Current = read(value)?;
            Ok(PolicyDocument {
                schema_version: POLICY_SCHEMA_VERSION,
                rules: current.rules,
                default: current.default,
            })
        }
        newer => Err(ParseError::new(
            "/schema_version",
            "unsupported_schema_version",
            format!("schema version {newer} is newer than {POLICY_SCHEMA_VERSION}, the newest known here"),
        )),
    }
}

/// The document's schema version; one without any is of version 0, which had no such field.
fn version(value: &Value) -> Result<u32, ParseError> {
    match value.get("schema_version") {
        None => Ok(0),
        Some(version) => version
            .as_u64()
            .and_then(|version| u32::try_from(version).ok())
            .ok_or_else(|| {
                ParseError::new(
                    "/schema_version",
                    "invalid_form",
                    "`schema_version` is a whole number",
                )
            }),
    }
}

/// Deserializes and turns serde's path of a mistake into a JSON pointer.
pub(super) fn read<'de, T, D>(deserializer: D) -> Result<T, ParseError>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
    D::Error: std::fmt::Display,
{
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let mut pointer = String::new();
        for segment in error.path() {
            match segment {
                Segment::Seq { index } => {
                    let _ = write!(pointer, "/{index}");
                }
                Segment::Map { key: name } | Segment::Enum { variant: name } => {
                    pointer.push('/');
                    pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
                }
                Segment::Unknown => {}
            }
        }
        ParseError::new(&pointer, "invalid_form", error.inner().to_string())
    })
}

fn too_large() -> ParseError {
    let message = format!("larger than {MAX_DOCUMENT_BYTES} bytes");
    ParseError::new("", "document_too_large", message)
}

/// Walks with a list of its own instead of the stack, so that depth cannot hurt.
fn depth_exceeds(value: &Value, limit: usize) -> bool {
    let mut open = vec![(value, 1)];
    while let Some((value, depth)) = open.pop() {
        match value {
            Value::Array(_) | Value::Object(_) if depth > limit => return true,
            Value::Array(items) => open.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(fields) => open.extend(fields.values().map(|item| (item, depth + 1))),
            _ => {}
        }
    }
    false
}

/// Whether the document's JSON text is longer than `limit`, without keeping the text.
fn size_exceeds(value: &Value, limit: usize) -> bool {
    struct Counter(usize);
    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self
                .0
                .checked_sub(bytes.len())
                .ok_or(std::io::ErrorKind::FileTooLarge)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    serde_json::to_writer(Counter(limit), value).is_err()
}
