//! Answers to a step-up: whose, for which challenge, how often, and in what form.

use crate::bench::{App, Bench, User, authorize_url, now_ms, random_letters};
use crate::cognito::Challenge;
use crate::functions::Trigger;
use crate::outcome::{Outcome, Trials};
use crate::provider::{Posted, StepUp};
use crate::recorded::{after_password, round};
use serde_json::{Value, json};
use std::time::Duration;
use step_up::reason::Reason;

/// A grant may be used again for 10 s after its first use: Cognito's own retries.
const AFTER_REUSE: Duration = Duration::from_secs(11);

/// Makes an answer from the challenge's `state`.
type Forge = fn(&str) -> String;

/// Answers and notes what *verify* said about it.
async fn answered(
    bench: &Bench,
    trials: &mut Trials,
    what: &str,
    (app, user, challenge): (&App, &User, &Challenge),
    answer: &str,
    expected: &[Reason],
) -> anyhow::Result<()> {
    let since = now_ms();
    let step = bench.answer(app, user, challenge, answer).await?;
    let reason = bench.reason(&step, Trigger::Verify, user, since).await?;
    trials.by_reason(what, &step, reason, expected);
    Ok(())
}

/// A07: user B's step-up for user A's sign-in.
pub(super) async fn a07(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let app = bench.main_app();
    let (alice, bob) = (bench.user().await?, bench.user().await?);
    let foreign = [Reason::SubjectMismatch, Reason::LinkRefused];

    let challenge = bench.challenge(&app, &alice).await?;
    let by_bob = StepUp::honest(authorize_url(&challenge)?).by(&bob.name);
    let posted = bench.provider()?.step_up(&by_bob).await?;
    let scene = (&app, &alice, &challenge);
    answered(
        bench,
        &mut trials,
        "bob completes alice's",
        scene,
        &posted.answer(),
        &foreign,
    )
    .await?;

    let bobs = bench.challenge(&app, &bob).await?;
    let posted = bench.posted(&bobs).await?;
    let alice = bench.user().await?;
    let challenge = bench.challenge(&app, &alice).await?;
    let state = challenge.parameters.get("state").cloned().unwrap_or_default();
    let swapped = Posted { state, ..posted }.answer();
    // With PKCE the provider refuses the code; without, the nonce is the other challenge's.
    let bound = [
        Reason::CodeRejected,
        Reason::NonceMismatch,
        Reason::SubjectMismatch,
    ];
    answered(
        bench,
        &mut trials,
        "bob's code for alice",
        (&app, &alice, &challenge),
        &swapped,
        &bound,
    )
    .await?;
    Ok(trials.outcome())
}

/// A08: the code of an earlier challenge of the same user.
pub(super) async fn a08(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let app = bench.main_app();
    let user = bench.user().await?;
    let earlier = bench.challenge(&app, &user).await?;
    let posted = bench.posted(&earlier).await?;

    let challenge = bench.challenge(&app, &user).await?;
    let old = posted.answer();
    answered(
        bench,
        &mut trials,
        "old state",
        (&app, &user, &challenge),
        &old,
        &[Reason::StateMismatch],
    )
    .await?;

    let challenge = bench.challenge(&app, &user).await?;
    let state = challenge.parameters.get("state").cloned().unwrap_or_default();
    let mixed = Posted { state, ..posted }.answer();
    let bound = [Reason::CodeRejected, Reason::NonceMismatch];
    answered(
        bench,
        &mut trials,
        "old code, new state",
        (&app, &user, &challenge),
        &mixed,
        &bound,
    )
    .await?;
    Ok(trials.outcome())
}

/// A09: an answer that was used.
pub(super) async fn a09(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let app = bench.main_app();
    let user = bench.user().await?;
    let challenge = bench.challenge(&app, &user).await?;
    let posted = bench.posted(&challenge).await?;
    bench
        .answer(&app, &user, &challenge, &posted.answer())
        .await?
        .tokens()?;
    let step = bench.answer(&app, &user, &challenge, &posted.answer()).await?;
    let closed = ["NotAuthorizedException", "InvalidParameterException"];
    trials.by_cognito("same session", &step, &closed);

    let next = bench.challenge(&app, &user).await?;
    let state = next.parameters.get("state").cloned().unwrap_or_default();
    let spent_answer = Posted { state, ..posted }.answer();
    let spent = [Reason::CodeRejected, Reason::NonceMismatch];
    answered(
        bench,
        &mut trials,
        "used code",
        (&app, &user, &next),
        &spent_answer,
        &spent,
    )
    .await?;

    // At the functions themselves: another answer to an answered round, and the grant after its time.
    let user = bench.user().await?;
    let scene = bench.scene(&app, &user);
    let created = bench
        .invoke(Trigger::Create, &scene.create(&after_password()))
        .await?
        .payload;
    let private = &created["response"]["privateChallengeParameters"];
    let url = created["response"]["publicChallengeParameters"]["authorize_url"]
        .as_str()
        .unwrap_or_default();
    let posted = bench.provider()?.step_up(&StepUp::honest(url)).await?;
    let passed = bench
        .invoke(Trigger::Verify, &scene.verify(private, &posted.answer()))
        .await?
        .payload;
    anyhow::ensure!(
        passed["response"]["answerCorrect"] == true,
        "the honest answer was refused: {passed}"
    );
    let other = Posted {
        code: random_letters(24),
        ..posted
    }
    .answer();
    let (invoked, events) = bench
        .invoke_with_events(Trigger::Verify, &scene.verify(private, &other))
        .await?;
    trials.holds(
        "second answer",
        invoked.payload["response"]["answerCorrect"] == false,
        "answerCorrect false",
    );
    let reason = events.iter().find_map(|event| event.reason);
    trials.reason("second answer", reason, &[Reason::AnswerReplayed]);

    let tokens = scene.pre_token("TokenGeneration_Authentication");
    let first = bench.invoke(Trigger::Gate, &tokens).await?;
    anyhow::ensure!(
        !first.failed,
        "the gate refused a genuine grant: {}",
        first.payload
    );
    tokio::time::sleep(AFTER_REUSE).await;
    let second = bench.invoke(Trigger::Gate, &tokens).await?;
    trials.reason(
        "used grant",
        super::paths::refusal_of(&second.payload),
        &[Reason::NoGrant],
    );
    Ok(trials.outcome())
}

