//! The resource: made, changed, removed; its secret.

use super::{receiver::Receiver, send_test, webhook};
use crate::support::TestApp;
use reqwest::Method;
use serde_json::json;
use std::sync::Arc;
use stepgate::{Context, config::Config, usecases};

#[tokio::test]
async fn a_webhook_is_made_changed_listed_and_removed() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let receiver = Receiver::start().await;
    let (path, secret) = webhook(&acme, &receiver, json!(["tenant.ready", "tenant.failed"])).await;
    assert!(secret.starts_with("whsec_"));
    let told = acme.get(&path).await.expect(200);
    assert_eq!(told["events"], json!(["tenant.ready", "tenant.failed"]));
    assert!(
        !told.to_string().contains(&secret) && told.get("secret").is_none(),
        "shown once"
    );
    let changed = acme
        .patch(&path, json!({"events": ["policy.changed"], "description": "new"}))
        .await
        .expect(200);
    assert_eq!(
        (&changed["events"], &changed["description"]),
        (&json!(["policy.changed"]), &json!("new"))
    );
    assert_eq!(
        acme.get("/v1/webhooks").await.expect(200)["items"],
        json!([changed])
    );
    let delivery = send_test(&acme, &path).await;
    acme.call(Method::DELETE, &path, None).await.expect(200);
    acme.get(&path).await.problem(404, "not_found");
    acme.get(&delivery).await.problem(404, "not_found");
    assert_eq!(acme.get("/v1/webhooks").await.expect(200)["items"], json!([]));
    let log = acme.get("/v1/audit").await.text;
    for action in [
        "webhook_created",
        "webhook_updated",
        "webhook_tested",
        "webhook_deleted",
    ] {
        assert!(log.contains(action), "{action} is not in {log}");
    }
    assert!(
        !log.contains("/hook\""),
        "the audit log tells the origin of a URL only"
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_webhook_is_told_by_field() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let receiver = Receiver::start().await;
    let url = receiver.url("127.0.0.1");
    for (body, pointer, rule) in [
        (json!({"events": ["tenant.ready"]}), "/url", "missing"),
        (json!({"url": url, "events": []}), "/events", "empty"),
        (
            json!({"url": url, "events": ["tenant.ready", "tenant.ready"]}),
            "/events/1",
            "duplicate",
        ),
        (
            json!({"url": url, "events": ["webhook.test"]}),
            "/events/0",
            "unknown_value",
        ),
        (
            json!({"url": url, "events": ["tenant.ready"], "description": "x".repeat(257)}),
            "/description",
            "too_long",
        ),
        (
            json!({"url": url, "events": ["tenant.ready"], "description": "a\u{7}"}),
            "/description",
            "control_character",
        ),
        (
            json!({"url": url, "events": ["tenant.ready"], "secret": "mine"}),
            "/secret",
            "unknown_field",
        ),
        (
            json!({"url": format!("https://a.example/{}", "x".repeat(2048)), "events": ["tenant.ready"]}),
            "/url",
            "wrong_length",
        ),
    ] {
        acme.post("/v1/webhooks", body)
            .await
            .problem(422, "validation_failed")
            .names(pointer, rule);
    }
}

#[tokio::test]
async fn a_partner_has_so_many_webhooks_and_no_more() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let receiver = Receiver::start().await;
    for _ in 0..20 {
        webhook(&acme, &receiver, json!(["tenant.ready"])).await;
    }
    let body = json!({"url": receiver.url("127.0.0.1"), "events": ["tenant.ready"]});
    acme.post("/v1/webhooks", body)
        .await
        .problem(409, "limit_reached");
}

#[tokio::test]
async fn the_secret_is_sealed_in_the_database_and_survives_a_new_key() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let receiver = Receiver::start().await;
    let (path, secret) = webhook(&acme, &receiver, json!(["tenant.ready"])).await;
    let row: String = sqlx::query_scalar("SELECT w::text FROM webhooks w")
        .fetch_one(&app.owner)
        .await
        .unwrap();
    let bare = secret.trim_start_matches("whsec_");
    assert!(!row.contains(bare), "{row}");
    let hex = hex::encode(bare);
    assert!(!row.contains(&hex));

    // A new key in front of the old one: the old secret still signs; sealed again, the old key is not needed.
    let keys = |texts: &[&str]| {
        Arc::new(stepgate::encryption::EncryptionKeys::parse(texts.iter().copied()).unwrap())
    };
    let under = |keys| Context {
        config: Arc::new(Config {
            encryption_keys: keys,
            ..Config::clone(&app.context.config)
        }),
        ..app.context.clone()
    };
    let (old, new) = (
        crate::support::ENCRYPTION_KEY,
        "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
    );
    let attempt = async |context: &Context| {
        send_test(&acme, &path).await;
        stepgate::worker::jobs::deliver_webhooks::deliver_due(context)
            .await
            .unwrap();
        receiver.received().len()
    };
    assert_eq!(
        attempt(&under(keys(&[new]))).await,
        0,
        "without its key a secret does not open"
    );
    assert_eq!(attempt(&under(keys(&[new, old]))).await, 1);
    assert_eq!(
        usecases::webhooks::reseal_all(&under(keys(&[new, old])))
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        usecases::webhooks::reseal_all(&under(keys(&[new, old])))
            .await
            .unwrap(),
        0
    );
    assert_eq!(attempt(&under(keys(&[new]))).await, 2);
    let message = &receiver.received()[1];
    let timestamp = message.header("webhook-timestamp").parse().unwrap();
    let scheme = standardwebhooks::Webhook::new(&secret).unwrap();
    let expected = scheme
        .sign(message.header("webhook-id"), timestamp, message.body.as_bytes())
        .unwrap();
    assert_eq!(
        message.header("webhook-signature"),
        expected,
        "the secret is the same"
    );
}

#[test]
fn every_event_is_documented() {
    use stepgate::domain::webhook::EventType;
    let page = include_str!("../../../docs/webhooks.md");
    for event in [
        EventType::TenantReady,
        EventType::TenantFailed,
        EventType::TenantDrifted,
        EventType::TenantDeleted,
        EventType::TenantPurged,
        EventType::RotationDone,
        EventType::PolicyChanged,
        EventType::AlarmRaised,
        EventType::AlarmCleared,
    ] {
        let row = format!("| `{event}` | `dev.stepgate.{event}` |");
        assert!(page.contains(&row), "docs/webhooks.md has no row `{row}`");
    }
    let example = page
        .split("```json\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    let example: serde_json::Value = serde_json::from_str(example).unwrap();
    for name in [
        "specversion",
        "id",
        "source",
        "type",
        "subject",
        "time",
        "datacontenttype",
        "partnerid",
        "data",
    ] {
        assert!(example.get(name).is_some(), "the example lacks {name}");
    }
    let body = page
        .split("-d '")
        .nth(1)
        .and_then(|rest| rest.split('\'').next())
        .unwrap();
    serde_json::from_str::<serde_json::Value>(body).unwrap();
}
