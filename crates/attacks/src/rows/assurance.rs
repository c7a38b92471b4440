//! Strength: the method used and the identity proved, against what the policy asks.

use crate::bench::{App, Bench, authorize_url, now_ms};
use crate::cognito::Challenge;
use crate::functions::Trigger;
use crate::outcome::{Outcome, Trials};
use crate::provider::StepUp;
use anyhow::Context as _;
use serde_json::{Value, json};
use std::time::Duration;
use step_up::reason::Reason;
use url::Url;

const STRONG: &str = "strong";
const PROOFING: &str = "proofing";
const PROOF: &str = "/assurance/ial/2/";

/// Methods of the tenant's map: a policy can be stronger than "any shipped method" only for what it names.
const LEARNED: [&str; 5] = ["liveID push", "otp sms", "otp email", "otp", PROOF];

/// Learns the tenant's map by pilot step-ups, as an administrator does, and asks for more than any shipped method.
async fn prepare(bench: &Bench) -> anyhow::Result<()> {
    let prepared = bench.strong.get_or_try_init(|| async {
        let strong = bench.app(STRONG, json!({})).await?;
        let proofing = bench.app(PROOFING, json!({})).await?;
        for method in LEARNED {
            bench.learn(method).await?;
        }
        put_policy(
            bench,
            &strong,
            &json!({ "step_up": "required", "methods": ["liveID push", "otp"], "min_aal": 2 }),
        )
        .await?;
        put_policy(
            bench,
            &proofing,
            &json!({ "step_up": "required", "methods": ["liveID push", PROOF], "min_ial": 2 }),
        )
        .await?;
        // Every warm function keeps what it has read for 30 s; one that answers does not speak for the others.
        tokio::time::sleep(Duration::from_secs(31)).await;
        let user = bench.user().await?;
        let honest = bench.sign_in(&strong, &user).await;
        honest.context("an honest step-up does not satisfy the stronger policy")?;
        Ok(())
    });
    prepared.await.copied()
}

async fn put_policy(bench: &Bench, app: &App, default: &Value) -> anyhow::Result<()> {
    let policy = json!({ "schema_version": 1, "rules": [], "default": default });
    let tenant_id = &bench.target.tenant_id;
    bench.api()?.put_policy(tenant_id, &app.id, &policy).await?;
    Ok(())
}

async fn app_of(bench: &Bench, name: &'static str) -> anyhow::Result<App> {
    prepare(bench).await?;
    bench.app(name, json!({})).await
}

/// The authorize URL with another list of methods, as somebody at the browser would write it.
fn with_methods(challenge: &Challenge, methods: &[&str]) -> anyhow::Result<Url> {
    let mut url = Url::parse(authorize_url(challenge)?)?;
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let mut rewritten = url.query_pairs_mut();
    rewritten.clear();
    for (name, value) in pairs {
        if name == "claims" {
            let mut claims: Value = serde_json::from_str(&value)?;
            claims["id_token"]["acr"]["values"] = json!(methods);
            rewritten.append_pair(&name, &claims.to_string());
        } else {
            rewritten.append_pair(&name, &value);
        }
    }
    drop(rewritten);
    Ok(url)
}

/// A13: a weaker method than asked.
pub(super) async fn a13(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let app = app_of(bench, STRONG).await?;
    for weaker in ["otp email", "otp sms"] {
        let user = bench.user().await?;
        let challenge = bench.challenge(&app, &user).await?;
        let url = with_methods(&challenge, &[weaker])?;
        let posted = bench
            .provider()?
            .step_up(&StepUp::honest(url.as_str()).with(weaker))
            .await?;
        let since = now_ms();
        let step = bench.answer(&app, &user, &challenge, &posted.answer()).await?;
        let reason = bench.reason(&step, Trigger::Verify, &user, since).await?;
        trials.by_reason(weaker, &step, reason, &[Reason::AssuranceNotMet]);
    }
    for silence in [json!(["no_acr", "no_amr"]), json!([{ "method": "pwd" }])] {
        let user = bench.user().await?;
        let challenge = bench.challenge(&app, &user).await?;
        let mut step_up = StepUp::honest(authorize_url(&challenge)?);
        step_up.faults = silence.as_array().cloned().unwrap_or_default();
        let posted = bench.provider()?.step_up(&step_up).await?;
        let since = now_ms();
        let step = bench.answer(&app, &user, &challenge, &posted.answer()).await?;
        let reason = bench.reason(&step, Trigger::Verify, &user, since).await?;
        trials.by_reason(&silence.to_string(), &step, reason, &[Reason::AssuranceNotMet]);
    }
    Ok(trials.outcome())
}

/// A14: a lower identity assurance than asked.
pub(super) async fn a14(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let app = app_of(bench, PROOFING).await?;
    // The method is one that was asked for, so that only the identity level is missing; the proofing itself at
    // a lower level is not the method that was recorded.
    let lower = [
        ("liveID push", Reason::IdentityAssuranceNotMet),
        (PROOF, Reason::AssuranceNotMet),
    ];
    for (method, expected) in lower {
        let user = bench.user().await?;
        let challenge = bench.challenge(&app, &user).await?;
        let step_up = StepUp::honest(authorize_url(&challenge)?)
            .with(method)
            .fault(json!({ "ial": 1 }));
        let posted = bench.provider()?.step_up(&step_up).await?;
        let since = now_ms();
        let step = bench.answer(&app, &user, &challenge, &posted.answer()).await?;
        let reason = bench.reason(&step, Trigger::Verify, &user, since).await?;
        trials.by_reason(method, &step, reason, &[expected]);
    }

    let user = bench.user().await?;
    let challenge = bench.challenge(&app, &user).await?;
    let step_up = StepUp::honest(authorize_url(&challenge)?).with(PROOF);
    let posted = bench.provider()?.step_up(&step_up).await?;
    let step = bench.answer(&app, &user, &challenge, &posted.answer()).await?;
    step.tokens()
        .context("an honest proofing does not satisfy the policy")?;
    Ok(trials.outcome())
}

/// Codes of a problem document's errors.
pub(super) fn problem_codes(problem: &Value) -> Vec<String> {
    let errors = problem["errors"].as_array().cloned().unwrap_or_default();
    errors
        .iter()
        .filter_map(|error| error["code"].as_str().map(str::to_owned))
        .collect()
}
