//! Copies are replaced under load: no request fails and no operation is lost.
//!
//! The load knows which copies are in rotation as a Kubernetes service does: a stopping copy leaves the rotation a while
//! after it was asked to stop.

use super::{start_api, status, stop};
use crate::installation;
use attacks::stepgate::{Stepgate, any_method_policy};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Readers and writers beside one another.
const READERS: usize = 3;
const WRITERS: usize = 2;
/// How long the news of a stop takes to reach those who send requests.
const NEWS: Duration = Duration::from_millis(1500);
const STOP: [(&str, &str); 2] = [
    ("STEPGATE_SHUTDOWN_DELAY_S", "3"),
    ("STEPGATE_SHUTDOWN_GRACE_S", "5"),
];

/// Who is in rotation, and what the load met.
#[derive(Default)]
struct Load {
    rotation: Mutex<Vec<Stepgate>>,
    answers: Mutex<usize>,
    failures: Mutex<Vec<String>>,
    operations: Mutex<Vec<Value>>,
}

impl Load {
    fn pick(&self, turn: usize) -> Stepgate {
        let rotation = self.rotation.lock().unwrap();
        rotation[turn % rotation.len()].clone()
    }

    fn note(&self, result: anyhow::Result<Value>) {
        match result {
            Ok(body) => {
                *self.answers.lock().unwrap() += 1;
                if !body["operation"].is_null() {
                    self.operations.lock().unwrap().push(body["operation"].clone());
                }
            }
            Err(error) => self.failures.lock().unwrap().push(format!("{error:#}")),
        }
    }
}

#[test]
fn a_rolling_update_fails_no_request_and_loses_no_operation() {
    installation::run(|installation| async move {
        let tenant = installation.onboard("Rolling").await;
        let (old_api, old_url) = start_api(installation, None, "rolling-old", &STOP).await;
        let worker = |name: &str| {
            let program = installation.service(None, &["worker"]);
            program.start(&installation.folder().join(format!("{name}.log")))
        };
        let old_worker = worker("rolling-old-worker");

        let load = Arc::new(Load::default());
        *load.rotation.lock().unwrap() = vec![installation.partner_at(&old_url)];
        let ended = CancellationToken::new();
        let mut running = tokio::task::JoinSet::new();
        for number in 0..READERS + WRITERS {
            let (load, ended, tenant_id) = (Arc::clone(&load), ended.clone(), tenant.id.clone());
            running.spawn(async move {
                for turn in 0.. {
                    if ended.is_cancelled() {
                        return;
                    }
                    let api = load.pick(turn);
                    if number < READERS {
                        load.note(api.get(&format!("/v1/tenants/{tenant_id}")).await);
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    } else {
                        let app =
                            json!({ "name": format!("App {number}.{turn}"), "policy": any_method_policy() });
                        load.note(api.post(&format!("/v1/tenants/{tenant_id}/apps"), &app).await);
                        tokio::time::sleep(Duration::from_millis(400)).await;
                    }
                }
            });
        }

        tokio::time::sleep(Duration::from_secs(1)).await;
        let (new_api, new_url) = start_api(installation, None, "rolling-new", &STOP).await;
        let new_worker = worker("rolling-new-worker");
        load.rotation
            .lock()
            .unwrap()
            .push(installation.partner_at(&new_url));
        let stopped = tokio::join!(stop(old_worker), stop(old_api), async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert_eq!(
                status(&old_url, "/readyz").await,
                503,
                "a stopping copy is not ready"
            );
            assert_eq!(status(&old_url, "/healthz").await, 200, "it still answers");
            tokio::time::sleep(NEWS).await;
            load.rotation.lock().unwrap().remove(0);
        });
        assert_eq!((stopped.0, stopped.1), (0, 0), "both end by themselves");
        tokio::time::sleep(Duration::from_secs(1)).await;
        ended.cancel();
        running.join_all().await;

        let failures = std::mem::take(&mut *load.failures.lock().unwrap());
        assert!(
            failures.is_empty(),
            "{} requests failed: {failures:#?}",
            failures.len()
        );
        let answers = *load.answers.lock().unwrap();
        assert!(answers > 200, "only {answers} requests: is there any load?");
        let operations = std::mem::take(&mut *load.operations.lock().unwrap());
        assert!(operations.len() > 10, "only {} operations", operations.len());
        for operation in &operations {
            let done = installation.partner.wait(operation).await;
            done.expect("an accepted operation is carried out");
        }
        println!("{answers} requests and {} operations", operations.len());
        stop(new_api).await;
        stop(new_worker).await;
    });
}

#[test]
fn a_stopping_copy_ends_kept_connections_and_running_requests_politely() {
    installation::run(|installation| async move {
        let (api, url) = start_api(installation, None, "draining", &STOP).await;
        // One connection, kept.
        let http = attacks::http::client().expect("a client");
        let ask = async || {
            let sent = http.get(url.join("/healthz").expect("a URL")).send().await;
            let answer = sent.expect("an answer");
            let connection = answer.headers().get("connection").cloned();
            // Read to its end, or the connection is not kept.
            answer
                .error_for_status()
                .expect("a success")
                .bytes()
                .await
                .expect("a body");
            connection
        };
        assert_eq!(ask().await, None);
        let (code, ()) = tokio::join!(stop(api), async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            assert_eq!(ask().await.expect("a last answer"), "close");
        });
        assert_eq!(code, 0);
    });
}
