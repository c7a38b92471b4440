//! The password is asked first, always, and tells nothing about who exists.

use crate::bench::{App, Bench, now_ms, random_letters};
use crate::cognito::Step;
use crate::functions::Trigger;
use crate::outcome::{Outcome, Trials};
use crate::recorded::{Scene, round};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use step_up::reason::Reason;

/// Pairs of invocations whose fastest are compared.
const TIMED_PAIRS: usize = 15;
/// Difference of the fastest that passes for none: what a loaded machine makes of it. One hop that only one of the two
/// takes is found by comparing the hops.
const SAME_TIME: Duration = Duration::from_millis(40);

/// Each trigger takes as long for an unknown user as for a known one.
async fn same_time(
    bench: &Bench,
    trials: &mut Trials,
    (known, other): &(Scene, Scene),
    wrong_proofs: (Value, Value),
) -> anyhow::Result<()> {
    let history = [round("SRP_A", true, None)];
    let timed = [
        (Trigger::Define, known.define(&history), other.define(&history)),
        (Trigger::Define, known.define(&[]), other.define(&[])),
        (Trigger::Create, known.create(&[]), other.create(&[])),
        (Trigger::Verify, wrong_proofs.0, wrong_proofs.1),
    ];
    for (trigger, known, other) in timed {
        let (known, other) = fastest(bench, trigger, &known, &other).await?;
        trials.holds(
            &format!("{trigger:?}: {known:?} for a known user, {other:?} for an unknown one"),
            known.abs_diff(other) <= SAME_TIME,
            "same time",
        );
    }
    Ok(())
}

/// The fastest of several invocations with each event, in turn, so that load hits both alike.
async fn fastest(
    bench: &Bench,
    trigger: Trigger,
    known: &Value,
    other: &Value,
) -> anyhow::Result<(Duration, Duration)> {
    let mut fastest = [Duration::MAX; 2];
    for _ in 0..TIMED_PAIRS {
        for (event, fastest) in [known, other].into_iter().zip(&mut fastest) {
            let begin = Instant::now();
            bench.invoke(trigger, event).await?;
            *fastest = begin.elapsed().min(*fastest);
        }
    }
    Ok((fastest[0], fastest[1]))
}

/// An app whose users may step up for one action.
pub(super) async fn action_app(bench: &Bench) -> anyhow::Result<App> {
    bench.app("actions", json!({ "action_step_up": true })).await
}

/// A01: CUSTOM_AUTH without SRP, straight to the challenge.
pub(super) async fn a01(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let user = bench.user().await?;

    let since = now_ms();
    let app = bench.main_app();
    let step = bench
        .cognito
        .initiate(&app.client_id, "CUSTOM_AUTH", json!({ "USERNAME": user.name }))
        .await?;
    let reason = bench.reason(&step, Trigger::Define, &user, since).await?;
    trials.by_reason("no actions", &step, reason, &[Reason::PasswordRequired]);

    let app = action_app(bench).await?;
    let since = now_ms();
    let step = bench
        .cognito
        .initiate(&app.client_id, "CUSTOM_AUTH", json!({ "USERNAME": user.name }))
        .await?;
    let challenge = step.challenge()?;
    let asks_proof = challenge
        .parameters
        .get("kind")
        .is_some_and(|kind| kind == "session_proof");
    trials.holds(
        "with actions",
        asks_proof && !challenge.parameters.contains_key("authorize_url"),
        "session proof",
    );
    let answer = json!({ "access_token": "not-a-token", "action": "transfer" }).to_string();
    let named = Some(json!({ "action": "transfer" }));
    let who = bench.who(&app, &user);
    let session = challenge.session.as_deref();
    let step = bench.cognito.answer(&who, session, &answer, named).await?;
    let reason = bench.reason(&step, Trigger::Verify, &user, since).await?;
    trials.by_reason("wrong proof", &step, reason, &[Reason::SessionProofInvalid]);
    let again = bench.answer(&app, &user, &challenge, &answer).await?;
    trials.by_cognito(
        "second proof",
        &again,
        &["NotAuthorizedException", "InvalidParameterException"],
    );
    Ok(trials.outcome())
}

/// A02: a wrong password, then a step-up that is in order.
pub(super) async fn a02(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let app = bench.main_app();
    let user = bench.user().await?;
    // What a step-up would give, from a sign-in of the attacker's own.
    let own = bench.user().await?;
    let challenge = bench.challenge(&app, &own).await?;
    let posted = bench.posted(&challenge).await?;

    let mut wrong = user.clone();
    wrong.password = format!("{}x", user.password);
    let who = bench.who(&app, &wrong);
    let step = bench.cognito.password("CUSTOM_AUTH", &who).await?;
    trials.by_cognito("wrong password", &step, &["NotAuthorizedException"]);

    let srp_a = "ab".repeat(192);
    let begin = json!({ "USERNAME": user.name, "CHALLENGE_NAME": "SRP_A", "SRP_A": srp_a });
    let open = bench
        .cognito
        .initiate(&app.client_id, "CUSTOM_AUTH", begin)
        .await?
        .challenge()?;
    trials.holds(
        "after SRP_A",
        open.name == "PASSWORD_VERIFIER",
        "PASSWORD_VERIFIER",
    );
    let step = bench.answer(&app, &user, &open, &posted.answer()).await?;
    let refusals = [
        "NotAuthorizedException",
        "InvalidParameterException",
        "CodeMismatchException",
    ];
    trials.by_cognito("step-up instead of the password", &step, &refusals);
    Ok(trials.outcome())
}

