//! Delivery: the scheme, retries, giving up, replay, the log.

use super::{
    deliver,
    receiver::{Answer, Receiver},
    send_test, webhook,
};
use crate::support::TestApp;
use chrono::TimeDelta;
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn a_message_is_a_signed_cloud_event() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let receiver = Receiver::start().await;
    let (path, secret) = webhook(&acme, &receiver, json!(["tenant.ready"])).await;
    let delivery = send_test(&acme, &path).await;
    assert_eq!(deliver(&app).await, 1);
    let requests = receiver.received();
    assert_eq!(requests.len(), 1);
    let message = &requests[0];
    assert!(
        message.head.starts_with("POST /hook HTTP/1.1"),
        "{}",
        message.head
    );
    assert_eq!(
        message.header("content-type"),
        "application/cloudevents+json; charset=utf-8"
    );
    let event = message.event();
    for (name, value) in [
        ("specversion", json!("1.0")),
        ("type", json!("dev.stepgate.webhook.test")),
        ("time", json!("2026-01-05T10:00:00Z")),
        ("datacontenttype", json!("application/json")),
        ("partnerid", json!(acme.id)),
        ("id", json!(message.header("webhook-id"))),
    ] {
        assert_eq!(event[name], value, "{name} of {event}");
    }
    // The library's own `verify` would compare with the time of day, and here it is 2026-01-05.
    let timestamp: i64 = message.header("webhook-timestamp").parse().unwrap();
    assert_eq!(timestamp, 1_767_607_200);
    let scheme = standardwebhooks::Webhook::new(&secret).unwrap();
    let expected = scheme
        .sign(message.header("webhook-id"), timestamp, message.body.as_bytes())
        .unwrap();
    assert_eq!(message.header("webhook-signature"), expected);

    let told = acme.get(&delivery).await.expect(200);
    assert_eq!(
        (&told["state"], &told["last_status"], &told["attempts"]),
        (&json!("delivered"), &json!(204), &json!(1))
    );
    assert_eq!(told["message"], json!(message.body));
    assert_eq!(told["log"][0]["number"], 1);
    assert_eq!(deliver(&app).await, 0, "what was accepted is not sent again");
}

#[tokio::test]
async fn a_failed_attempt_is_repeated_later_with_the_same_message() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let receiver = Receiver::start().await;
    let (path, _) = webhook(&acme, &receiver, json!(["tenant.ready"])).await;
    let delivery = send_test(&acme, &path).await;
    receiver.answer([Answer::Status(500), Answer::Status(404)]);
    assert_eq!(deliver(&app).await, 1);
    let told = acme.get(&delivery).await.expect(200);
    assert_eq!(
        (&told["state"], &told["last_status"]),
        (&json!("pending"), &json!(500))
    );
    assert_eq!(told["last_error"], "answered with HTTP status 500");
    assert_eq!(told["next_attempt_at"], "2026-01-05T10:00:05Z");
    app.clock.advance(TimeDelta::seconds(4));
    assert_eq!(deliver(&app).await, 0, "not yet");
    app.clock.advance(TimeDelta::seconds(1));
    assert_eq!(deliver(&app).await, 1);
    app.clock.advance(TimeDelta::seconds(30));
    assert_eq!(deliver(&app).await, 1);
    let requests = receiver.received();
    assert_eq!(requests.len(), 3);
    for again in &requests[1..] {
        assert_eq!(again.body, requests[0].body, "to the byte");
        assert_eq!(again.header("webhook-id"), requests[0].header("webhook-id"));
        assert_ne!(
            again.header("webhook-timestamp"),
            requests[0].header("webhook-timestamp")
        );
        assert_ne!(
            again.header("webhook-signature"),
            requests[0].header("webhook-signature")
        );
    }
    let told = acme.get(&delivery).await.expect(200);
    assert_eq!(told["state"], "delivered");
    let log: Vec<_> = told["log"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| attempt["status"].clone())
        .collect();
    assert_eq!(log, [json!(500), json!(404), json!(204)]);
    let webhook = acme.get(&path).await.expect(200);
    assert_eq!(
        webhook["failing_since"],
        json!(null),
        "a success ends what failed before"
    );
}

