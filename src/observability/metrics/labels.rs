//! Values of labels, each from a closed list: what comes from outside and is on none counts as [`OTHER`].
//!
//! Nothing here may be an id of a request, a user or an operation, or a text of somebody else's. Tenants are a label of
//! the two `tenant_…` families only, and only those that the configuration lists; cells are few and the operator's own.

use super::families::{OTHER, Value};
use crate::reporting::tally::ENDED;
use serde::{Deserialize, de::value::StrDeserializer};
use step_up::{assurance, event::EventType, reason::Reason};

/// What stands for a value that is not there.
pub const NONE: &str = "none";

/// Type of a step-up event, or what the first answers of journeys are counted as.
pub fn outcome(kind: &str) -> Value {
    let read = EventType::deserialize(StrDeserializer::<serde::de::value::Error>::new(kind));
    if read.is_ok() || kind == ENDED {
        kind.to_owned().into()
    } else {
        OTHER.into()
    }
}

/// Method (ACR value) of the shipped catalogue. A tenant's own count as one.
pub fn method(acr: &str) -> Value {
    let shipped = || assurance::catalogue().iter().find(|method| method.acr == acr);
    match acr {
        "" => NONE.into(),
        _ => shipped().map_or(OTHER.into(), |method| method.acr.as_str().into()),
    }
}

/// Reason code.
pub fn reason(code: &str) -> Value {
    let known = Reason::ALL.iter().find(|reason| reason.code() == code);
    match code {
        "" => NONE.into(),
        _ => known.map_or(OTHER, |reason| reason.code()).into(),
    }
}

/// Method of an HTTP request.
pub fn http_method(method: &str) -> Value {
    const KNOWN: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    let known = KNOWN.into_iter().find(|known| *known == method);
    known.unwrap_or(OTHER).into()
}

/// Class of an HTTP status.
pub fn status_class(status: u16) -> Value {
    const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
    let class = usize::from(status / 100).checked_sub(1);
    class
        .and_then(|class| CLASSES.get(class).copied())
        .unwrap_or(OTHER)
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_no_list_is_other() {
        let foreign = "x\"} 1\nstolen{secret=\"hunter2";
        for value in [
            outcome(foreign),
            method(foreign),
            reason(foreign),
            http_method(foreign),
        ] {
            assert_eq!(value, OTHER);
        }
        for status in [0, 99, 600, u16::MAX] {
            assert_eq!(status_class(status), OTHER);
        }
    }

    #[test]
    fn what_is_on_a_list_is_itself() {
        assert_eq!(outcome("refused_tokens"), "refused_tokens");
        assert_eq!(outcome("ended"), "ended");
        assert_eq!(method("liveID push"), "liveID push");
        assert_eq!(reason("code_rejected"), "code_rejected");
        assert_eq!(http_method("PATCH"), "PATCH");
        assert_eq!(
            (status_class(204), status_class(503)),
            ("2xx".into(), "5xx".into())
        );
        assert_eq!((method(""), reason("")), (NONE.into(), NONE.into()));
    }
}
