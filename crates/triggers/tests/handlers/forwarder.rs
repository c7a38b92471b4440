//! The forwarder: what it carries, what it drops, and that it loses nothing when the queue does not take it.

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use step_up::event::{EventBatch, EventType, StepUpEvent};
use triggers::forwarder::{ForwardError, Forwarder, MAX_EVENT_BYTES, Queue, Recognise, Summary, UnpackError};

const ULID: &str = "01jd7v0p3h8s5k2m4n6q9r1t0w";

#[derive(Default)]
struct Taken {
    bodies: Mutex<Vec<EventBatch>>,
    refuses_after: Option<usize>,
}

#[async_trait]
impl Queue for Taken {
    async fn send(&self, body: String) -> Result<(), String> {
        let mut bodies = self.bodies.lock().unwrap();
        if self.refuses_after.is_some_and(|limit| bodies.len() >= limit) {
            return Err("OverLimit".to_owned());
        }
        bodies.push(serde_json::from_str(&body).expect("a batch"));
        Ok(())
    }
}

fn event(number: u32) -> Value {
    let event = StepUpEvent {
        stepgate_event: 1,
        event_id: format!("evt_{number:032x}"),
        at_unix_ms: 1_767_607_200_000,
        event_type: EventType::Started,
        tenant_id: format!("tnt_{ULID}"),
        app_id: Some("app_1".to_owned()),
        journey_id: None,
        round: None,
        user_hash: None,
        reason: None,
        method: None,
        fallback: None,
        acr: None,
        amr: Vec::new(),
        aal: None,
        ial: None,
        policy_version: Some(1),
        rule: Some("\"}{ {\"stepgate_event\":1}".to_owned()),
        policy_stale: false,
        action: None,
        source: None,
        cold_start: false,
        duration_ms: 1,
        hops_ms: std::collections::BTreeMap::new(),
        trigger_version: "0".to_owned(),
    };
    serde_json::to_value(event).unwrap()
}

fn packed(bytes: &[u8]) -> Value {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    json!({"awslogs": {"data": STANDARD.encode(encoder.finish().unwrap())}})
}

fn delivery(stream: &str, messages: &[String]) -> Value {
    let lines: Vec<_> = messages
        .iter()
        .enumerate()
        .map(|(index, message)| json!({"id": index.to_string(), "timestamp": 1, "message": message}))
        .collect();
    let delivery = json!({
        "messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": "/stepgate/demo/triggers",
        "logStream": stream, "subscriptionFilters": ["stepgate-events"], "logEvents": lines,
    });
    packed(delivery.to_string().as_bytes())
}

fn stream() -> String {
    format!("2026/01/05/stepgate-{ULID}-verify[$LATEST]0123456789abcdef")
}

async fn forward(stream: &str, messages: &[String]) -> (Summary, Vec<EventBatch>) {
    let queue = Arc::new(Taken::default());
    let summary = Forwarder::new(Arc::clone(&queue) as Arc<dyn Queue>, Recognise::ByStream)
        .handle(&delivery(stream, messages))
        .await
        .expect("forwarded");
    let bodies = queue.bodies.lock().unwrap().clone();
    (summary, bodies)
}

#[tokio::test]
async fn events_travel_whole_and_everything_else_is_counted() {
    let mut newer = event(3);
    newer["stepgate_event"] = json!(7);
    newer["of_the_future"] = json!({"a": [1]});
    let mut other_tenant = event(4);
    other_tenant["tenant_id"] = json!("tnt_01jd7v0p3h8s5k2m4n6q9r1t0x");
    let mut no_type = event(5);
    no_type["type"] = json!("unheard_of");
    let mut large = event(6);
    large["rule"] = json!("x".repeat(MAX_EVENT_BYTES));
    let lines = [
        format!("{}\n", event(1)),
        "START RequestId: 7 Version: $LATEST".to_owned(),
        event(2).to_string(),
        json!({"stepgate_note": 1, "message": "the records could not be used"}).to_string(),
        newer.to_string(),
        other_tenant.to_string(),
        no_type.to_string(),
        large.to_string(),
        "{\"stepgate_event\":1".to_owned(),
        "{\"stepgate_event\":\"1\"}".to_owned(),
        format!("user said: {}", event(9)),
    ];
    let (summary, bodies) = forward(&stream(), &lines).await;
    assert_eq!(
        summary,
        Summary {
            stepgate_forwarder: 1,
            forwarded: 3,
            messages: 1,
            other_lines: 3,
            foreign_stream: 0,
            other_tenant: 1,
            malformed: 4,
        }
    );
    assert_eq!(bodies[0].tenant_id, format!("tnt_{ULID}"));
    assert_eq!(bodies[0].events, [event(1), event(2), newer]);
}

