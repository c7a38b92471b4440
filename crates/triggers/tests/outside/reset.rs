//! A password reset as AWS tells of it, handed to the built function over the Runtime API: the emulator sends none.

use crate::sign_in::{answered, tenant};
use crate::simulator::Simulator;
use crate::tenant::{SECRET, events, fixture};
use serde_json::json;
use step_up::event::EventType;
use step_up::reason::Reason;

#[tokio::test]
async fn a_reset_ends_what_a_sign_in_of_before_left_behind() {
    let simulator = Simulator::start(SECRET);
    let tenant = tenant(&simulator).await;
    let (challenge, verify) = (tenant.start("challenge"), tenant.start("verify"));
    let made = challenge
        .invoke(&fixture("create_after_password"))
        .expect("create");
    let url = &made["response"]["publicChallengeParameters"]["authorize_url"];
    let answer = simulator.step_up(&json!({"authorize_url": url, "method": "liveID push"}));
    let judged = verify.invoke(&answered(&made, &answer)).expect("verify");
    assert_eq!(judged["response"]["answerCorrect"], true);
    challenge
        .invoke(&fixture("pretoken_v2_RefreshTokens"))
        .expect("a session refreshes");

    let reset = fixture("post_confirmation_ConfirmForgotPassword");
    assert_eq!(
        challenge.invoke(&reset).expect("the reset"),
        reset,
        "the event is echoed"
    );
    let refused = challenge
        .invoke(&fixture("pretoken_v2_RefreshTokens"))
        .expect_err("no tokens");
    assert_eq!(refused["errorMessage"], "evidence_expired");
    let refused = challenge
        .invoke(&fixture("pretoken_v2_Authentication"))
        .expect_err("no tokens");
    assert_eq!(
        refused["errorMessage"], "no_grant",
        "the grant was never used and is gone"
    );

    drop(verify);
    let log = challenge.stop();
    let told: Vec<_> = events(&log)
        .iter()
        .map(|event| (event.event_type, event.reason))
        .collect();
    assert_eq!(
        told[3..],
        [
            (EventType::PasswordReset, None),
            (EventType::RefusedTokens, Some(Reason::EvidenceExpired)),
            (EventType::RefusedTokens, Some(Reason::NoGrant)),
        ]
    );
    // Ids are hexadecimal and may well spell the name.
    assert!(
        !log.contains("\"ada") && !log.contains("ada@") && !log.contains("example.com"),
        "{log}"
    );
}

#[tokio::test]
async fn a_reset_fails_by_name_when_the_records_are_out_of_reach() {
    let simulator = Simulator::start(SECRET);
    let mut tenant = tenant(&simulator).await;
    for (name, value) in &mut tenant.variables {
        if *name == "STEPGATE_RECORDS_TABLE" {
            *value = "no-such-table".to_owned();
        }
    }
    let challenge = tenant.start("challenge");
    let failed = challenge
        .invoke(&fixture("post_confirmation_ConfirmForgotPassword"))
        .expect_err("the app is told");
    assert_eq!(failed["errorMessage"], "records_unavailable");
    let log = challenge.stop();
    assert!(
        log.contains("could not be deleted") && log.contains("ResourceNotFoundException"),
        "{log}"
    );
    assert_eq!(events(&log)[0].reason, Some(Reason::RecordsUnavailable));
}
