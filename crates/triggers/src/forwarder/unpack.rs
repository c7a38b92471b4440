//! What CloudWatch Logs delivers to a subscribed function: base64 of gzipped JSON.
//!
//! Source: CloudWatch Logs User Guide, "Subscription filters with AWS Lambda".

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::Value;
use std::io::Read as _;

/// Most that a delivery may unpack to, bytes. Lambda takes 6 MB a call; text of logs shrinks to a tenth at best.
const MAX_UNPACKED_BYTES: u64 = 64 * 1024 * 1024;

/// Lines of one log stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogBatch {
    /// Name of the stream.
    pub log_stream: String,
    /// The lines, in order.
    pub messages: Vec<String>,
}

/// It is not a delivery of CloudWatch Logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    /// `awslogs.data` is missing.
    #[error("no awslogs.data")]
    NoData,
    /// It is not base64.
    #[error("not base64")]
    Base64,
    /// It is not gzip, or unpacks to too much.
    #[error("not gzip, or too large")]
    Gzip,
    /// What was packed is not what CloudWatch Logs sends.
    #[error("not the JSON of CloudWatch Logs")]
    Json,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delivery {
    message_type: String,
    log_stream: String,
    log_events: Vec<LogEvent>,
}

#[derive(Deserialize)]
struct LogEvent {
    message: String,
}

/// Unpacks a delivery; `None` for one of the service's own, with which it tries whether the function is there.
pub fn unpack(payload: &Value) -> Result<Option<LogBatch>, UnpackError> {
    let data = payload["awslogs"]["data"].as_str().ok_or(UnpackError::NoData)?;
    let packed = STANDARD.decode(data).map_err(|_| UnpackError::Base64)?;
    let mut unpacked = Vec::new();
    let mut decoder = GzDecoder::new(packed.as_slice()).take(MAX_UNPACKED_BYTES + 1);
    decoder
        .read_to_end(&mut unpacked)
        .map_err(|_| UnpackError::Gzip)?;
    if unpacked.len() as u64 > MAX_UNPACKED_BYTES {
        return Err(UnpackError::Gzip);
    }
    let delivery: Delivery = serde_json::from_slice(&unpacked).map_err(|_| UnpackError::Json)?;
    Ok((delivery.message_type == "DATA_MESSAGE").then(|| LogBatch {
        log_stream: delivery.log_stream,
        messages: delivery
            .log_events
            .into_iter()
            .map(|event| event.message)
            .collect(),
    }))
}
