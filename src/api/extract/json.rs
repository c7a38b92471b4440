//! JSON bodies: content type, size, syntax, form. Each failure has its code and, where there is one, the field.

use super::repeatable::BodyDigest;
use crate::{
    Error, Result,
    api::problem::ApiError,
    error::{Code, FieldError},
};
use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, http::header};
use bytes::BytesMut;
use futures_util::{StreamExt, future::LocalBoxFuture};
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use sha2::{Digest, Sha256};
use std::{fmt::Write, time::Duration};

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);

/// A body that an operation takes.
pub trait RequestBody: DeserializeOwned {
    /// Largest body, bytes.
    const MAX_BYTES: usize = 64 * 1024;
}

/// A JSON body.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: RequestBody + 'static> FromRequest for Body<T> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let checked = check_headers(request, T::MAX_BYTES);
        let payload = payload.take();
        let request = request.clone();
        Box::pin(async move {
            checked?;
            let late = || Error::new(Code::RequestTimeout, "The body did not arrive in time.");
            let bytes = tokio::time::timeout(BODY_TIMEOUT, collect(payload, T::MAX_BYTES)).await;
            let bytes = bytes.map_err(|_| late())??;
            request
                .extensions_mut()
                .insert(BodyDigest(Sha256::digest(&bytes).into()));
            Ok(Self(parse(&bytes)?))
        })
    }
}

fn check_headers(request: &HttpRequest, max_bytes: usize) -> Result<()> {
    let header = |name| {
        request
            .headers()
            .get(name)
            .and_then(|value: &header::HeaderValue| value.to_str().ok())
    };
    let media_type = header(header::CONTENT_TYPE).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let detail = "The body must be sent with `Content-Type: application/json`.";
        return Err(
            Error::new(Code::UnsupportedMediaType, detail).with_fields(vec![FieldError::new(
                "header:Content-Type",
                "unsupported",
                detail,
            )]),
        );
    }
    let length = header(header::CONTENT_LENGTH)
        .and_then(|text| text.parse::<u64>().ok())
        .unwrap_or_default();
    if length > max_bytes as u64 {
        Err(too_large(max_bytes))
    } else {
        Ok(())
    }
}

async fn collect(mut payload: Payload, max_bytes: usize) -> Result<BytesMut> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let broken = |error| {
            Error::new(Code::MalformedJson, "The body could not be read.")
                .caused_by(anyhow::anyhow!("{error}"))
        };
        let chunk = chunk.map_err(broken)?;
        if body.len() + chunk.len() > max_bytes {
            return Err(too_large(max_bytes));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn too_large(max_bytes: usize) -> Error {
    Error::new(
        Code::PayloadTooLarge,
        format!("The body may have at most {max_bytes} bytes."),
    )
}

/// Reads a body; the first mistake in its form is named by a JSON pointer.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let text =
        std::str::from_utf8(bytes).map_err(|_| Error::new(Code::MalformedJson, "The body is not UTF-8."))?;
    // Syntax first: what follows a misplaced field may not be JSON at all, and serde_json calls some mistakes
    // of form (a number for an enum) mistakes of syntax.
    serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|error| malformed(&error))?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| form_error(&pointer(error.path()), &error.inner().to_string()))
}

fn malformed(error: &serde_json::Error) -> Error {
    // serde_json's own text can quote the body; line and column are enough.
    let detail = if error.line() == 0 || error.is_eof() {
        "The body is not complete JSON.".to_owned()
    } else {
        format!(
            "The body is not JSON (line {}, column {}).",
            error.line(),
            error.column()
        )
    };
    Error::new(Code::MalformedJson, detail)
}

