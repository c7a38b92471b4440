//! Where messages may go: A19's rules and the webhook part of A33.

use super::{
    deliver,
    receiver::{Answer, Receiver},
    send_test, webhook,
};
use crate::support::TestApp;
use serde_json::json;
use std::sync::Arc;
use stepgate::{Context, config::Config, worker::jobs::deliver_webhooks};

#[tokio::test]
async fn addresses_inside_are_refused_when_a_webhook_is_made_or_moved() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let receiver = Receiver::start().await;
    let (path, _) = webhook(&acme, &receiver, json!(["tenant.ready"])).await;
    for (url, rule) in [
        ("http://hooks.acme.example/x", "url_refused"),
        ("ftp://127.0.0.1/x", "url_refused"),
        ("https://user:pass@127.0.0.1/x", "url_refused"),
        ("https://127.0.0.1/x#y", "url_refused"),
        ("file:///etc/passwd", "url_refused"),
        ("hooks", "url_refused"),
        ("https://10.0.0.1/x", "address_refused"),
        ("https://127.0.0.2/x", "address_refused"),
        ("https://169.254.169.254/latest/meta-data/", "address_refused"),
        ("https://[fd00:ec2::254]/", "address_refused"),
        ("https://[::ffff:169.254.169.254]/", "address_refused"),
        ("https://0x0a000001/", "address_refused"),
        ("https://does-not-exist.invalid/x", "unreachable"),
    ] {
        let body = json!({"url": url, "events": ["tenant.ready"]});
        acme.post("/v1/webhooks", body)
            .await
            .problem(422, "validation_failed")
            .names("/url", rule);
        acme.patch(&path, json!({"url": url}))
            .await
            .problem(422, "validation_failed")
            .names("/url", rule);
    }
    assert_eq!(
        acme.get(&path).await.expect(200)["url"],
        receiver.url("127.0.0.1")
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let (receiver, elsewhere) = (Receiver::start().await, Receiver::start().await);
    let (path, _) = webhook(&acme, &receiver, json!(["tenant.ready"])).await;
    let delivery = send_test(&acme, &path).await;
    receiver.answer([Answer::Redirect(elsewhere.url("127.0.0.1"))]);
    deliver(&app).await;
    let told = acme.get(&delivery).await.expect(200);
    assert_eq!(
        (&told["state"], &told["last_status"]),
        (&json!("pending"), &json!(307))
    );
    assert!(
        told["last_error"].as_str().unwrap().contains("not followed"),
        "{told}"
    );
    assert_eq!((receiver.received().len(), elsewhere.received().len()), (1, 0));
}

/// The same service where the operator allows no network beside the public internet: what a name led to when the
/// webhook was made is not what it leads to now.
fn without_allowed_networks(context: &Context) -> Context {
    let config = Config {
        allowed_webhook_networks: Vec::new(),
        ..Config::clone(&context.config)
    };
    Context {
        config: Arc::new(config),
        ..context.clone()
    }
}

#[tokio::test]
async fn a_name_that_leads_inside_later_gets_nothing() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let receiver = Receiver::start().await;
    for host in ["localhost", "127.0.0.1"] {
        let body = json!({"url": receiver.url(host), "events": ["tenant.ready"]});
        let made = acme.post("/v1/webhooks", body).await.expect(201);
        let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
        let delivery = send_test(&acme, &path).await;
        let rebound = without_allowed_networks(&app.context);
        assert_eq!(deliver_webhooks::deliver_due(&rebound).await.unwrap(), 1);
        let told = acme.get(&delivery).await.expect(200);
        assert_eq!(
            told["last_error"], "the address is not public and not allowed here",
            "{host}"
        );
        assert_eq!(told["last_status"], json!(null));
    }
    assert!(receiver.received().is_empty(), "nothing was sent");
}
