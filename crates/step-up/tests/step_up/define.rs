//! The paths of a sign-in and of an action, one by one, and random histories.

use proptest::prelude::*;
use step_up::challenge::{ChallengeMetadata, RoundKind};
use step_up::define::{
    AskCustom, DefineDecision, DefineInput, Round, UserDecision, Why, decide, last_journey,
};
use step_up::reason::Reason;

const REQUIRED: UserDecision = UserDecision::Required { attempts: 2 };

fn metadata(kind: RoundKind, attempts: u8, action: Option<&str>) -> String {
    ChallengeMetadata {
        v: 1,
        kind,
        journey: "jrn_1".to_owned(),
        policy_version: 7,
        attempts,
        action: action.map(str::to_owned),
    }
    .to_text()
}

fn input<'a>(history: &'a [Round<'a>], policy: UserDecision) -> DefineInput<'a> {
    DefineInput {
        history,
        user_not_found: false,
        action_step_up: false,
        suspended: false,
        policy,
        action: None,
    }
}

const fn round<'a>(challenge_name: &'a str, challenge_result: bool, metadata: Option<&'a str>) -> Round<'a> {
    Round {
        challenge_name,
        challenge_result,
        metadata,
    }
}

const SRP: Round<'_> = round("SRP_A", true, None);
const PASSWORD: Round<'_> = round("PASSWORD_VERIFIER", true, None);

fn step_up(attempts: u8, number: u8, journey: Option<&str>, action: Option<&str>) -> DefineDecision {
    DefineDecision::AskCustom(AskCustom {
        kind: RoundKind::StepUp,
        round: number,
        journey: journey.map(str::to_owned),
        action: action.map(str::to_owned),
        attempts,
    })
}

#[test]
fn a_sign_in_costs_a_password_and_a_step_up() {
    let text = metadata(RoundKind::StepUp, 2, None);
    let (wrong, right) = (
        round("CUSTOM_CHALLENGE", false, Some(&text)),
        round("CUSTOM_CHALLENGE", true, Some(&text)),
    );

    assert_eq!(
        decide(&input(&[], REQUIRED)),
        DefineDecision::Fail(Reason::PasswordRequired)
    );
    assert_eq!(
        decide(&input(&[SRP], REQUIRED)),
        DefineDecision::AskPasswordVerifier
    );
    assert_eq!(
        decide(&input(&[SRP, PASSWORD], REQUIRED)),
        step_up(2, 1, None, None)
    );
    assert_eq!(
        decide(&input(&[SRP, PASSWORD, right], REQUIRED)),
        DefineDecision::IssueTokens {
            why: Why::StepUp {
                journey: "jrn_1".to_owned(),
                action: None
            }
        }
    );
    assert_eq!(
        decide(&input(&[SRP, PASSWORD, wrong], REQUIRED)),
        step_up(2, 2, Some("jrn_1"), None)
    );
    assert_eq!(
        decide(&input(&[SRP, PASSWORD, wrong, wrong], REQUIRED)),
        DefineDecision::Fail(Reason::AttemptsExhausted)
    );
}

#[test]
fn a_wrong_password_ends_the_session_whatever_follows() {
    let text = metadata(RoundKind::StepUp, 2, None);
    let failed = round("PASSWORD_VERIFIER", false, None);
    let right = round("CUSTOM_CHALLENGE", true, Some(&text));
    for history in [
        &[SRP, failed][..],
        &[SRP, failed, right],
        &[SRP, failed, PASSWORD, right],
    ] {
        assert_eq!(
            decide(&input(history, REQUIRED)),
            DefineDecision::Fail(Reason::PasswordFailed)
        );
    }
    assert_eq!(
        decide(&input(&[right], REQUIRED)),
        DefineDecision::Fail(Reason::PasswordRequired)
    );
    assert_eq!(
        decide(&input(&[SRP, right], REQUIRED)),
        DefineDecision::Fail(Reason::PasswordRequired)
    );
}

#[test]
fn a_skip_needs_a_passed_password_and_no_step_up_begun() {
    let text = metadata(RoundKind::StepUp, 3, None);
    let wrong = round("CUSTOM_CHALLENGE", false, Some(&text));
    for (policy, why) in [
        (UserDecision::NotRequired, Why::PolicySkip),
        (UserDecision::Exempt, Why::Exempt),
    ] {
        assert_eq!(
            decide(&input(&[SRP], policy)),
            DefineDecision::AskPasswordVerifier
        );
        assert_eq!(
            decide(&input(&[SRP, PASSWORD], policy)),
            DefineDecision::IssueTokens { why }
        );
        assert_eq!(
            decide(&input(&[SRP, PASSWORD, wrong], policy)),
            DefineDecision::Fail(Reason::PolicyChanged)
        );
    }
}

#[test]
fn an_unknown_user_is_answered_like_a_known_one_and_gets_no_tokens() {
    for action_step_up in [false, true] {
        for history in [&[][..], &[SRP]] {
            let known = DefineInput {
                action_step_up,
                ..input(history, REQUIRED)
            };
            let unknown = DefineInput {
                user_not_found: true,
                ..known
            };
            assert_eq!(decide(&known), decide(&unknown));
        }
    }
    let unknown = DefineInput {
        user_not_found: true,
        ..input(&[SRP, PASSWORD], UserDecision::NotRequired)
    };
    assert_eq!(decide(&unknown), DefineDecision::Fail(Reason::PasswordFailed));
}

fn ask_action(history: &[Round<'_>], policy: UserDecision, action: Option<&str>) -> DefineDecision {
    decide(&DefineInput {
        action_step_up: true,
        action,
        ..input(history, policy)
    })
}

#[test]
fn an_action_costs_a_session_proof_and_a_step_up_for_that_action() {
    let proof_text = metadata(RoundKind::SessionProof, 1, None);
    let pay_text = metadata(RoundKind::StepUp, 2, Some("pay"));
    let proof = round("CUSTOM_CHALLENGE", true, Some(&proof_text));
    let bad_proof = round("CUSTOM_CHALLENGE", false, Some(&proof_text));
    let paid = round("CUSTOM_CHALLENGE", true, Some(&pay_text));
    let first = AskCustom {
        kind: RoundKind::SessionProof,
        round: 1,
        journey: None,
        action: None,
        attempts: 1,
    };
    assert_eq!(ask_action(&[], REQUIRED, None), DefineDecision::AskCustom(first));
    assert_eq!(
        ask_action(&[bad_proof], REQUIRED, Some("pay")),
        DefineDecision::Fail(Reason::SessionProofInvalid)
    );
    assert_eq!(
        ask_action(&[proof], REQUIRED, Some("pay")),
        step_up(2, 2, Some("jrn_1"), Some("pay"))
    );
    assert_eq!(
        ask_action(&[proof], UserDecision::Required { attempts: 3 }, Some("pay")),
        step_up(2, 2, Some("jrn_1"), Some("pay")),
        "an action has two attempts at most"
    );
    assert_eq!(
        ask_action(&[proof], REQUIRED, None),
        DefineDecision::Fail(Reason::ActionRefused)
    );
    assert_eq!(
        ask_action(&[proof], REQUIRED, Some("")),
        DefineDecision::Fail(Reason::ActionRefused)
    );
    for skip in [UserDecision::NotRequired, UserDecision::Exempt] {
        assert_eq!(
            ask_action(&[proof], skip, Some("pay")),
            DefineDecision::Fail(Reason::ActionRefused)
        );
    }
    let why = Why::StepUp {
        journey: "jrn_1".to_owned(),
        action: Some("pay".to_owned()),
    };
    assert_eq!(
        ask_action(&[proof, paid], REQUIRED, None),
        DefineDecision::IssueTokens { why: why.clone() }
    );
    assert_eq!(
        ask_action(&[proof, paid], REQUIRED, Some("pay")),
        DefineDecision::IssueTokens { why }
    );
    assert_eq!(
        ask_action(&[proof, paid], REQUIRED, Some("sell")),
        DefineDecision::Fail(Reason::ActionRefused)
    );
}

#[test]
fn a_sign_in_takes_no_action_because_an_action_may_have_a_weaker_rule() {
    for history in [&[SRP][..], &[SRP, PASSWORD]] {
        let with_action = DefineInput {
            action_step_up: true,
            action: Some("pay"),
            ..input(history, UserDecision::NotRequired)
        };
        assert_eq!(decide(&with_action), DefineDecision::Fail(Reason::ActionRefused));
    }
}

#[test]
fn turning_actions_off_ends_running_ones() {
    let proof_text = metadata(RoundKind::SessionProof, 1, None);
    let pay_text = metadata(RoundKind::StepUp, 2, Some("pay"));
    let history = [
        round("CUSTOM_CHALLENGE", true, Some(&proof_text)),
        round("CUSTOM_CHALLENGE", true, Some(&pay_text)),
    ];
    assert_eq!(
        decide(&input(&history, REQUIRED)),
        DefineDecision::Fail(Reason::ActionRefused)
    );
}

#[test]
fn suspension_and_a_missing_policy_come_before_everything_else() {
    let text = metadata(RoundKind::StepUp, 2, None);
    let right = round("CUSTOM_CHALLENGE", true, Some(&text));
    let unknown = round("SMS_MFA", true, None);
    for history in [&[][..], &[SRP], &[SRP, PASSWORD, right], &[unknown]] {
        let suspended = DefineInput {
            suspended: true,
            ..input(history, REQUIRED)
        };
        assert_eq!(decide(&suspended), DefineDecision::Fail(Reason::Suspended));
        let stale = input(history, UserDecision::Unavailable(Reason::PolicyStale));
        assert_eq!(decide(&stale), DefineDecision::Fail(Reason::PolicyStale));
    }
}

#[test]
fn the_strictest_attempt_limit_of_a_session_holds() {
    let three = metadata(RoundKind::StepUp, 3, None);
    let two = metadata(RoundKind::StepUp, 2, None);
    let wrong = |text| round("CUSTOM_CHALLENGE", false, Some(text));
    let history = [SRP, PASSWORD, wrong(&three)];
    assert_eq!(
        decide(&input(&history, UserDecision::Required { attempts: 1 })),
        DefineDecision::Fail(Reason::AttemptsExhausted)
    );
    assert_eq!(
        decide(&input(
            &[SRP, PASSWORD, wrong(&three), wrong(&two)],
            UserDecision::Required { attempts: 3 }
        )),
        DefineDecision::Fail(Reason::AttemptsExhausted)
    );
    let nobody_listens = UserDecision::Required { attempts: 0 };
    assert_eq!(
        decide(&input(&[SRP, PASSWORD], nobody_listens)),
        step_up(1, 1, None, None)
    );
}

#[test]
fn a_session_that_is_over_still_has_a_journey_to_report() {
    let text = metadata(RoundKind::StepUp, 1, None);
    let wrong = round("CUSTOM_CHALLENGE", false, Some(&text));
    let history = [SRP, PASSWORD, wrong];
    assert_eq!(
        decide(&input(&history, REQUIRED)),
        DefineDecision::Fail(Reason::AttemptsExhausted)
    );
    assert_eq!(last_journey(&history).as_deref(), Some("jrn_1"));
    assert_eq!(
        last_journey(&[SRP, PASSWORD, round("CUSTOM_CHALLENGE", true, Some("garbage"))]),
        None
    );
}

#[test]
fn what_create_did_not_write_fails() {
    let longer_than_any = format!("{}{}", metadata(RoundKind::StepUp, 2, None), " ".repeat(2000));
    let foreign = [
        "",
        "{}",
        "null",
        "[1,\"step_up\",\"jrn_1\",1,2]",
        r#"{"v":1,"kind":"step_up","journey":"","policy_version":1,"attempts":2}"#,
        r#"{"v":1,"kind":"step_up","journey":"jrn_1","policy_version":1,"attempts":0}"#,
        r#"{"v":1,"kind":"step_up","journey":"jrn_1","policy_version":1,"attempts":9}"#,
        r#"{"v":1,"kind":"step_up","journey":"jrn_1","policy_version":1,"attempts":2,"extra":1}"#,
        r#"{"v":1,"kind":"step_up","journey":"jrn_1","policy_version":1,"attempts":2,"action":"a b"}"#,
        longer_than_any.as_str(),
    ];
    for text in foreign {
        let history = [SRP, PASSWORD, round("CUSTOM_CHALLENGE", true, Some(text))];
        assert_eq!(
            decide(&input(&history, REQUIRED)),
            DefineDecision::Fail(Reason::UnknownHistory),
            "{text}"
        );
    }
    let history = [SRP, PASSWORD, round("CUSTOM_CHALLENGE", true, None)];
    assert_eq!(
        decide(&input(&history, REQUIRED)),
        DefineDecision::Fail(Reason::UnknownHistory)
    );
}

proptest! {
    /// Any text for names and metadata, any length: an answer always, and tokens only with a passed password
    /// or a passed custom round before them.
    #[test]
    fn no_random_history_yields_tokens_for_nothing(
        rounds in proptest::collection::vec(
            (
                prop_oneof![Just("SRP_A".to_owned()), Just("PASSWORD_VERIFIER".to_owned()),
                            Just("CUSTOM_CHALLENGE".to_owned()), ".{0,12}"],
                any::<bool>(),
                proptest::option::of(prop_oneof![
                    Just(metadata(RoundKind::StepUp, 2, None)),
                    Just(metadata(RoundKind::SessionProof, 2, None)),
                    Just(metadata(RoundKind::StepUp, 2, Some("pay"))),
                    "\\PC{0,40}",
                ]),
            ),
            0..12,
        ),
        policy in prop_oneof![Just(REQUIRED), Just(UserDecision::NotRequired), Just(UserDecision::Exempt)],
        action_step_up: bool,
        action in proptest::option::of(prop_oneof![Just("pay".to_owned()), ".{0,8}"]),
    ) {
        let history: Vec<Round<'_>> =
            rounds.iter().map(|(name, passed, text)| round(name, *passed, text.as_deref())).collect();
        let input = DefineInput { action_step_up, action: action.as_deref(), ..input(&history, policy) };
        if let DefineDecision::IssueTokens { why } = decide(&input) {
            let password = history.iter().any(|round| *round == PASSWORD || (round.challenge_name == "PASSWORD_VERIFIER" && round.challenge_result));
            let customs = history.iter().filter(|r| r.challenge_name == "CUSTOM_CHALLENGE" && r.challenge_result).count();
            match why {
                Why::StepUp { action: None, .. } => prop_assert!(password && customs == 1),
                Why::StepUp { action: Some(_), .. } => prop_assert!(action_step_up && customs == 2),
                Why::PolicySkip | Why::Exempt => prop_assert!(password && policy != REQUIRED),
            }
        }
    }
}
