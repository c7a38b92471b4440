//! Reading of names and documents.

use super::DiscoveryError;
use crate::http::HttpError;
use serde_json::{Map, Value};

/// Longest community name.
const MAX_COMMUNITY_BYTES: usize = 128;

pub(super) fn is_community_name(name: &str) -> bool {
    (1..=MAX_COMMUNITY_BYTES).contains(&name.len())
        && !name
            .chars()
            .any(|c| c.is_control() || matches!(c, '/' | '\\' | '?' | '#'))
        && name.chars().any(|c| c != '.')
        && name.trim() == name
}

pub(super) const fn is_about_the_host(error: HttpError) -> bool {
    matches!(
        error,
        HttpError::AddressRefused
            | HttpError::UrlRefused
            | HttpError::NameNotFound
            | HttpError::ConnectFailed
            | HttpError::TlsFailed
            | HttpError::Timeout
    )
}

pub(super) fn text(document: &Map<String, Value>, member: &'static str) -> Result<String, DiscoveryError> {
    match document.get(member).and_then(Value::as_str) {
        Some(value) if !value.is_empty() && value.len() <= 2048 => Ok(value.to_owned()),
        _ => Err(DiscoveryError::Member(member)),
    }
}

pub(super) fn list<'a>(document: &'a Map<String, Value>, member: &str) -> Vec<&'a str> {
    document
        .get(member)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}
