//! Pilot step-ups, end to end: what the provider returns is learned, policies that name a method are accepted from
//! then on, and what is weaker is refused.

use crate::installation::{self, Installation, Tenant};
use attacks::bench::{App, User, authorize_url, now_ms};
use attacks::cognito::Step;
use attacks::functions::Trigger;
use attacks::provider::{Posted, StepUp};
use attacks::stepgate::ApiAnswer;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use step_up::reason::Reason;

/// Warm functions keep settings and policies for 30 s.
const UNTIL_WARM_FUNCTIONS_KNOW: Duration = Duration::from_secs(31);

async fn call(installation: &Installation, method: Method, path: &str, body: &Value) -> ApiAnswer {
    let answer = installation.partner.call(method, path, None, Some(body)).await;
    answer.expect("an answer")
}

fn policy(default: &Value) -> Value {
    json!({ "schema_version": 1, "rules": [], "default": default })
}

/// Codes of a refused policy.
async fn refused(installation: &Installation, tenant: &Tenant, app: &App, default: &Value) -> Vec<String> {
    let answer = installation
        .partner
        .try_policy(&tenant.id, &app.id, &policy(default))
        .await
        .expect("an answer");
    assert_eq!(answer.status, 422, "{answer:?}");
    let errors = answer.body["errors"].as_array().expect("errors");
    errors
        .iter()
        .map(|error| error["code"].as_str().expect("a code").to_owned())
        .collect()
}

/// A sign-in after whose step-up the provider says that this method was used, whatever was offered.
async fn sign_in(tenant: &Tenant, app: &App, user: &User, method: &str) -> Step {
    let bench = &tenant.bench;
    let challenge = bench.challenge(app, user).await.expect("a step-up");
    let url = authorize_url(&challenge).expect("an address");
    let step_up = StepUp::honest(url).fault(json!({ "method": method }));
    let posted = bench.provider().expect("the simulator").step_up(&step_up).await;
    let answer = posted.expect("a code").answer();
    bench
        .answer(app, user, &challenge, &answer)
        .await
        .expect("an answer")
}

#[test]
fn a_learned_method_can_be_asked_for_and_a_weaker_one_is_refused() {
    installation::run(|installation| async move {
        let tenant = installation.onboard("Pilots").await;
        let (bench, app) = (&tenant.bench, tenant.app());
        let strong = json!({ "step_up": "required", "methods": ["liveID push", "otp"], "min_aal": 2 });
        assert_eq!(
            refused(installation, &tenant, &app, &strong).await,
            ["methods_not_learned"]
        );

        for method in ["liveID push", "otp", "otp email"] {
            let pilot = bench.learn(method).await.expect("it is learned");
            assert_eq!(
                (&pilot["state"], &pilot["method"]),
                (&json!("learned"), &json!(method))
            );
            let observed = &pilot["observed"];
            assert_eq!(
                (&observed["acr"], &observed["amr"]),
                (&json!(method), &json!([method]))
            );
            for told in ["auth_time", "nonce", "pkce"] {
                assert_eq!(observed[told], json!(true), "{told}: {observed}");
            }
        }
        let methods = format!("/v1/tenants/{}/blockid/methods", tenant.id);
        let methods = installation.partner.get(&methods).await.expect("the methods");
        let learned: Vec<&str> = methods["items"]
            .as_array()
            .expect("a list")
            .iter()
            .filter(|method| !method["observed"].is_null())
            .map(|method| method["acr"].as_str().expect("a name"))
            .collect();
        assert_eq!(learned, ["liveID push", "otp email", "otp"]);
        // What the functions were told is the map, without anything that names the administrator.
        let settings = bench.settings().await.expect("the settings");
        let map = settings["observed_methods"].as_object().expect("a map");
        assert_eq!(map.len(), 3, "{map:?}");
        assert!(
            !settings.to_string().contains("pilot-"),
            "the administrator's name"
        );

        // A method that was not learned is still not recognised, and the policy's author is told.
        assert_eq!(
            refused(
                installation,
                &tenant,
                &app,
                &json!({ "step_up": "required", "methods": ["otp sms"] })
            )
            .await,
            ["methods_not_observed"]
        );
        let put = installation
            .partner
            .put_policy(&tenant.id, &app.id, &policy(&strong))
            .await
            .expect("the stronger policy is accepted");
        assert_eq!(put["warnings"], json!([]));
        tokio::time::sleep(UNTIL_WARM_FUNCTIONS_KNOW).await;

        for method in ["liveID push", "otp"] {
            let user = bench.user().await.expect("a user");
            let tokens = sign_in(&tenant, &app, &user, method)
                .await
                .tokens()
                .expect("tokens");
            assert_eq!(tokens.id_claims().expect("claims")["stepup_acr"], json!(method));
        }
        for weaker in ["otp email", "otp sms"] {
            let user = bench.user().await.expect("a user");
            let since = now_ms();
            let step = sign_in(&tenant, &app, &user, weaker).await;
            assert!(step.refused().is_some(), "{weaker}: {}", step.label());
            let refusal = bench
                .refusal(Trigger::Verify, &user, since)
                .await
                .expect("a reason");
            assert_eq!(refusal.reason, Some(Reason::AssuranceNotMet), "{weaker}");
        }
    });
}

