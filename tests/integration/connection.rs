//! Connections of a running installation: checked, rotated while users sign in, taken back, re-pointed.

use crate::installation::{self, Installation, Tenant};
use attacks::bench::now_ms;
use attacks::functions::Trigger;
use blockid_sim::config::{ClientConfig, Config};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use step_up::reason::Reason;

/// Rotations while users sign in.
const ROTATIONS: usize = 20;

/// A provider of this test alone, and a tenant of it: its secret changes.
struct Stage {
    installation: &'static Installation,
    provider: blockid_sim::Simulator,
    tenant: Tenant,
    path: String,
}

impl Stage {
    async fn set(installation: &'static Installation, name: &str) -> Self {
        let client = |id: &str| ClientConfig {
            id: id.to_owned(),
            secret: "secret-0".to_owned(),
            redirect_uris: Vec::new(),
        };
        let mut config = Config::seeded("secret-0");
        config.tenants[0].communities[0]
            .clients
            .push(client("second-client"));
        let provider = blockid_sim::Simulator::start(&blockid_sim::Options {
            config,
            http: Some(([127, 0, 0, 1], 0).into()),
            tls: None,
        })
        .expect("the simulator starts");
        let address = provider.http_address().expect("an address").to_string();
        let tenant = installation.onboard_at(name, &address, "secret-0").await;
        let path = format!("/v1/tenants/{}/blockid", tenant.id);
        Self {
            installation,
            provider,
            tenant,
            path,
        }
    }

    fn address(&self) -> String {
        self.provider.http_address().expect("an address").to_string()
    }

    fn body(&self, secret: &str) -> Value {
        json!({
            "tenant_dns": self.address(), "community": "default", "client_id": "demo-client", "client_secret": secret,
        })
    }

    /// The provider gives its client a new secret; the old one works for a while.
    async fn provider_secret(&self, client: &str, secret: &str, overlap_s: i64) {
        let url = format!("http://{}/sim/clients/{client}/secret", self.address());
        let body = json!({ "secret": secret, "overlap_s": overlap_s });
        let http = attacks::http::client().expect("a client");
        let answer = http.post(url).json(&body).send().await.expect("an answer");
        assert!(answer.status().is_success());
    }

    async fn put(&self, body: &Value) -> (u16, Value) {
        let call = self.installation.partner.change(Method::PUT, &self.path, body);
        let answer = call.await.expect("an answer");
        (answer.status, answer.body)
    }

    /// Asks for a change and waits for its end.
    async fn change(&self, body: &Value) -> Value {
        let (status, answer) = self.put(body).await;
        assert_eq!(status, 202, "{answer}");
        self.ended(&answer["operation"]).await
    }