#[tokio::test]
async fn after_a_day_it_is_given_up_and_can_be_replayed() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let receiver = Receiver::start().await;
    let (path, _) = webhook(&acme, &receiver, json!(["tenant.ready"])).await;
    let delivery = send_test(&acme, &path).await;
    receiver.answer(vec![Answer::Status(503); 11]);
    for _ in 0..11 {
        assert_eq!(deliver(&app).await, 1);
        app.clock.advance(TimeDelta::hours(8));
    }
    assert_eq!(deliver(&app).await, 0);
    let dead = acme
        .get(&format!("{path}/deliveries?state=dead"))
        .await
        .expect(200);
    assert_eq!(dead["items"].as_array().unwrap().len(), 1);
    assert_eq!(dead["items"][0]["attempts"], 11);
    assert_eq!(dead["items"][0]["next_attempt_at"], json!(null));
    let replayed = acme
        .call(Method::POST, &format!("{delivery}:replay"), None)
        .await
        .expect(202);
    assert_eq!(
        (&replayed["state"], &replayed["attempts"]),
        (&json!("pending"), &json!(0))
    );
    assert_eq!(replayed["message_id"], dead["items"][0]["message_id"]);
    assert_eq!(deliver(&app).await, 1);
    let requests = receiver.received();
    assert_eq!(requests[11].body, requests[0].body);
    let page = acme.get(&format!("{path}/deliveries")).await.expect(200);
    let states: Vec<_> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["state"].clone())
        .collect();
    assert_eq!(
        states,
        [json!("delivered"), json!("dead")],
        "newest first; the log stays"
    );
    acme.get(&format!("{path}/deliveries?state=lost"))
        .await
        .problem(400, "invalid_query");
}

#[tokio::test]
async fn a_pending_delivery_is_hastened_by_a_replay() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let receiver = Receiver::start().await;
    let (path, _) = webhook(&acme, &receiver, json!(["tenant.ready"])).await;
    let delivery = send_test(&acme, &path).await;
    receiver.answer([Answer::Status(500)]);
    deliver(&app).await;
    assert_eq!(deliver(&app).await, 0);
    let same = acme
        .call(Method::POST, &format!("{delivery}:replay"), None)
        .await
        .expect(202);
    assert_eq!(
        format!("{path}/deliveries/{}", same["id"].as_str().unwrap()),
        delivery
    );
    assert_eq!(deliver(&app).await, 1);
    assert_eq!(acme.get(&delivery).await.expect(200)["state"], "delivered");
}

#[tokio::test]
async fn a_receiver_that_floods_is_not_read_and_one_that_hangs_is_left() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let receiver = Receiver::start().await;
    let (path, _) = webhook(&acme, &receiver, json!(["tenant.ready"])).await;
    let flooded = send_test(&acme, &path).await;
    receiver.answer([Answer::Flood, Answer::Hang]);
    let begun = std::time::Instant::now();
    deliver(&app).await;
    assert!(begun.elapsed().as_secs() < 5);
    assert_eq!(
        acme.get(&flooded).await.expect(200)["state"],
        "delivered",
        "the status is enough"
    );
    let hung = send_test(&acme, &path).await;
    deliver(&app).await;
    assert!(begun.elapsed().as_secs() < 20, "an attempt ends by itself");
    assert_eq!(
        acme.get(&hung).await.expect(200)["last_error"],
        "no answer in time"
    );
}

#[tokio::test]
async fn a_slow_receiver_gets_a_few_attempts_at_once_and_the_others_theirs() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let (busy, calm) = (Receiver::start().await, Receiver::start().await);
    let (busy_path, _) = webhook(&acme, &busy, json!(["tenant.ready"])).await;
    let (calm_path, _) = webhook(&acme, &calm, json!(["tenant.ready"])).await;
    for _ in 0..9 {
        send_test(&acme, &busy_path).await;
    }
    send_test(&acme, &calm_path).await;
    assert_eq!(deliver(&app).await, 5);
    assert_eq!((busy.received().len(), calm.received().len()), (4, 1));
    assert_eq!(deliver(&app).await, 4);
    assert_eq!(deliver(&app).await, 1);
}
