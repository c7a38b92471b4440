//! Copies are replaced under load, by another release and back again: no request fails and no operation is lost.
//!
//! `cargo xtask test --upgrade-from REVISION` gives the program of an earlier release; without, this one is updated to itself.
//!
//! The load knows which copies are in rotation as a Kubernetes service does: a stopping copy leaves the rotation a while
//! after it was asked to stop.

use super::{scratch::Scratch, start_api, start_serving, status, stop};
use crate::installation::{
    self, Installation, cell_apply, make_partner,
    process::{Child, Program},
};
use crate::support::env::{optional, required};
use attacks::stepgate::{Stepgate, any_method_policy};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

/// Another account than the other tests': what the workers here take from its queues is missed by nobody.
const ACCOUNT_OF_THE_UPDATE: &str = "111122220001";

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
    /// Takes one more copy into rotation.
    fn add(&self, api: Stepgate) {
        self.rotation.lock().unwrap().push(api);
    }

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

/// The two releases of an update, in a database and an AWS account that no other test sees.
struct Releases {
    installation: &'static Installation,
    database: Scratch,
    /// Program of the release before, where there is one to test with; otherwise this one plays both parts.
    before: Option<String>,
}

impl Releases {
    fn service(&self, release: Release, arguments: &[&str]) -> Program {
        let service = self
            .installation
            .service(Some(self.database.url.as_str()), arguments);
        let service = service.variable("AWS_ACCESS_KEY_ID", ACCOUNT_OF_THE_UPDATE);
        match (release, &self.before) {
            (Release::Before, Some(program)) => service.by(program),
            _ => service,
        }
    }

    /// One copy of each half of the service.
    async fn start(&self, release: Release, name: &str) -> Copy {
        let worker = self.service(release, &["worker"]);
        let worker = worker.start(&self.installation.folder().join(format!("{name}-worker.log")));
        let serve = self.service(release, &["serve"]);
        let (api, url) = start_serving(self.installation, serve, name, &STOP).await;
        Copy { worker, api, url }
    }
}

#[derive(Clone, Copy)]
enum Release {
    Before,
    This,
}

struct Copy {
    worker: Child,
    api: Child,
    url: Url,
}

impl Copy {
    /// Ends it as Kubernetes does, while others answer.
    async fn retire(self, load: &Load) {
        let url = self.url;
        let stopped = tokio::join!(stop(self.worker), stop(self.api), async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert_eq!(status(&url, "/readyz").await, 503, "a stopping copy is not ready");
            assert_eq!(status(&url, "/healthz").await, 200, "it still answers");
            tokio::time::sleep(NEWS).await;
            load.rotation.lock().unwrap().remove(0);
        });
        assert_eq!((stopped.0, stopped.1), (0, 0), "both end by themselves");
    }
}

#[test]
fn an_update_and_its_roll_back_fail_no_request_and_lose_no_operation() {
    installation::run(|installation| async move {
        let releases = Releases {
            installation,
            database: Scratch::make(installation, "rolling").await,
            before: optional("STEPGATE_TEST_PREVIOUS_STEPGATE"),
        };
        releases.service(Release::Before, &["migrate"]).finish();
        let artifacts = required("STEPGATE_TEST_ARTIFACTS_DIR");
        releases
            .service(Release::Before, &cell_apply(&artifacts))
            .finish();
        let bootstrap = releases.service(Release::Before, &["keys", "bootstrap"]).finish();
        let bootstrap: Value = serde_json::from_str(&bootstrap).expect("the operator key as JSON");
        let operator_key = bootstrap["key"].as_str().expect("a key").to_owned();
        let before = releases.start(Release::Before, "rolling-before").await;
        let http = attacks::http::client().expect("a client");
        let operator = Stepgate::new(http.clone(), before.url.clone(), operator_key);
        let partner_key = make_partner(&operator, "rolling").await;
        let partner = |url: &Url| Stepgate::new(http.clone(), url.clone(), partner_key.clone());
        let made = partner(&before.url)
            .post("/v1/tenants", &installation.tenant_body("Rolling"))
            .await;
        let made = made.expect("a tenant");
        let onboarded = partner(&before.url).wait(&made["operation"]).await;
        onboarded.expect("the tenant is provisioned");
        let tenant_id = made["tenant"]["id"].as_str().expect("an id").to_owned();

        let load = Arc::new(Load::default());
        load.add(partner(&before.url));
        let ended = CancellationToken::new();
        let running = put_under_load(&load, &tenant_id, &ended);
        tokio::time::sleep(Duration::from_secs(1)).await;

        // The update: the schema first, under the old copies; then the copies.
        releases.service(Release::This, &["migrate"]).finish();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let this = releases.start(Release::This, "rolling-this").await;
        load.add(partner(&this.url));
        before.retire(&load).await;
        tokio::time::sleep(Duration::from_secs(1)).await;

        // And back: the copies alone, on the schema as it is now.
        let back = releases.start(Release::Before, "rolling-back").await;
        load.add(partner(&back.url));
        this.retire(&load).await;
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
            let done = partner(&back.url).wait(operation).await;
            done.expect("an accepted operation is carried out");
        }
        println!("{answers} requests and {} operations", operations.len());
        stop(back.api).await;
        stop(back.worker).await;
        releases.database.drop().await;
    });
}

/// Readers and writers, until told to end.
fn put_under_load(load: &Arc<Load>, tenant_id: &str, ended: &CancellationToken) -> JoinSet<()> {
    let mut running = JoinSet::new();
    for number in 0..READERS + WRITERS {
        let (load, ended, tenant_id) = (Arc::clone(load), ended.clone(), tenant_id.to_owned());
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
    running
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
