//! What can go wrong on the way, and how each service says so.

use crate::call::Wording;
use crate::http::Message;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Refused as one too many; nothing happened.
    Throttle,
    /// A fault on AWS's side; nothing happened.
    ServerError,
    /// The connection is cut; nothing happened.
    CutBefore,
    /// It took effect, and the connection is cut before the answer.
    CutAfter,
    /// It took effect, and no answer ever comes.
    Silence,
    /// The connection is cut, and it takes effect when nobody counts on it any more ([`crate::Proxy::deliver_late`]).
    Late,
    /// A read that shows what an earlier one of the same question showed.
    Stale,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 7] = [
        Self::Throttle,
        Self::ServerError,
        Self::CutBefore,
        Self::CutAfter,
        Self::Silence,
        Self::Late,
        Self::Stale,
    ];

    /// Whether AWS never sees the call.
    pub(crate) const fn is_before(self) -> bool {
        matches!(self, Self::Throttle | Self::ServerError | Self::CutBefore)
    }
}

/// How a service refuses.
pub(crate) fn refusal(fault: Fault, wording: Wording) -> Message {
    let throttled = fault == Fault::Throttle;
    let (status, code) = match (wording, throttled) {
        (Wording::Json, true) => ("400 Bad Request", "ThrottlingException"),
        (Wording::Query, true) => ("400 Bad Request", "Throttling"),
        (Wording::Rest, true) => ("429 Too Many Requests", "TooManyRequestsException"),
        (Wording::S3, true) => ("503 Slow Down", "SlowDown"),
        (Wording::Rest, false) => ("500 Internal Server Error", "ServiceException"),
        (Wording::Json, false) => ("500 Internal Server Error", "InternalServerError"),
        (_, false) => ("503 Service Unavailable", "ServiceUnavailable"),
    };
    let text = if throttled {
        "Rate exceeded"
    } else {
        "Something went wrong on this side"
    };
    let (content_type, body) = match wording {
        Wording::Json | Wording::Rest => (
            "application/x-amz-json-1.1",
            format!(r#"{{"__type":"{code}","message":"{text}"}}"#),
        ),
        Wording::Query => (
            "text/xml",
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{text}</Message></Error>\
                 <RequestId>fault</RequestId></ErrorResponse>"
            ),
        ),
        Wording::S3 => (
            "application/xml",
            format!("<Error><Code>{code}</Code><Message>{text}</Message></Error>"),
        ),
    };
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Message {
        first_line: format!("HTTP/1.1 {status}"),
        headers: vec![
            header("content-type", content_type),
            header("x-amzn-errortype", code),
            header("x-amzn-requestid", "fault"),
        ],
        body: body.into_bytes(),
    }
}