#[test]
fn a_method_of_the_tenant_is_asked_for_once_it_is_added_and_learned() {
    installation::run(|installation| async move {
        let tenant = installation.onboard("Own methods").await;
        let (bench, app) = (&tenant.bench, tenant.app());
        let methods = format!("/v1/tenants/{}/blockid/methods", tenant.id);
        let fido2 = json!({ "acr": "fido2", "label": "Passkey", "max_aal": 3, "phishing_resistant": true });
        let asks = json!({ "step_up": "required", "methods": ["fido2"], "min_aal": 3 });
        assert_eq!(
            refused(installation, &tenant, &app, &asks).await,
            ["method_unknown"]
        );
        let put = installation
            .partner
            .change(Method::PUT, &methods, &json!({ "extra_methods": [fido2] }))
            .await
            .expect("an answer");
        let put = put.ok("PUT methods").expect("accepted");
        assert_eq!(put["operation"]["kind"], "update_methods");
        assert_eq!(put["methods"]["items"].as_array().expect("a list").len(), 6);
        installation
            .partner
            .wait(&put["operation"])
            .await
            .expect("it reaches the settings");
        assert_eq!(
            refused(installation, &tenant, &app, &asks).await,
            ["methods_not_learned"]
        );
        bench.learn("fido2").await.expect("it is learned");
        installation
            .partner
            .put_policy(&tenant.id, &app.id, &policy(&asks))
            .await
            .expect("the policy is accepted");
        // A policy in force is not left without its method.
        let without = installation
            .partner
            .change(Method::PUT, &methods, &json!({ "extra_methods": [] }))
            .await
            .expect("an answer");
        assert_eq!(
            (without.status, &without.body["errors"][0]["code"]),
            (422, &json!("in_use"))
        );
        tokio::time::sleep(UNTIL_WARM_FUNCTIONS_KNOW).await;
        let user = bench.user().await.expect("a user");
        let tokens = sign_in(&tenant, &app, &user, "fido2")
            .await
            .tokens()
            .expect("tokens");
        assert_eq!(tokens.id_claims().expect("claims")["stepup_acr"], json!("fido2"));
        let since = now_ms();
        let step = sign_in(&tenant, &app, &user, "liveID push").await;
        assert!(step.refused().is_some(), "{}", step.label());
        let refusal = bench
            .refusal(Trigger::Verify, &user, since)
            .await
            .expect("a reason");
        assert_eq!(refusal.reason, Some(Reason::AssuranceNotMet));
    });
}

/// Pilots of a tenant, for `otp sms`.
struct Pilots<'a> {
    installation: &'a Installation,
    tenant: &'a Tenant,
}

impl Pilots<'_> {
    /// Path of a new pilot, and the address to open.
    async fn begin(&self) -> (String, String) {
        let pilots = format!("/v1/tenants/{}/blockid/pilots", self.tenant.id);
        let body = json!({ "method": "otp sms", "username": "ada" });
        let begun = self
            .installation
            .partner
            .post(&pilots, &body)
            .await
            .expect("a pilot");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let path = format!("{pilots}/{}", text(&begun["pilot"]["id"]));
        (path, text(&begun["authorize_url"]))
    }

    async fn posted(&self, step_up: &StepUp<'_>) -> Posted {
        let provider = self.tenant.bench.provider().expect("the simulator");
        provider.step_up(step_up).await.expect("a code")
    }

    async fn complete(&self, path: &str, code: &str, state: &str) -> ApiAnswer {
        let body = json!({ "code": code, "state": state });
        call(
            self.installation,
            Method::POST,
            &format!("{path}:complete"),
            &body,
        )
        .await
    }

    async fn get(&self, path: &str) -> Value {
        self.installation.partner.get(path).await.expect("the pilot")
    }
}

