//! The real server, killed again and again in the middle of creations that are repeated under their `Idempotency-Key`.

use super::idempotency::count;
use crate::support::{Caller, REGION, TestApp, env::required, examples};
use reqwest::Method;
use secrecy::ExposeSecret;
use std::{
    collections::BTreeMap,
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The real server, killed when dropped.
struct Server(Child);

impl Server {
    fn start(app: &TestApp, port: u16) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_stepgate"))
            .arg("serve")
            .env_clear()
            .env(
                "STEPGATE_DATABASE_URL",
                app.context.config.database.url.expose_secret(),
            )
            .env("STEPGATE_LISTEN", format!("127.0.0.1:{port}"))
            .env("STEPGATE_DEV_INSECURE_LOOPBACK", "1")
            .env("STEPGATE_RATE_LIMIT_PER_MIN", "0")
            .env("STEPGATE_LOG", "off")
            .env("AWS_ENDPOINT_URL", required("STEPGATE_TEST_AWS_ENDPOINT_URL"))
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", &app.account_id)
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Server {
    fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

const KILLS: usize = 50;
/// Requests that are under way when the server is killed.
const AT_ONCE: usize = 3;
/// All of it; a run takes about a minute.
const PATIENCE: Duration = Duration::from_mins(6);

#[tokio::test]
async fn a_server_killed_fifty_times_leaves_one_tenant_and_one_answer_a_key() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let caller = acme.admin.at(&format!("http://127.0.0.1:{port}"));
    let until = Instant::now() + PATIENCE;
    let mut server = Server::start(&app, port);
    // Every answer that came through, by key; a key has as many tries as it takes.
    let mut answers: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    let tried: Vec<usize> = (0..KILLS * AT_ONCE).collect();
    let mut interrupted = 0;
    for (kill, keys) in tried.chunks(AT_ONCE).enumerate() {
        ready(&caller, until).await;
        let requests = futures_util::future::join_all(keys.iter().map(|key| create(&caller, *key)));
        // Killed at another moment of the work each time.
        let moment = Duration::from_millis(u64::try_from(kill * 7 % 60).unwrap());
        let kill = async {
            tokio::time::sleep(moment).await;
            // SIGKILL; the port is free once it is gone.
            server.kill();
            server = Server::start(&app, port);
        };
        let (outcomes, ()) = tokio::join!(requests, kill);
        for (key, outcome) in keys.iter().zip(outcomes) {
            match outcome {
                Some((202, text)) => answers.entry(*key).or_default().push(text),
                Some((status, text)) => panic!("{status} {text}"),
                None => interrupted += 1,
            }
        }
    }
    assert!(
        interrupted > KILLS / 2,
        "only {interrupted} requests were interrupted"
    );
    // Now everybody repeats until there is an answer, and once more.
    ready(&caller, until).await;
    for key in tried {
        for _ in 0..2 {
            loop {
                assert!(Instant::now() < until, "key {key} has no answer in time");
                match create(&caller, key).await {
                    Some((202, text)) => break answers.entry(key).or_default().push(text),
                    Some((409, text)) if text.contains("idempotency_in_progress") => {}
                    other => panic!("key {key}: {other:?}"),
                }
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        }
    }
    for (key, texts) in &answers {
        assert!(
            texts.iter().all(|text| *text == texts[0]),
            "key {key} has several answers: {texts:?}"
        );
    }
    let named: Vec<(String, i64)> =
        sqlx::query_as("SELECT name, count(*) FROM tenants WHERE state = 'active' GROUP BY name")
            .fetch_all(&app.owner)
            .await
            .unwrap();
    assert_eq!(named.len(), KILLS * AT_ONCE);
    assert!(named.iter().all(|(_, tenants)| *tenants == 1), "{named:?}");
    assert_eq!(count(&app, "tenants").await, count(&app, "operations").await);
    println!(
        "{KILLS} kills interrupted {interrupted} of {} requests",
        KILLS * AT_ONCE
    );
}

async fn create(caller: &Caller, key: usize) -> Option<(u16, String)> {
    let body = examples::tenant(&format!("tenant {key}"));
    let request = caller
        .request(Method::POST, "/v1/tenants")
        .header("idempotency-key", format!("crash-test-key-{key:06}"))
        .json(&body);
    let answer = request.send().await.ok()?;
    let status = answer.status().as_u16();
    // The head may have come and the body not.
    Some((status, answer.text().await.ok()?))
}

async fn ready(caller: &Caller, until: Instant) {
    loop {
        let answer = caller.request(Method::GET, "/readyz").send().await;
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            return;
        }
        assert!(Instant::now() < until, "the server does not come up");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
