//! Webhooks: what is told, that it arrives signed and at least once, and that it goes nowhere else.

mod announcements;
mod delivery;
mod egress;
mod failing;
mod process;
mod receiver;
mod resource;

use crate::support::{Caller, TestApp};
use receiver::Receiver;
use serde_json::{Value, json};
use stepgate::worker::jobs::deliver_webhooks;

/// Makes a webhook to the receiver; returns its path and its secret.
async fn webhook(caller: &Caller, receiver: &Receiver, events: Value) -> (String, String) {
    let body = json!({"url": receiver.url("127.0.0.1"), "events": events});
    let made = caller.post("/v1/webhooks", body).await.expect(201);
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    (path, made["secret"].as_str().unwrap().to_owned())
}

/// Asks for a test message; returns the path of its delivery.
async fn send_test(caller: &Caller, webhook: &str) -> String {
    let delivery = caller
        .call(reqwest::Method::POST, &format!("{webhook}:test"), None)
        .await
        .expect(202);
    format!("{webhook}/deliveries/{}", delivery["id"].as_str().unwrap())
}

/// Makes an attempt at everything that is due; returns at how many deliveries.
async fn deliver(app: &TestApp) -> usize {
    deliver_webhooks::deliver_due(&app.context).await.unwrap()
}