/// Turns serde's text into a field error. serde offers no structure, but its wording is stable and tested here.
fn form_error(place: &str, text: &str) -> Error {
    let text = text.split(" at line ").next().unwrap_or(text);
    let quoted = || text.split('`').nth(1).unwrap_or_default();
    let child = |name: &str| {
        if place.ends_with(&format!("/{name}")) {
            place.to_owned()
        } else {
            format!("{place}/{name}")
        }
    };
    let (pointer, code) = if text.starts_with("missing field") {
        (child(quoted()), "missing")
    } else if text.starts_with("unknown field") {
        (child(quoted()), "unknown_field")
    } else if text.starts_with("duplicate field") {
        (child(quoted()), "duplicate")
    } else if text.starts_with("unknown variant") {
        (place.to_owned(), "unknown_value")
    } else if text.starts_with("invalid type") || text.starts_with("expected ") {
        (place.to_owned(), "wrong_type")
    } else {
        (place.to_owned(), "invalid")
    };
    Error::invalid(vec![FieldError::new(
        pointer,
        code,
        text.chars().take(300).collect::<String>(),
    )])
}

/// JSON pointer (RFC 6901) of a place.
fn pointer(path: &serde_path_to_error::Path) -> String {
    path.iter().fold(String::new(), |mut pointer, segment| {
        let written = match segment {
            Segment::Seq { index } => write!(pointer, "/{index}"),
            Segment::Map { key } => write!(pointer, "/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { .. } | Segment::Unknown => Ok(()),
        };
        written.map(|()| pointer).unwrap_or_default()
    })
}

/// Reads a secret: whatever else is in its place is refused without being repeated.
pub fn secret<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<secrecy::SecretString, D::Error> {
    match serde::Deserialize::deserialize(deserializer)? {
        serde_json::Value::String(text) => Ok(text.into()),
        _ => Err(serde::de::Error::custom("invalid type: must be a text")),
    }
}

/// Tells `null` from what is absent: for fields that a change may take away.
#[expect(clippy::option_option, reason = "absent, taken away, or given")]
pub fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    serde::Deserialize::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Outer {
        inner: Inner,
        #[serde(default)]
        list: Vec<Inner>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Inner {
        number: u8,
        #[serde(default, deserialize_with = "optional")]
        secret: Option<secrecy::SecretString>,
    }

    fn optional<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<secrecy::SecretString>, D::Error> {
        secret(d).map(Some)
    }

    #[test]
    fn mistakes_of_form_name_the_field() {
        for (body, pointer, code) in [
            ("{}", "/inner", "missing"),
            (r#"{"inner": {}}"#, "/inner/number", "missing"),
            (r#"{"inner": {"number": "1"}}"#, "/inner/number", "wrong_type"),
            (r#"{"inner": {"number": 300}}"#, "/inner/number", "invalid"),
            (r#"{"inner": {"number": 1, "x": 2}}"#, "/inner/x", "unknown_field"),
            (
                r#"{"inner": {"number": 1, "number": 2}}"#,
                "/inner/number",
                "duplicate",
            ),
            (
                r#"{"inner": {"number": 1}, "list": [{"number": 1}, {"number": null}]}"#,
                "/list/1/number",
                "wrong_type",
            ),
            (r#"{"inner": 5}"#, "/inner", "wrong_type"),
            ("5", "", "wrong_type"),
        ] {
            let error = parse::<Outer>(body.as_bytes()).unwrap_err();
            let field = &error.fields()[0];
            assert_eq!(
                (field.pointer.as_str(), field.code.as_str()),
                (pointer, code),
                "{body}: {error}"
            );
        }
    }

    #[test]
    fn mistakes_of_syntax_are_told_apart_and_nothing_is_quoted() {
        for body in [
            &b""[..],
            b"{",
            b"{\"inner\": hunter2}",
            b"{} {}",
            b"\xff\xfe",
            b"nul",
        ] {
            let error = parse::<serde_json::Value>(body).unwrap_err();
            assert_eq!(error.code(), Code::MalformedJson, "{body:?}");
            assert!(!error.detail().contains("hunter2"));
        }
    }

    #[test]
    fn a_secret_of_a_wrong_type_is_not_repeated() {
        let error = parse::<Outer>(br#"{"inner": {"number": 1, "secret": 424242}}"#).unwrap_err();
        assert_eq!(error.fields()[0].pointer, "/inner/secret");
        assert!(!format!("{error:?}").contains("424242"));
    }
}
