//! The real worker, killed between sending and recording: at least once, told apart by the id.

use super::{
    receiver::{Answer, Received, Receiver},
    send_test, webhook,
};
use crate::support::{ENCRYPTION_KEY, REGION, TestApp, env::required};
use secrecy::ExposeSecret;
use serde_json::json;
use std::process::{Child, Command, Stdio};

struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn worker(app: &TestApp) -> Worker {
    let child = Command::new(env!("CARGO_BIN_EXE_stepgate"))
        .arg("worker")
        .env_clear()
        .env(
            "STEPGATE_DATABASE_URL",
            app.context.config.database.url.expose_secret(),
        )
        .env("STEPGATE_DEV_INSECURE_LOOPBACK", "1")
        .env("STEPGATE_WORKER_POLL_MS", "20")
        .env("STEPGATE_LOG", "warn")
        .env("STEPGATE_ENCRYPTION_KEY", ENCRYPTION_KEY)
        .env("STEPGATE_ALLOWED_WEBHOOK_NETWORKS", "127.0.0.1/32")
        .env("AWS_ENDPOINT_URL", required("STEPGATE_TEST_AWS_ENDPOINT_URL"))
        .env("AWS_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", &app.account_id)
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    Worker(child)
}

/// The function that `docs/webhooks.md` shows, run over a request.
fn documented_check(secret: &str, message: &Received, body: &str) -> bool {
    let page = include_str!("../../../docs/webhooks.md");
    let function = page
        .split("```python\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    let headers: serde_json::Map<_, _> = message
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap())))
        .collect();
    let given = json!({"secret": secret, "headers": headers, "body": body}).to_string();
    let call = "import sys\ngiven = json.loads(sys.argv[1])\nverify(given['secret'], given['headers'], given['body'].encode())\n";
    Command::new(required("STEPGATE_TEST_PYTHON"))
        .args(["-c", &format!("{function}\n{call}"), &given])
        .stderr(Stdio::null())
        .status()
        .unwrap()
        .success()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_between_sending_and_recording_sends_again() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let receiver = Receiver::start().await;
    let (path, secret) = webhook(&acme, &receiver, json!(["tenant.ready"])).await;
    let delivery = send_test(&acme, &path).await;
    receiver.answer([Answer::Hang]);
    let first = worker(&app);
    receiver.wait_for(1).await;
    drop(first);
    let told = acme.get(&delivery).await.expect(200);
    assert_eq!(
        (&told["state"], &told["attempts"]),
        (&json!("pending"), &json!(1)),
        "begun and not recorded"
    );
    assert_eq!(told["log"], json!([]));
    // The attempt is taken for lost a minute later. Waiting for it would be the same.
    sqlx::query("UPDATE webhook_deliveries SET next_attempt_at = now()")
        .execute(&app.owner)
        .await
        .unwrap();
    let _second = worker(&app);
    let requests = receiver.wait_for(2).await;
    assert_eq!(requests[0].body, requests[1].body);
    assert_eq!(
        requests[0].header("webhook-id"),
        requests[1].header("webhook-id"),
        "by which it is told apart"
    );
    let scheme = standardwebhooks::Webhook::new(&secret).unwrap();
    for message in &requests {
        scheme.verify(message.body.as_bytes(), &message.headers).unwrap();
        let forged = message.body.replace("webhook.test", "tenant.ready");
        assert!(scheme.verify(forged.as_bytes(), &message.headers).is_err());
        assert!(documented_check(&secret, message, &message.body));
        assert!(!documented_check(&secret, message, &forged));
    }
    for _ in 0..200 {
        if acme.get(&delivery).await.expect(200)["state"] == "delivered" {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("not recorded: {}", acme.get(&delivery).await.text);
}