#[tokio::test]
async fn a_stream_of_no_tenants_function_brings_nothing() {
    let (summary, bodies) = forward("2026/01/05/[$LATEST]0123", &[event(1).to_string()]).await;
    assert_eq!((summary.foreign_stream, summary.forwarded), (1, 0));
    assert!(bodies.is_empty());
}

#[tokio::test]
async fn in_development_a_stream_without_a_name_may_be_any_tenants() {
    let queue = Arc::new(Taken::default());
    let forwarder = Forwarder::new(Arc::clone(&queue) as Arc<dyn Queue>, Recognise::ByLine);
    let mut other = event(2);
    other["tenant_id"] = json!("tnt_01jd7v0p3h8s5k2m4n6q9r1t0x");
    let lines = [event(1).to_string(), other.to_string()];
    let summary = forwarder
        .handle(&delivery("2026/01/05/[$LATEST]0123", &lines))
        .await
        .unwrap();
    assert_eq!(
        (summary.forwarded, summary.messages, summary.foreign_stream),
        (2, 2, 0)
    );
    // A stream that has a name is believed all the same.
    let summary = forwarder.handle(&delivery(&stream(), &lines)).await.unwrap();
    assert_eq!((summary.forwarded, summary.other_tenant), (1, 1));
    // One that names somebody else is nobody's, also here.
    let foreign = delivery("2026/01/05/another-function[$LATEST]0123", &lines);
    let summary = forwarder.handle(&foreign).await.unwrap();
    assert_eq!((summary.forwarded, summary.foreign_stream), (0, 2));
}

#[tokio::test]
async fn a_stream_made_by_one_tenants_role_is_not_taken_for_anothers() {
    // The role may write to streams that its own function's name stands in, wherever that is.
    let own = "01jd7v0p3h8s5k2m4n6q9r1t0x";
    let stream = format!("2026/01/05/stepgate-{own}-verify[/stepgate-{ULID}-verify[$LATEST]0123456789abcdef");
    let (summary, bodies) = forward(&stream, &[event(1).to_string()]).await;
    assert_eq!((summary.foreign_stream, summary.forwarded), (1, 0));
    assert!(bodies.is_empty());
}

#[tokio::test]
async fn what_the_queue_does_not_take_fails_the_call() {
    let queue = Arc::new(Taken {
        refuses_after: Some(1),
        ..Taken::default()
    });
    let lines: Vec<_> = (0..700).map(|number| event(number).to_string()).collect();
    let result = Forwarder::new(queue as Arc<dyn Queue>, Recognise::ByStream)
        .handle(&delivery(&stream(), &lines))
        .await;
    assert_eq!(result, Err(ForwardError::Queue("OverLimit".to_owned())));
}

#[tokio::test]
async fn what_is_no_delivery_is_refused_and_a_probe_of_the_service_passes() {
    let forwarder = Forwarder::new(Arc::new(Taken::default()) as Arc<dyn Queue>, Recognise::ByStream);
    for (payload, error) in [
        (json!({}), UnpackError::NoData),
        (json!({"awslogs": {"data": "%"}}), UnpackError::Base64),
        (
            json!({"awslogs": {"data": STANDARD.encode("plain")}}),
            UnpackError::Gzip,
        ),
        (packed(b"[]"), UnpackError::Json),
        // 100 MiB in 100 KiB.
        (packed(&vec![b' '; 100 << 20]), UnpackError::Gzip),
    ] {
        assert_eq!(forwarder.handle(&payload).await, Err(ForwardError::Unpack(error)));
    }
    let probe = json!({
        "messageType": "CONTROL_MESSAGE", "owner": "CloudwatchLogs", "logGroup": "", "logStream": "",
        "subscriptionFilters": [],
        "logEvents": [{"id": "", "timestamp": 1, "message": "CWL CONTROL MESSAGE: Checking health of destination Lambda."}],
    });
    let summary = forwarder
        .handle(&packed(probe.to_string().as_bytes()))
        .await
        .unwrap();
    assert_eq!(
        summary,
        Summary {
            stepgate_forwarder: 1,
            ..Summary::default()
        }
    );
}