    async fn ended(&self, operation: &Value) -> Value {
        let path = format!("/v1/operations/{}", operation["id"].as_str().expect("an id"));
        for _ in 0..600 {
            let now = self.installation.partner.get(&path).await.expect("the operation");
            if matches!(now["state"].as_str(), Some("succeeded" | "failed")) {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the operation does not end");
    }

    async fn connection(&self) -> Value {
        self.installation
            .partner
            .get(&self.path)
            .await
            .expect("the connection")
    }

    /// A user signs in. The two functions read changed settings within half a minute, each when it is time: a
    /// challenge made for another client than its answer is refused, and begun anew.
    async fn signs_in(&self) {
        let mut refused = None;
        for _ in 0..20 {
            let user = self.tenant.bench.user().await.expect("a user");
            match self.tenant.bench.sign_in(&self.tenant.app(), &user).await {
                Ok(_) => return,
                Err(error) => refused = Some(error),
            }
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        panic!("no sign-in: {refused:?}");
    }

    /// Signs a new user in; `false` when it failed for a reason that has nothing to do with credentials.
    async fn tries_to_sign_in(&self) -> bool {
        let bench = &self.tenant.bench;
        let user = bench.user().await.expect("a user");
        let since = now_ms();
        let Err(error) = bench.sign_in(&self.tenant.app(), &user).await else {
            return true;
        };
        let reasons: Vec<_> = bench
            .events(&user, since)
            .await
            .expect("events")
            .into_iter()
            .filter_map(|event| event.reason)
            .collect();
        let by_credentials = [
            Reason::ClientRejected,
            Reason::CodeRejected,
            Reason::SettingsUnavailable,
        ];
        assert!(
            !reasons.iter().any(|reason| by_credentials.contains(reason)),
            "a sign-in failed by the rotation: {reasons:?}: {error:#}"
        );
        println!("a sign-in failed during rotations, for another reason: {reasons:?}: {error:#}");
        false
    }

    async fn until_ready(&self) -> Value {
        let path = format!("/v1/tenants/{}", self.tenant.id);
        for _ in 0..300 {
            let tenant = self.installation.partner.get(&path).await.expect("the tenant");
            if tenant["ready"] == true {
                return tenant;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the tenant does not become ready");
    }

    /// Versions of the secret by label.
    async fn labels(&self) -> Value {
        let bench = &self.tenant.bench;
        let name = "STEPGATE_CREDENTIALS_SECRET_ARN";
        let arn = bench
            .function_variable(Trigger::Verify, name)
            .await
            .expect("an ARN");
        let aws = bench.aws().expect("the account");
        let described = aws
            .must("secretsmanager", "DescribeSecret", &json!({ "SecretId": arn }))
            .await;
        described.expect("the secret")["VersionIdsToStages"].take()
    }

    async fn labelled(&self, label: &str) -> Vec<String> {
        let labels = self.labels().await;
        let versions = labels.as_object().expect("versions").iter();
        let with =
            versions.filter(|(_, labels)| labels.as_array().is_some_and(|all| all.contains(&json!(label))));
        with.map(|(version, _)| version.clone()).collect()
    }
}

#[test]
fn the_secret_is_rotated_twenty_times_while_users_sign_in_and_workers_are_killed() {
    installation::run(|installation| async move {
        let stage = Stage::set(installation, "Rotated").await;
        let done = std::sync::atomic::AtomicBool::new(false);
        let signed_in_so_far = std::sync::atomic::AtomicUsize::new(0);
        let over = || done.load(std::sync::atomic::Ordering::Relaxed);
        let sign_ins = async {
            let (mut passed, mut failed) = (0, 0);
            while !over() {
                if stage.tries_to_sign_in().await {
                    passed += 1;
                    signed_in_so_far.store(passed, std::sync::atomic::Ordering::Relaxed);
                } else {
                    failed += 1;
                }
            }
            assert!(
                failed * 10 <= passed,
                "{failed} sign-ins failed for other reasons, {passed} passed"
            );
            passed
        };
        let kills = async {
            let mut count = 0_u64;
            while !over() {
                let mut worker = installation.spawn_worker();
                tokio::time::sleep(Duration::from_millis(300 + 137 * (count % 7))).await;
                worker.kill().expect("killed");
                worker.wait().expect("gone");
                count += 1;
            }
            count
        };
        let rotations = async {
            for round in 1..=ROTATIONS {
                let secret = format!("secret-{round}");
                stage.provider_secret("demo-client", &secret, 120).await;
                let ended = stage.change(&stage.body(&secret)).await;
                assert_eq!(ended["state"], "succeeded", "rotation {round}: {ended}");
                assert_eq!(
                    stage.labelled("AWSPENDING").await,
                    Vec::<String>::new(),
                    "rotation {round}"
                );
                // However slow the machine is: a sign-in for each rotation, most of them in the middle of one.
                while signed_in_so_far.load(std::sync::atomic::Ordering::Relaxed) < round {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        };
        let (signed_in, killed, ()) = tokio::join!(sign_ins, kills, rotations);
        println!("{signed_in} sign-ins and {killed} killed workers during {ROTATIONS} rotations");
        assert!(
            signed_in >= ROTATIONS,
            "only {signed_in} sign-ins during {ROTATIONS} rotations"
        );
        assert!(killed >= 5, "only {killed} workers were killed");
        // The last secret alone is accepted now, by cold and warm functions.
        stage
            .provider_secret("demo-client", &format!("secret-{ROTATIONS}"), 0)
            .await;
        stage.signs_in().await;
        assert_eq!(stage.connection().await["change"]["state"], "done");
    });
}

#[test]
fn a_wrong_secret_is_taken_back_and_the_operation_says_why() {
    installation::run(|installation| async move {
        let stage = Stage::set(installation, "Taken back").await;
        let before = stage.labelled("AWSCURRENT").await;
        let ended = stage.change(&stage.body("canary-of-a-wrong-secret")).await;
        assert_eq!(ended["state"], "failed", "{ended}");
        assert_eq!(ended["error"]["code"], "client_rejected", "{ended}");
        assert_eq!(ended["error"]["step"], "connection_change");
        assert!(!ended.to_string().contains("canary"));
        assert_eq!(stage.labelled("AWSCURRENT").await, before);
        assert_eq!(stage.labelled("AWSPENDING").await, Vec::<String>::new());
        let connection = stage.connection().await;
        assert_eq!(connection["change"]["state"], "failed");
        assert_eq!(connection["change"]["error"]["code"], "client_rejected");
        stage.signs_in().await;
        assert_eq!(stage.until_ready().await["last_error"], Value::Null);

        // Another try is not held back by it.
        stage.provider_secret("demo-client", "secret-1", 0).await;
        let ended = stage.change(&stage.body("secret-1")).await;
        assert_eq!(ended["state"], "succeeded", "{ended}");
        stage.signs_in().await;
    });
}

#[test]
fn another_client_is_put_in_force_and_the_previous_one_can_be_had_back() {
    installation::run(|installation| async move {
        let stage = Stage::set(installation, "Another client").await;
        let mut body = stage.body("secret-0");
        body["client_id"] = json!("second-client");
        let ended = stage.change(&body).await;
        assert_eq!(ended["state"], "succeeded", "{ended}");
        assert_eq!(stage.connection().await["blockid"]["client_id"], "second-client");
        stage.signs_in().await;
        let current = stage.labelled("AWSCURRENT").await;
        let previous = stage.labelled("AWSPREVIOUS").await;

        let revert = format!("{}:revert", stage.path);
        let accepted = installation
            .partner
            .post(&revert, &json!({ "reason": "drill" }))
            .await
            .expect("accepted");
        let ended = stage.ended(&accepted["operation"]).await;
        assert_eq!(ended["state"], "succeeded", "{ended}");
        assert_eq!(stage.connection().await["blockid"]["client_id"], "demo-client");
        assert_eq!(stage.labelled("AWSCURRENT").await, previous);
        assert_eq!(stage.labelled("AWSPREVIOUS").await, current);
        stage.signs_in().await;

        // What BlockID refuses by now is not put back in force.
        stage
            .provider_secret("second-client", "secret-of-nobody", 0)
            .await;
        let accepted = installation
            .partner
            .post(&revert, &json!({}))
            .await
            .expect("accepted");
        let ended = stage.ended(&accepted["operation"]).await;
        assert_eq!(
            (&ended["state"], &ended["error"]["code"]),
            (&json!("failed"), &json!("client_rejected"))
        );
        assert_eq!(stage.connection().await["blockid"]["client_id"], "demo-client");
        assert_eq!(
            stage.labelled("AWSPREVIOUS").await,
            current,
            "it can still be tried again"
        );
        stage.signs_in().await;
    });
}

#[test]
fn a_worker_that_died_after_promoting_is_replaced_and_nothing_is_promoted_twice() {
    installation::run(|installation| async move {
        let stage = Stage::set(installation, "Promoted").await;
        stage.provider_secret("demo-client", "secret-1", 60).await;
        let mut database = installation.database().await;
        // A worker that died holds the claim: nobody else takes the tenant until it runs out.
        let hold = "UPDATE tenants SET lease_owner = 'died', lease_expires_at = now() + interval '1 hour' WHERE id = $1";
        sqlx::query(hold)
            .bind(&stage.tenant.id)
            .execute(&mut database)
            .await
            .expect("held");
        let (status, accepted) = stage.put(&stage.body("secret-1")).await;
        assert_eq!(status, 202, "{accepted}");
        let pending = stage
            .labelled("AWSPENDING")
            .await
            .pop()
            .expect("a version that waits");
        let current = stage
            .labelled("AWSCURRENT")
            .await
            .pop()
            .expect("a version in force");
        let bench = &stage.tenant.bench;
        let name = "STEPGATE_CREDENTIALS_SECRET_ARN";
        let arn = bench
            .function_variable(Trigger::Verify, name)
            .await
            .expect("an ARN");
        let promote = json!({
            "SecretId": arn, "VersionStage": "AWSCURRENT", "MoveToVersionId": pending, "RemoveFromVersionId": current,
        });
        let aws = bench.aws().expect("the account");
        aws.must("secretsmanager", "UpdateSecretVersionStage", &promote)
            .await
            .expect("promoted");
        let free = "UPDATE tenants SET lease_expires_at = now() - interval '1 second' WHERE id = $1";
        sqlx::query(free)
            .bind(&stage.tenant.id)
            .execute(&mut database)
            .await
            .expect("free");
        let ended = stage.ended(&accepted["operation"]).await;
        assert_eq!(ended["state"], "succeeded", "{ended}");
        assert_eq!(stage.labelled("AWSCURRENT").await, [pending]);
        assert_eq!(stage.labelled("AWSPREVIOUS").await, [current]);
        assert_eq!(stage.labelled("AWSPENDING").await, Vec::<String>::new());
        stage.signs_in().await;
    });
}

#[test]
fn a_check_of_a_tenant_tries_its_secret_by_its_own_function() {
    installation::run(|installation| async move {
        let stage = Stage::set(installation, "Checked").await;
        let check = async || {
            let path = format!("{}:check", stage.path);
            let call = installation.partner.call(Method::POST, &path, None, None);
            call.await.expect("an answer").ok("check").expect("a report")
        };
        let outcome = |report: &Value, name: &str| {
            let checks = report["checks"].as_array().expect("checks").iter();
            checks
                .clone()
                .find(|check| check["name"] == name)
                .expect("the check")["outcome"]
                .clone()
        };
        let report = check().await;
        assert_eq!(outcome(&report, "client_secret"), "passed", "{report}");
        assert_eq!(report["usable"], true, "{report}");
        assert_eq!(stage.connection().await["check"], report);
        stage
            .provider_secret("demo-client", "secret-that-the-tenant-has-not", 0)
            .await;
        let report = check().await;
        assert_eq!(outcome(&report, "client_secret"), "failed", "{report}");
        assert_eq!(report["usable"], false, "{report}");
    });
}

#[test]
fn a_tenant_of_the_wrong_place_is_mended_before_it_was_ever_made() {
    installation::run(|installation| async move {
        let nowhere = std::net::TcpListener::bind("127.0.0.1:0")
            .expect("a port")
            .local_addr()
            .expect("it")
            .to_string();
        let mut body = installation.tenant_body("Mended");
        body["blockid"]["tenant_dns"] = json!(nowhere);
        let made = installation
            .partner
            .post("/v1/tenants", &body)
            .await
            .expect("accepted");
        let path = format!(
            "/v1/tenants/{}/blockid",
            made["tenant"]["id"].as_str().expect("an id")
        );
        let right = installation.tenant_body("")["blockid"].take();
        let call = installation.partner.change(Method::PUT, &path, &right);
        // Nobody is linked yet: nothing to confirm.
        let accepted = call.await.expect("an answer").ok("PUT").expect("accepted");
        installation
            .partner
            .wait(&accepted["operation"])
            .await
            .expect("it is put in force");
        installation
            .partner
            .wait(&made["operation"])
            .await
            .expect("the tenant is provisioned");
    });
}
