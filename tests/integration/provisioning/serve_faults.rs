//! Every call that the API itself makes to AWS fails once, before and after it took effect. The request is sent again, as
//! its caller would; what comes of it is the same. The worker's calls are in `faults.rs`.

use super::rig::{REGION, cell_request, placeholder_artifacts};
use crate::support::{Answer, Partner, TestApp, aws_at, env::required, fresh_account};
use aws_credential_types::Credentials;
use blockid_sim::Simulator;
use fault_proxy::{Fault, Plan, Proxy};
use reqwest::Method;
use serde_json::{Value, json};
use std::{path::Path, time::Duration};
use stepgate::{aws::Patience, ids::IdSource, provisioning::cell::apply};

const FAULTS: [Fault; 4] = [
    Fault::Throttle,
    Fault::ServerError,
    Fault::CutBefore,
    Fault::CutAfter,
];
/// How often a caller repeats a request.
const REPEATS: usize = 4;

struct Stage {
    app: TestApp,
    partner: Partner,
    provider: Simulator,
    proxy: Proxy,
}

impl Stage {
    async fn set(artifacts: &Path) -> Self {
        let upstream = required("STEPGATE_TEST_AWS_ENDPOINT_URL").parse().unwrap();
        let proxy = Proxy::start(&upstream).await.unwrap();
        let account = fresh_account();
        let credentials = Credentials::new(&account, "test", None, None, "test");
        // The SDK does not try again, so that each fault reaches the API.
        let patience = Patience {
            attempts: 1,
            backoff: Duration::from_millis(1),
            ..Patience::default()
        };
        let aws = aws_at(&proxy.url(), credentials, &patience).await;
        let app = TestApp::start_on(aws, account, |_| {}).await;
        apply(&app.context, &cell_request(artifacts), &mut |_| {})
            .await
            .unwrap();
        let provider = Simulator::start(&blockid_sim::Options {
            config: blockid_sim::config::Config::seeded("simulated-secret"),
            http: Some(([127, 0, 0, 1], 0).into()),
            tls: None,
        })
        .unwrap();
        Self {
            partner: app.partner("acme").await,
            app,
            provider,
            proxy,
        }
    }

    fn connection(&self) -> Value {
        json!({
            "tenant_dns": self.provider.http_address().unwrap().to_string(), "community": "default",
            "client_id": "demo-client", "client_secret": "simulated-secret",
        })
    }

    /// Sends a request while its call number `call` fails, and again until it is accepted. Returns the answer, and
    /// whether there was such a call.
    async fn accepted(&self, call: usize, fault: Fault, request: impl AsyncFn() -> Answer) -> (Value, bool) {
        self.proxy.follow(Plan::Nth(call, fault));
        let mut answer = request().await;
        for _ in 0..REPEATS {
            if answer.status.is_success() {
                break;
            }
            assert!(
                answer.status.is_server_error(),
                "{fault:?} at call {call}: {}",
                answer.text
            );
            answer = request().await;
        }
        let struck = self.proxy.struck();
        self.proxy.follow(Plan::Nothing);
        (answer.expect(202), struck)
    }

    /// Lets the worker take the tenant through; its operation must have succeeded then.
    async fn through(&self, accepted: &Value, what: &str) {
        self.app.run_worker().await;
        let operation = format!("/v1/operations/{}", accepted["operation"]["id"].as_str().unwrap());
        let operation = self.partner.get(&operation).await.expect(200);
        assert_eq!(operation["state"], "succeeded", "{what}: {operation}");
    }

    /// Names of the account's secrets.
    async fn secrets(&self) -> Vec<String> {
        let client = aws_sdk_secretsmanager::Client::new(&self.app.context.aws.region(REGION));
        let mut names = Vec::new();
        let mut pages = client.list_secrets().into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.unwrap();
            names.extend(
                page.secret_list()
                    .iter()
                    .filter_map(|one| one.name().map(str::to_owned)),
            );
        }
        names
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_the_api_for_a_new_tenant_fails_before_and_after() {
    let stage = Stage::set(&placeholder_artifacts(&IdSource::from_os().suffix(12))).await;
    let mut tenants = Vec::new();
    for fault in FAULTS {
        for call in 0.. {
            let what = format!("{fault:?} at call {call}");
            let key = what.replace(' ', "-");
            let body = json!({ "name": what, "blockid": stage.connection() });
            let (made, struck) = stage
                .accepted(call, fault, async || {
                    stage.partner.post_once("/v1/tenants", &key, &body).await
                })
                .await;
            stage.through(&made, &what).await;
            tenants.push(made["tenant"]["id"].as_str().unwrap().to_owned());
            if !struck {
                assert!(call > 0, "{fault:?}: it makes no call");
                break;
            }
        }
    }
    // Each tenant has its two secrets, and nothing else is left of what failed.
    let secrets = stage.secrets().await;
    assert_eq!(secrets.len(), 2 * tenants.len(), "{secrets:?}");
    for tenant in &tenants {
        let own = secrets.iter().filter(|name| name.contains(tenant));
        assert_eq!(own.count(), 2, "{tenant}: {secrets:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_the_api_for_a_rotation_fails_before_and_after() {
    // The worker tries the new secret by verify.
    let stage = Stage::set(Path::new(&required("STEPGATE_TEST_ARTIFACTS_DIR"))).await;
    let body = json!({ "name": "Acme", "blockid": stage.connection() });
    let made = stage.partner.post("/v1/tenants", body).await.expect(202);
    stage.through(&made, "onboarding").await;
    let id = made["tenant"]["id"].as_str().unwrap();
    let secret: String = sqlx::query_scalar("SELECT credentials_secret_arn FROM tenants WHERE id = $1")
        .bind(id)
        .fetch_one(&stage.app.owner)
        .await
        .unwrap();
    let secrets = stage.app.context.aws.secrets_manager(REGION);
    let mut in_force = secrets.versions(&secret).await.unwrap().current;
    let path = format!("/v1/tenants/{id}/blockid");
    for fault in FAULTS {
        for call in 0.. {
            let what = format!("{fault:?} at call {call}");
            let mut body = stage.connection();
            body["reason"] = json!("drill");
            let (changed, struck) = stage
                .accepted(call, fault, async || {
                    stage.partner.change(Method::PUT, &path, body.clone()).await
                })
                .await;
            stage.through(&changed, &what).await;
            let versions = secrets.versions(&secret).await.unwrap();
            assert!(versions.pending.is_empty(), "{what}: {versions:?}");
            assert_ne!(versions.current, in_force, "{what}: it was rotated");
            assert_eq!(versions.previous, in_force, "{what}: once");
            in_force = versions.current;
            if !struck {
                assert!(call > 0, "{fault:?}: it makes no call");
                break;
            }
        }
    }
}
