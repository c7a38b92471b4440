//! What the provider sends back: tokens that are not good, and answers that are not tokens.

use crate::bench::{App, Bench, authorize_url, now_ms};
use crate::cognito::Step;
use crate::functions::Trigger;
use crate::outcome::{Outcome, Trials};
use crate::provider::StepUp;
use serde_json::{Value, json};
use step_up::event::StepUpEvent;
use step_up::reason::Reason;
use tokio::net::TcpListener;
use url::Url;

/// Longest a refusal may take, ms: Cognito waits five seconds and then asks again.
const LONGEST_MS: u32 = 4_000;

/// One sign-in of a new user whose step-up has a fault; what *verify* said about it.
async fn faulty(bench: &Bench, app: &App, fault: Value) -> anyhow::Result<(Step, Option<StepUpEvent>)> {
    let user = bench.user().await?;
    let challenge = bench.challenge(app, &user).await?;
    let step_up = StepUp::honest(authorize_url(&challenge)?).fault(fault);
    let posted = bench.provider()?.step_up(&step_up).await?;
    let since = now_ms();
    let step = bench.answer(app, &user, &challenge, &posted.answer()).await?;
    let event = match step {
        Step::Tokens(_) => None,
        _ => Some(bench.refusal(Trigger::Verify, &user, since).await?),
    };
    Ok((step, event))
}

async fn faults(
    bench: &Bench,
    trials: &mut Trials,
    app: &App,
    faults: &[(Value, Reason)],
) -> anyhow::Result<()> {
    for (fault, expected) in faults {
        let (step, event) = faulty(bench, app, fault.clone()).await?;
        trials.by_reason(
            &fault.to_string(),
            &step,
            event.and_then(|event| event.reason),
            &[*expected],
        );
    }
    Ok(())
}

/// A11: signature, algorithm, key.
pub(super) async fn a11(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let app = bench.main_app();
    let names = [
        "bad_signature",
        "alg_none",
        "alg_hs256_public_key",
        "alg_hs256_client_secret",
        "unknown_kid",
        "foreign_key",
        "foreign_key_same_kid",
    ];
    let all: Vec<_> = names
        .iter()
        .map(|name| (json!(name), Reason::SignatureInvalid))
        .collect();
    faults(bench, &mut trials, &app, &all).await?;
    Ok(trials.outcome())
}

/// A12: claims.
pub(super) async fn a12(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let app = bench.main_app();
    let all = [
        (json!("wrong_iss"), Reason::IssuerMismatch),
        (json!("wrong_aud"), Reason::AudienceMismatch),
        (json!("extra_aud"), Reason::AudienceMismatch),
        (json!("wrong_azp"), Reason::AudienceMismatch),
        (json!("expired"), Reason::TokenExpired),
        (json!("issued_in_future"), Reason::TokenExpired),
        (json!("missing_nonce"), Reason::NonceMismatch),
        (json!("wrong_nonce"), Reason::NonceMismatch),
    ];
    faults(bench, &mut trials, &app, &all).await?;
    Ok(trials.outcome())
}

/// A18: slow, broken, oversized, or sent elsewhere.
pub(super) async fn a18(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let app = bench.main_app();
    let elsewhere = TcpListener::bind("127.0.0.1:0").await?;
    let redirect = format!("http://{}/token", elsewhere.local_addr()?);
    let all = [
        (json!({ "slow_ms": 4_000 }), Reason::ProviderUnavailable),
        (json!({ "slow_ms": 10_000 }), Reason::ProviderUnavailable),
        (json!("hang"), Reason::ProviderUnavailable),
        (json!("cut_off"), Reason::ProviderUnavailable),
        (json!({ "status": 500 }), Reason::ProviderUnavailable),
        (json!({ "status": 429 }), Reason::ProviderUnavailable),
        (json!("html"), Reason::ProviderMalformed),
        (json!({ "redirect": redirect }), Reason::ProviderMalformed),
        (json!({ "huge_body": 5_000_000 }), Reason::ProviderMalformed),
        (json!("broken_json"), Reason::ProviderMalformed),
        (json!("no_id_token"), Reason::ProviderMalformed),
        (json!("garbled"), Reason::SignatureInvalid),
    ];
    let attempts = all.iter().map(|(fault, _)| faulty(bench, &app, fault.clone()));
    let results = futures_util::future::join_all(attempts).await;
    for ((fault, expected), result) in all.iter().zip(results) {
        let what = fault.to_string();
        let (step, event) = result?;
        let either = [*expected, Reason::ProviderMalformed];
        let expected = if what == "\"garbled\"" {
            &either[..]
        } else {
            &either[..1]
        };
        let reason = event.as_ref().and_then(|event| event.reason);
        trials.by_reason(&what, &step, reason, expected);
        trials.holds(
            &what,
            event.is_some_and(|event| event.duration_ms < LONGEST_MS),
            "within 4 s",
        );
    }
    let visited = tokio::select! {
        biased;
        accepted = elsewhere.accept() => accepted.is_ok(),
        () = std::future::ready(()) => false,
    };
    trials.holds("redirect", !visited, "not followed");
    Ok(trials.outcome())
}

/// Age of the provider session that a stolen browser has, s.
const OLD_SESSION_S: u32 = 3_600;

/// The authorize URL without what demands a new authentication, as an attacker at the browser would rewrite it.
fn without_freshness(authorize_url: &str) -> anyhow::Result<String> {
    let mut url = Url::parse(authorize_url)?;
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| name != "prompt" && name != "max_age")
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    anyhow::ensure!(
        kept.len() < url.query_pairs().count(),
        "the authorize URL demands no new authentication"
    );
    url.query_pairs_mut().clear().extend_pairs(kept);
    Ok(url.into())
}

/// A step-up in a session that is older than the challenge. As asked, the provider authenticates anew, and the user is let
/// in: the control. With the demand taken out of the address it answers from the session, and nobody is.
async fn old_session(bench: &Bench, app: &App, trials: &mut Trials) -> anyhow::Result<()> {
    for stripped in [false, true] {
        let user = bench.user().await?;
        let challenge = bench.challenge(app, &user).await?;
        let asked = authorize_url(&challenge)?;
        let url = if stripped {
            without_freshness(asked)?
        } else {
            asked.to_owned()
        };
        let step_up = StepUp::honest(&url).in_session_of(OLD_SESSION_S);
        let posted = bench.provider()?.step_up(&step_up).await?;
        let since = now_ms();
        let step = bench.answer(app, &user, &challenge, &posted.answer()).await?;
        if stripped {
            let reason = bench.reason(&step, Trigger::Verify, &user, since).await?;
            let what = "prompt and max_age stripped";
            trials.by_reason(what, &step, reason, &[Reason::StaleAuthentication]);
        } else {
            anyhow::ensure!(
                matches!(step, Step::Tokens(_)),
                "the control: a demanded new authentication does not let in: {}",
                step.label()
            );
        }
    }
    Ok(())
}

/// A29: an authentication that is older than the challenge.
pub(super) async fn a29(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let old = [
        (json!("old_auth_time"), Reason::StaleAuthentication),
        (json!("old_iat"), Reason::StaleAuthentication),
    ];
    faults(bench, &mut trials, &bench.main_app(), &old).await?;
    old_session(bench, &bench.main_app(), &mut trials).await?;
    let mut policy = crate::stepgate::any_method_policy();
    policy["default"]["binding"] = "state_only".into();
    let app = bench.app("state only", json!({ "policy": policy })).await?;
    faults(bench, &mut trials, &app, &old).await?;
    old_session(bench, &app, &mut trials).await?;
    Ok(trials.outcome())
}
