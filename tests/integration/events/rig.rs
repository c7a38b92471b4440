//! A cell with a queue, and events as the forwarder sends them.

use crate::support::{Partner, REGION, TestApp};
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use stepgate::{
    clock::Clock,
    domain::{actor::OperatorScope, cell::Cell},
    storage,
    worker::jobs::{ingest_events, ingest_events::Taken, keep_partitions},
};
use ulid::Ulid;

/// An installation whose cell has a queue, with a partner and a tenant.
pub(crate) struct Rig {
    pub(crate) app: TestApp,
    pub(crate) acme: Partner,
    pub(crate) tenant: String,
    pub(crate) app_id: String,
    pub(crate) cell: Cell,
    pub(crate) queue_url: String,
    pub(crate) sqs: aws_sdk_sqs::Client,
}

impl Rig {
    pub(crate) async fn start() -> Self {
        Self::start_on(TestApp::start().await).await
    }

    /// The same around an API that was configured otherwise.
    pub(super) async fn start_on(app: TestApp) -> Self {
        let sqs = aws_sdk_sqs::Client::new(&app.context.aws.region(REGION));
        let made = sqs.create_queue().queue_name("events").send().await.unwrap();
        let queue_url = made.queue_url().unwrap().to_owned();
        sqs.create_queue().queue_name("events-dead").send().await.unwrap();
        sqlx::query("UPDATE cells SET event_queue_url = $1")
            .bind(&queue_url)
            .execute(&app.owner)
            .await
            .unwrap();
        let scope = OperatorScope::worker();
        let cells = storage::cells::list(&mut app.context.db.begin(&scope).await.unwrap(), &scope).await;
        let acme = app.partner("acme").await;
        let tenant = text(&acme.tenant("customers").await["id"]);
        let app_id = text(&acme.app(&tenant, "Portal").await["id"]);
        keep_partitions::keep(&app.context).await.unwrap();
        Self {
            cell: cells.unwrap().remove(0),
            acme,
            tenant,
            app_id,
            queue_url,
            sqs,
            app,
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.app.clock.now()
    }

    /// A journey that began at `began`.
    pub(crate) fn journey(&self, began: DateTime<Utc>) -> String {
        let mut random = [0_u8; 16];
        self.app.context.ids.fill(&mut random);
        let ulid = Ulid::from_parts(
            u64::try_from(began.timestamp_millis()).unwrap(),
            u128::from_le_bytes(random),
        );
        format!("jrn_{}", ulid.to_string().to_ascii_lowercase())
    }

    /// An event of a journey, with the id that the triggers would give it.
    pub(crate) fn event(&self, kind: &str, journey: &str, round: Option<u8>, at: DateTime<Utc>) -> Value {
        let event_type = serde_json::from_value(json!(kind)).unwrap();
        json!({
            "stepgate_event": 1, "event_id": triggers::events::event_id(journey, event_type, round, None),
            "at_unix_ms": at.timestamp_millis(), "type": kind, "tenant_id": self.tenant, "app_id": self.app_id,
            "journey_id": journey, "round": round, "user_hash": "00112233445566778899aabbccddeeff", "reason": null,
            "method": (kind == "succeeded").then_some("otp"), "acr": null, "amr": [], "aal": null, "ial": null,
            "policy_version": 1, "rule": "default", "source": "CreateAuthChallenge_Authentication", "cold_start": false,
            "duration_ms": 12, "hops_ms": {"settings": 3}, "trigger_version": "0.1.0",
        })
    }

    /// A message with events of the rig's tenant.
    pub(crate) fn body(&self, events: &[Value]) -> String {
        json!({"stepgate_batch": 1, "tenant_id": self.tenant, "events": events}).to_string()
    }

    pub(crate) async fn send(&self, bodies: impl IntoIterator<Item = String>) {
        let bodies: Vec<_> = bodies.into_iter().collect();
        for chunk in bodies.chunks(10) {
            let entries = chunk.iter().enumerate().map(|(index, body)| {
                SendMessageBatchRequestEntry::builder()
                    .id(index.to_string())
                    .message_body(body)
                    .build()
                    .unwrap()
            });
            let sent = self
                .sqs
                .send_message_batch()
                .queue_url(&self.queue_url)
                .set_entries(Some(entries.collect()))
                .send()
                .await
                .unwrap();
            assert!(sent.failed().is_empty(), "{sent:?}");
        }
    }

    /// Takes everything in that is in the queue.
    pub(crate) async fn ingest(&self) -> Taken {
        let mut all = Taken::default();
        loop {
            let taken = ingest_events::take_some(&self.app.context, &self.cell, &self.queue_url, 0)
                .await
                .unwrap();
            if taken == Taken::default() {
                return all;
            }
            all.messages += taken.messages;
            all.stored += taken.stored;
            all.repeated += taken.repeated;
            all.rejected += taken.rejected;
        }
    }

    /// Sum of a number over a table.
    pub(crate) async fn sum(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query)
            .fetch_one(&self.app.owner)
            .await
            .unwrap()
    }

    /// Counts by outcome in one of the rollups.
    pub(crate) async fn rollup(&self, grain: &str) -> std::collections::BTreeMap<String, i64> {
        sqlx::query_as::<_, (String, i64)>(
            "SELECT outcome, sum(events)::bigint FROM step_up_rollups WHERE grain = $1 GROUP BY 1",
        )
        .bind(grain)
        .fetch_all(&self.app.owner)
        .await
        .unwrap()
        .into_iter()
        .collect()
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
