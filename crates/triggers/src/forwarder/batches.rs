//! Events into message bodies that the queue takes.

use serde_json::Value;
use step_up::event::{BATCH_SCHEMA_VERSION, EventBatch};

/// Largest event that is carried, bytes. The triggers' own stay below 4 KiB.
pub const MAX_EVENT_BYTES: usize = 16 * 1024;
/// Largest body, bytes: below the 256 KiB that every SQS queue takes.
pub const MAX_BODY_BYTES: usize = 200 * 1024;
/// Most events in a body: the reader stores a body in one go.
pub const MAX_EVENTS: usize = 500;

/// Bodies with all events, in order, as few as the limits allow.
pub fn bodies(tenant_id: &str, events: Vec<Value>) -> Vec<String> {
    let mut bodies = Vec::new();
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for event in events {
        let size = event.to_string().len();
        if !batch.is_empty() && (batch.len() == MAX_EVENTS || bytes + size > MAX_BODY_BYTES - 1024) {
            bodies.push(body(tenant_id, std::mem::take(&mut batch)));
            bytes = 0;
        }
        bytes += size + 1;
        batch.push(event);
    }
    if !batch.is_empty() {
        bodies.push(body(tenant_id, batch));
    }
    bodies
}

fn body(tenant_id: &str, events: Vec<Value>) -> String {
    let batch = EventBatch {
        stepgate_batch: BATCH_SCHEMA_VERSION,
        tenant_id: tenant_id.to_owned(),
        events,
    };
    // Values and text have a JSON form always.
    serde_json::to_string(&batch).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bodies_keep_the_limits_and_lose_nothing() {
        for (count, filling) in [(0, 10), (1, 10), (1_234, 10), (100, 15_000), (3, MAX_EVENT_BYTES)] {
            let events: Vec<_> = (0..count)
                .map(|number| json!({"n": number, "text": "x".repeat(filling)}))
                .collect();
            let mut seen = Vec::new();
            for body in bodies("tnt_1", events.clone()) {
                assert!(body.len() <= MAX_BODY_BYTES, "{}", body.len());
                let batch: EventBatch = serde_json::from_str(&body).expect("a batch");
                assert!((1..=MAX_EVENTS).contains(&batch.events.len()));
                assert_eq!((batch.stepgate_batch, batch.tenant_id.as_str()), (1, "tnt_1"));
                seen.extend(batch.events);
            }
            assert_eq!(seen, events);
        }
    }
}
