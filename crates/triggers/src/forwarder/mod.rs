//! The forwarder: from the log group that all functions of a cell share to the cell's queue.
//!
//! CloudWatch Logs hands it what the functions printed, gzipped, one log stream a call. It keeps the lines that
//! are step-up events, puts the tenant beside them and sends them on. Nothing on the sign-in path waits for it.
//!
//! Whose events they are is told by the **name of the stream**, which names the function that wrote it and which,
//! by its role, only that function may write to. A line that says it is of another tenant is dropped and counted.
//!
//! Nothing is lost: what the queue does not take makes the invocation fail, Lambda tries it again, and gives it to
//! the dead letter queue in the end. What was sent before the failure is then sent twice; the reader knows events
//! by their id.

mod batches;
mod unpack;

pub use batches::{MAX_BODY_BYTES, MAX_EVENT_BYTES, MAX_EVENTS, bodies};
pub use unpack::{LogBatch, UnpackError, unpack};

use async_trait::async_trait;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use step_up::event::StepUpEvent;

/// Where batches go.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Hands over one message body; the error is the service's code.
    async fn send(&self, body: String) -> Result<(), String>;
}

/// The cell's queue.
#[derive(Debug)]
pub struct SqsQueue {
    /// SQS.
    pub client: aws_sdk_sqs::Client,
    /// URL of the queue.
    pub url: String,
}

#[async_trait]
impl Queue for SqsQueue {
    async fn send(&self, body: String) -> Result<(), String> {
        let sent = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .send()
            .await;
        match sent {
            Ok(_) => Ok(()),
            Err(error) => Err(aws_sdk_sqs::error::ProvideErrorMetadata::code(&error)
                .unwrap_or("unreachable")
                .to_owned()),
        }
    }
}

/// What became of a call: printed as one line into the forwarder's own log group, never into the shared one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Format version, 1.
    pub stepgate_forwarder: u8,
    /// Events sent on.
    pub forwarded: usize,
    /// Messages they were sent in.
    pub messages: usize,
    /// Lines that are not events: what the Lambda service prints, notes.
    pub other_lines: usize,
    /// Events of a stream that is no tenant function's.
    pub foreign_stream: usize,
    /// Events that name another tenant than their stream.
    pub other_tenant: usize,
    /// Lines that claim to be events and are none, or are too large.
    pub malformed: usize,
}

/// Why a call failed. Lambda tries it again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForwardError {
    /// It was not a delivery of CloudWatch Logs.
    #[error("not a delivery of CloudWatch Logs: {0}")]
    Unpack(#[from] UnpackError),
    /// The queue took not everything.
    #[error("the queue did not take the events: {0}")]
    Queue(String),
}

/// By what a tenant is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recognise {
    /// By the name of the stream: the only way on AWS, where nobody else can write to it.
    ByStream,
    /// Development only: by what the line says. An emulator that names no function in its streams leaves nothing else.
    ByLine,
}

/// The function.
pub struct Forwarder {
    queue: Arc<dyn Queue>,
    recognise: Recognise,
}

impl Forwarder {
    /// A forwarder to `queue`.
    pub fn new(queue: Arc<dyn Queue>, recognise: Recognise) -> Self {
        Self { queue, recognise }
    }

    /// Carries one delivery.
    pub async fn handle(&self, payload: &Value) -> Result<Summary, ForwardError> {
        let mut summary = Summary {
            stepgate_forwarder: 1,
            ..Summary::default()
        };
        let Some(batch) = unpack(payload)? else {
            return Ok(summary);
        };
        let writer = Writer::of(&batch.log_stream);
        let mut events: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for message in &batch.messages {
            match read_line(message) {
                Line::Other => summary.other_lines += 1,
                Line::Malformed => summary.malformed += 1,
                Line::Event(event) => {
                    let said = event["tenant_id"].as_str().unwrap_or_default().to_owned();
                    match (&writer, self.recognise) {
                        (Writer::Tenant(tenant_id), _) if said != *tenant_id => summary.other_tenant += 1,
                        (Writer::Foreign, _) | (Writer::Unnamed, Recognise::ByStream) => {
                            summary.foreign_stream += 1;
                        }
                        (Writer::Tenant(_), _) | (Writer::Unnamed, Recognise::ByLine) => {
                            events.entry(said).or_default().push(event);
                        }
                    }
                }
            }
        }
        for (tenant_id, events) in events {
            summary.forwarded += events.len();
            for body in bodies(&tenant_id, events) {
                self.queue.send(body).await.map_err(ForwardError::Queue)?;
                summary.messages += 1;
            }
        }
        Ok(summary)
    }
}

/// Who writes to a log stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Writer {
    /// A function of this tenant (`tnt_…`).
    Tenant(String),
    /// A function that the stream does not name: an emulator's.
    Unnamed,
    /// Anything else.
    Foreign,
}