/// A10: answers that are none.
pub(super) async fn a10(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let app = bench.main_app();
    let malformed: [(&str, Forge); 13] = [
        ("empty", |_| String::new()),
        ("not JSON", |_| "code=1&state=2".to_owned()),
        ("array", |state| json!(["code", state]).to_string()),
        ("number", |_| "1".to_owned()),
        ("null members", |_| {
            json!({ "code": null, "state": null }).to_string()
        }),
        ("no code", |state| json!({ "state": state }).to_string()),
        ("empty code", |state| {
            json!({ "code": "", "state": state }).to_string()
        }),
        ("no state", |_| json!({ "code": "c" }).to_string()),
        ("binary code", |state| {
            json!({ "code": "\u{0}\u{1}\u{7f}", "state": state }).to_string()
        }),
        ("object as code", |state| {
            json!({ "code": { "a": 1 }, "state": state }).to_string()
        }),
        ("oversized code", |state| {
            json!({ "code": "c".repeat(9_000), "state": state }).to_string()
        }),
        ("1 MiB", |state| {
            json!({ "code": "c".repeat(1 << 20), "state": state }).to_string()
        }),
        ("cut off", |state| format!("{{\"code\":\"c\",\"state\":\"{state}")),
    ];
    for (what, answer) in malformed {
        attempt(bench, &mut trials, &app, what, answer, Reason::MalformedAnswer).await?;
    }
    let guessed: [(&str, Forge); 2] = [
        ("constant state", |_| {
            json!({ "code": "c", "state": "state123" }).to_string()
        }),
        ("longer state", |state| {
            json!({ "code": "c", "state": format!("{state}x") }).to_string()
        }),
    ];
    for (what, answer) in guessed {
        attempt(bench, &mut trials, &app, what, answer, Reason::StateMismatch).await?;
    }
    Ok(trials.outcome())
}

async fn attempt(
    bench: &Bench,
    trials: &mut Trials,
    app: &App,
    what: &str,
    answer: Forge,
    expected: Reason,
) -> anyhow::Result<()> {
    let user = bench.user().await?;
    let challenge = bench.challenge(app, &user).await?;
    let state = challenge.parameters.get("state").cloned().unwrap_or_default();
    let since = now_ms();
    let step = bench.answer(app, &user, &challenge, &answer(&state)).await?;
    if step
        .refused()
        .is_some_and(|refused| refused.kind == "InvalidParameterException")
    {
        // Cognito's own limits may be met first.
        trials.by_cognito(what, &step, &["InvalidParameterException"]);
        return Ok(());
    }
    let reason = bench.reason(&step, Trigger::Verify, &user, since).await?;
    trials.by_reason(what, &step, reason, &[expected]);
    let said = bench.events(&user, since).await?;
    let times = said.iter().filter(|event| event.reason == Some(expected)).count();
    trials.holds(what, times == 1, "tried once");
    Ok(())
}

/// A15: more wrong answers than allowed, in one session and over time.
pub(super) async fn a15(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let app = bench.main_app();

    // One session, as recorded history: an emulator ends it before the policy does.
    let user = bench.user().await?;
    let scene = bench.scene(&app, &user);
    let mut history = after_password();
    let mut ended = None;
    for _ in 0..4 {
        let created = bench
            .invoke(Trigger::Create, &scene.create(&history))
            .await?
            .payload;
        let metadata = created["response"]["challengeMetadata"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        history.push(round("CUSTOM_CHALLENGE", false, Some(&metadata)));
        let (invoked, events) = bench
            .invoke_with_events(Trigger::Define, &scene.define(&history))
            .await?;
        let response: &Value = &invoked.payload["response"];
        trials.holds("one session", response["issueTokens"] != true, "no tokens");
        if response["failAuthentication"] == true {
            ended = events.iter().find_map(|event| event.reason);
            break;
        }
    }
    trials.reason("one session", ended, &[Reason::AttemptsExhausted]);

    // A new session each time.
    let user = bench.user().await?;
    let mut last = None;
    for _ in 0..25 {
        let challenge = bench.challenge(&app, &user).await?;
        let state = challenge.parameters.get("state").cloned().unwrap_or_default();
        let answer = json!({ "code": random_letters(24), "state": state }).to_string();
        let since = now_ms();
        let step = bench.answer(&app, &user, &challenge, &answer).await?;
        last = bench.reason(&step, Trigger::Verify, &user, since).await?;
        trials.by_reason(
            "new sessions",
            &step,
            last,
            &[Reason::CodeRejected, Reason::UserRateLimited],
        );
        if last == Some(Reason::UserRateLimited) {
            break;
        }
    }
    trials.reason("over time", last, &[Reason::UserRateLimited]);
    let challenge = bench.challenge(&app, &user).await?;
    let posted = bench.posted(&challenge).await?;
    let scene = (&app, &user, &challenge);
    answered(
        bench,
        &mut trials,
        "then a right one",
        scene,
        &posted.answer(),
        &[Reason::UserRateLimited],
    )
    .await?;
    Ok(trials.outcome())
}
