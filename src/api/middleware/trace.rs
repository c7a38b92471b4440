//! W3C trace context (https://www.w3.org/TR/trace-context/): the caller's trace is gone on with, else one is begun.

use crate::{ids::IdSource, observability::traces};
use actix_web::http::header::HeaderMap;
use std::fmt;

/// The trace of a request and our place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceParent {
    /// 16 bytes, hex.
    pub trace_id: String,
    /// 8 bytes, hex: the request's own span.
    pub span_id: String,
    flags: u8,
}

impl TraceParent {
    /// Our span in the trace of these headers, or the first of a new trace. Where traces are sent somewhere, it is `span`;
    /// else its ids are made here, for the log.
    pub(super) fn of(headers: &HeaderMap, ids: &IdSource, span: &tracing::Span) -> Self {
        let mut given = headers.get_all("traceparent");
        let given = given
            .next()
            .filter(|_| given.next().is_none())
            .and_then(|value| parse(value.to_str().ok()?));
        let parent = given
            .as_ref()
            .and_then(|given| traces::place(&given.trace_id, &given.span_id, given.flags));
        if let Some(place) = traces::join(span, parent) {
            return Self {
                trace_id: place.trace_id().to_string(),
                span_id: place.span_id().to_string(),
                flags: place.trace_flags().to_u8(),
            };
        }
        let (trace_id, flags) = given.map_or_else(
            || (random_hex::<16>(ids), 0),
            |given| (given.trace_id, given.flags),
        );
        Self {
            trace_id,
            span_id: random_hex::<8>(ids),
            flags,
        }
    }
}

/// The header's form, for whoever goes on with the trace.
impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

/// What a header says. Versions above 00 may have more parts, which are not looked at.
fn parse(text: &str) -> Option<TraceParent> {
    let mut parts = text.trim().split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let zero = |part: &str| part.bytes().all(|byte| byte == b'0');
    let sound = hex(version, 2)
        && version != "ff"
        && (version != "00" || parts.next().is_none())
        && hex(trace, 32)
        && !zero(trace)
        && hex(parent, 16)
        && !zero(parent)
        && hex(flags, 2);
    let flags = u8::from_str_radix(flags, 16).ok()? & 1;
    sound.then(|| TraceParent {
        trace_id: trace.to_owned(),
        span_id: parent.to_owned(),
        flags,
    })
}

fn random_hex<const BYTES: usize>(ids: &IdSource) -> String {
    let mut bytes = [0_u8; BYTES];
    ids.fill(&mut bytes);
    hex::encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn of(values: &[&'static str]) -> TraceParent {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(
                HeaderName::from_static("traceparent"),
                HeaderValue::from_static(value),
            );
        }
        TraceParent::of(&headers, &IdSource::seeded(1), &tracing::Span::none())
    }

    #[test]
    fn a_sound_trace_is_gone_on_with_and_anything_else_begins_one() {
        const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
        let good = of(&["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]);
        assert_eq!(good.trace_id, TRACE);
        assert_ne!(good.span_id, "00f067aa0ba902b7");
        assert_eq!(good.to_string(), format!("00-{TRACE}-{}-01", good.span_id));
        assert_eq!(
            of(&["cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-else"]).trace_id,
            TRACE
        );
        for bad in [
            &[][..],
            &[""],
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"],
            &["00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"],
            &["00-00000000000000000000000000000000-00f067aa0ba902b7-01"],
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"],
            &["ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x"],
            &[
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            ],
        ] {
            let begun = of(bad);
            assert_ne!(begun.trace_id, TRACE, "{bad:?}");
            assert_eq!((begun.trace_id.len(), begun.span_id.len()), (32, 16));
        }
    }
}