impl Writer {
    /// Reads `2026/01/05/stepgate-{ulid}-verify[$LATEST]{instance}`, or `2026/01/05/[$LATEST]{instance}` where no
    /// function is named.
    ///
    /// Nothing may stand before the date or after the function but its version: a role's permission is a pattern that
    /// the name of its own function satisfies anywhere in the name of a stream, and whoever has the role may make
    /// streams of any name.
    pub fn of(stream: &str) -> Self {
        let parts: Vec<&str> = stream.split('/').collect();
        let [year, month, day, writer] = parts.as_slice() else {
            return Self::Foreign;
        };
        let number = |text: &str, digits: usize| {
            text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !(number(year, 4) && number(month, 2) && number(day, 2)) {
            return Self::Foreign;
        }
        match writer.split_once('[') {
            Some(("", _)) => Self::Unnamed,
            Some((function, _)) => tenant_of_function(function).map_or(Self::Foreign, Self::Tenant),
            None => Self::Foreign,
        }
    }
}

fn tenant_of_function(name: &str) -> Option<String> {
    let ulid = name.strip_prefix("stepgate-")?;
    let ulid = ulid
        .strip_suffix("-challenge")
        .or_else(|| ulid.strip_suffix("-verify"))?;
    let plain = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
    (ulid.len() == 26 && ulid.bytes().all(plain)).then(|| format!("tnt_{ulid}"))
}

enum Line {
    Event(Value),
    Other,
    Malformed,
}

/// Reads a log line. Events of a version that this program does not know are passed on unread, so that a cell's
/// functions may be newer than its forwarder.
fn read_line(message: &str) -> Line {
    let text = message.trim();
    if !text.starts_with('{') {
        return Line::Other;
    }
    if text.len() > MAX_EVENT_BYTES {
        return Line::Malformed;
    }
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        return Line::Malformed;
    };
    let Some(version) = value.get("stepgate_event") else {
        return Line::Other;
    };
    match version.as_u64() {
        None | Some(0) => Line::Malformed,
        Some(version) if version > u64::from(step_up::event::EVENT_SCHEMA_VERSION) => Line::Event(value),
        Some(_) if serde_json::from_value::<StepUpEvent>(value.clone()).is_ok() => Line::Event(value),
        Some(_) => Line::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_names_its_function_and_nothing_else_does() {
        let ulid = "01jd7v0p3h8s5k2m4n6q9r1t0w";
        for function in ["challenge", "verify"] {
            let stream = format!("2026/01/05/stepgate-{ulid}-{function}[$LATEST]0123456789abcdef");
            assert_eq!(Writer::of(&stream), Writer::Tenant(format!("tnt_{ulid}")));
        }
        for stream in [
            String::new(),
            format!("2026/01/05/stepgate-{ulid}-other[$LATEST]0123"),
            format!("2026/01/05/stepgate-{ulid}-verify"),
            format!("2026/01/05/stepgate-{}-verify[$LATEST]0", &ulid[1..]),
            format!("2026/01/05/stepgate-{}-verify[$LATEST]0", ulid.to_uppercase()),
            format!("stepgate-{ulid}-verify[x]/2026/01/05/another[$LATEST]0"),
            format!("2026/01/05/x-stepgate-{ulid}-verify[$LATEST]0"),
            format!("05/stepgate-{ulid}-verify[$LATEST]0"),
        ] {
            assert_eq!(Writer::of(&stream), Writer::Foreign, "{stream}");
        }
        assert_eq!(Writer::of("2026/01/05/[$LATEST]0123"), Writer::Unnamed);
    }

    #[test]
    fn a_stream_that_ones_own_role_may_write_to_is_not_anothers() {
        let (own, other) = ("01jd7v0p3h8s5k2m4n6q9r1t0w", "01jd7v0p3h8s5k2m4n6q9r1t0x");
        // Each of them satisfies the pattern `*/stepgate-{own}-verify[*` of the role.
        for stream in [
            format!("2026/01/05/stepgate-{own}-verify[/stepgate-{other}-verify[$LATEST]0"),
            format!(
                "2026/01/05/stepgate-{own}-verify[$LATEST]0/2026/01/05/stepgate-{other}-verify[$LATEST]0"
            ),
            format!("x/stepgate-{own}-verify[/05/stepgate-{other}-verify[$LATEST]0"),
            format!("x/stepgate-{own}-verify[x/05/[$LATEST]0"),
        ] {
            assert_eq!(Writer::of(&stream), Writer::Foreign, "{stream}");
        }
        // What follows the function's own name names nobody.
        let stream = format!("2026/01/05/stepgate-{own}-verify[stepgate-{other}-verify[$LATEST]0");
        assert_eq!(Writer::of(&stream), Writer::Tenant(format!("tnt_{own}")));
    }
}