#[test]
fn a_pilot_takes_one_answer_of_its_own_and_keeps_none_of_it() {
    installation::run(|installation| async move {
        let tenant = installation.tenant().await;
        let pilots = Pilots { installation, tenant };

        // Another pilot's state: it does not use the pilot up.
        let (path, url) = pilots.begin().await;
        let (_, other_url) = pilots.begin().await;
        let other = pilots.posted(&StepUp::honest(&other_url)).await;
        let posted = pilots.posted(&StepUp::honest(&url)).await;
        let wrong = pilots.complete(&path, &posted.code, &other.state).await;
        assert_eq!(
            (wrong.status, &wrong.body["errors"][0]["code"]),
            (422, &json!("mismatch"))
        );
        // Another pilot's code: PKCE ties it to its own, and the pilot is spent.
        let crossed = pilots.complete(&path, &other.code, &posted.state).await;
        assert_eq!(
            (crossed.status, &crossed.body["code"]),
            (409, &json!("pilot_failed"))
        );
        let replayed = pilots.complete(&path, &posted.code, &posted.state).await;
        assert_eq!(
            (replayed.status, &replayed.body["code"]),
            (409, &json!("pilot_closed"))
        );
        let ended = pilots.get(&path).await;
        assert_eq!(
            (&ended["state"], &ended["refusal"]["reason"]),
            (&json!("refused"), &json!("code_rejected"))
        );

        // An answer that is good, twice.
        let (path, url) = pilots.begin().await;
        let posted = pilots.posted(&StepUp::honest(&url)).await;
        let done = pilots.complete(&path, &posted.code, &posted.state).await;
        assert_eq!(done.status, 202, "{done:?}");
        let waited = installation.partner.wait(&done.body["operation"]).await;
        waited.expect("the triggers are told");
        let again = pilots.complete(&path, &posted.code, &posted.state).await;
        assert_eq!((again.status, &again.body["code"]), (409, &json!("pilot_closed")));
        assert_eq!(pilots.get(&path).await["state"], "learned");

        // Nothing of it stays: not the code, not the state.
        let mut database = installation.database().await;
        let rows: Vec<String> = sqlx::query_scalar(
            "SELECT to_jsonb(p)::text FROM blockid_pilots p UNION ALL SELECT to_jsonb(a)::text FROM audit_log a
             UNION ALL SELECT to_jsonb(t)::text FROM tenants t",
        )
        .fetch_all(&mut database)
        .await
        .expect("the rows");
        assert!(rows.len() > 3, "{rows:?}");
        let everything = rows.join("\n") + &installation.service_logs();
        for kept in [&posted.code, &posted.state, &other.code, &other.state] {
            assert!(!everything.contains(kept.as_str()));
        }
        let audited: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT action FROM audit_log WHERE tenant_id = $1 AND action LIKE 'pilot%' ORDER BY action",
        )
        .bind(&tenant.id)
        .fetch_all(&mut database)
        .await
        .expect("the audit log");
        assert_eq!(audited, ["pilot_learned", "pilot_refused", "pilot_started"]);
    });
}

#[test]
fn an_answer_that_no_sign_in_would_take_or_that_says_nothing_teaches_nothing() {
    installation::run(|installation| async move {
        let tenant = installation.tenant().await;
        let pilots = Pilots { installation, tenant };
        for (fault, reason) in [
            (json!("bad_signature"), "signature_invalid"),
            (json!("alg_none"), "signature_invalid"),
            (json!("wrong_iss"), "issuer_mismatch"),
            (json!("wrong_nonce"), "nonce_mismatch"),
            (json!("old_iat"), "stale_authentication"),
            (json!({ "method": "pwd" }), "method_not_told"),
            (json!({ "method": "otp email" }), "method_not_told"),
        ] {
            let (path, url) = pilots.begin().await;
            let posted = pilots.posted(&StepUp::honest(&url).fault(fault.clone())).await;
            let failed = pilots.complete(&path, &posted.code, &posted.state).await;
            assert_eq!(
                (failed.status, &failed.body["code"]),
                (409, &json!("pilot_failed")),
                "{fault}"
            );
            let ended = pilots.get(&path).await;
            assert_eq!(ended["refusal"]["reason"], reason, "{fault}: {ended}");
        }
    });
}