/// A03: the flows that would give tokens for a password.
pub(super) async fn a03(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let app = bench.main_app();
    let user = bench.user().await?;
    let closed = ["InvalidParameterException", "NotAuthorizedException"];
    let step = bench
        .cognito
        .password("USER_SRP_AUTH", &bench.who(&app, &user))
        .await?;
    trials.by_cognito("USER_SRP_AUTH", &step, &closed);

    for flow in ["USER_PASSWORD_AUTH", "USER_AUTH"] {
        let since = now_ms();
        let typed =
            json!({ "USERNAME": user.name, "PASSWORD": user.password, "PREFERRED_CHALLENGE": "PASSWORD" });
        let step = bench.cognito.initiate(&app.client_id, flow, typed).await?;
        closed_or_gated(bench, &mut trials, flow, &user, since, &step).await?;
    }
    for flow in ["ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH"] {
        let since = now_ms();
        let body = json!({
            "UserPoolId": bench.target.user_pool_id, "ClientId": app.client_id, "AuthFlow": flow,
            "AuthParameters": { "USERNAME": user.name, "PASSWORD": user.password }
        });
        let step = match bench
            .aws()?
            .json("cognito-idp", "AdminInitiateAuth", &body)
            .await?
        {
            Ok(answer) => {
                trials.holds(
                    &format!("{flow} gives {}", answer_kind(&answer)),
                    false,
                    "refused",
                );
                continue;
            }
            Err(error) => Step::Refused(crate::cognito::Refused {
                status: error.status,
                kind: error.code,
                message: error.message,
            }),
        };
        closed_or_gated(bench, &mut trials, flow, &user, since, &step).await?;
    }
    Ok(trials.outcome())
}

/// The client's settings refuse the flow; an emulator that does not look at them leaves it to the gate.
async fn closed_or_gated(
    bench: &Bench,
    trials: &mut Trials,
    flow: &str,
    user: &crate::bench::User,
    since: i64,
    step: &Step,
) -> anyhow::Result<()> {
    match step.refused() {
        Some(refused) if refused.status < 500 && refused.kind != "UserLambdaValidationException" => {
            trials.by_cognito(
                flow,
                step,
                &["InvalidParameterException", "NotAuthorizedException"],
            );
        }
        _ => {
            let reason = bench.reason(step, Trigger::Gate, user, since).await?;
            trials.by_reason(flow, step, reason, &[Reason::NoGrant]);
        }
    }
    Ok(())
}

fn answer_kind(answer: &Value) -> &str {
    if answer["AuthenticationResult"].is_object() {
        "tokens"
    } else {
        answer["ChallengeName"].as_str().unwrap_or("nothing known")
    }
}

/// A17: what unknown users get against what known ones get. Cognito asks the triggers with `userNotFound`
/// when existence errors are prevented; the events are recorded ones, the functions are the deployed ones.
pub(super) async fn a17(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let app = bench.main_app();
    let actions = action_app(bench).await?;
    let user = bench.user().await?;
    let name = format!("nobody-{}", random_letters(8));
    let unknown = |app: &App| Scene {
        user_name: name.clone(),
        attributes: None,
        ..bench.scene(app, &user)
    };

    let history = [round("SRP_A", true, None)];
    let known = bench
        .invoke(Trigger::Define, &bench.scene(&app, &user).define(&history))
        .await?
        .payload;
    let other = bench
        .invoke(Trigger::Define, &unknown(&app).define(&history))
        .await?
        .payload;
    trials.holds(
        "begin with SRP",
        known["response"] == other["response"],
        "same answers",
    );
    trials.holds(
        "begin with SRP",
        other["response"]["challengeName"] == "PASSWORD_VERIFIER",
        "password asked",
    );

    let known = bench
        .invoke(Trigger::Define, &bench.scene(&actions, &user).define(&[]))
        .await?
        .payload;
    let other = bench
        .invoke(Trigger::Define, &unknown(&actions).define(&[]))
        .await?
        .payload;
    trials.holds(
        "begin with a proof",
        known["response"] == other["response"],
        "same answers",
    );

    let known = bench
        .invoke(Trigger::Create, &bench.scene(&actions, &user).create(&[]))
        .await?
        .payload;
    let other = bench
        .invoke(Trigger::Create, &unknown(&actions).create(&[]))
        .await?
        .payload;
    let shape = |payload: &Value| -> BTreeSet<(String, usize)> {
        let public = payload["response"]["publicChallengeParameters"]
            .as_object()
            .cloned()
            .unwrap_or_default();
        public
            .into_iter()
            .map(|(key, value)| (key, value.as_str().unwrap_or_default().len()))
            .collect()
    };
    trials.holds(
        "the proof's parameters",
        !shape(&known).is_empty() && shape(&known) == shape(&other),
        "same shape",
    );

    let answer = json!({ "access_token": "not-a-token", "action": "transfer" }).to_string();
    let private = |payload: &Value| payload["response"]["privateChallengeParameters"].clone();
    let known_event = bench.scene(&actions, &user).verify(&private(&known), &answer);
    let (known, known_said) = bench.invoke_with_events(Trigger::Verify, &known_event).await?;
    let other_event = unknown(&actions).verify(&private(&other), &answer);
    let (other, other_said) = bench.invoke_with_events(Trigger::Verify, &other_event).await?;
    trials.holds(
        "wrong proof",
        known.payload["response"] == other.payload["response"],
        "same answers",
    );
    let hops = |events: &[step_up::event::StepUpEvent]| {
        events
            .last()
            .map(|event| event.hops_ms.keys().cloned().collect::<BTreeSet<_>>())
    };
    trials.holds(
        "wrong proof",
        hops(&known_said).is_some() && hops(&known_said) == hops(&other_said),
        "same work",
    );

    let scenes = (bench.scene(&actions, &user), unknown(&actions));
    same_time(bench, &mut trials, &scenes, (known_event, other_event)).await?;
    Ok(trials.outcome())
}
