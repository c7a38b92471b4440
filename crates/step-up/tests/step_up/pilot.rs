//! What a pilot step-up teaches, and that a step-up answered alike is recognised afterwards.

use std::collections::BTreeMap;
use step_up::assurance::{Demand, Method, PROOFING_IAL2_ACR, catalogue, judge};
use step_up::pilot::{PilotOutcome, PilotRequest, ToldMethod, Unteachable};

fn method(acr: &str) -> &'static Method {
    catalogue()
        .iter()
        .find(|method| method.acr == acr)
        .expect("shipped")
}

fn told(acr: Option<&str>, amr: &[&str]) -> ToldMethod {
    ToldMethod {
        acr: acr.map(str::to_owned),
        amr: amr.iter().map(|value| (*value).to_owned()).collect(),
        auth_time: true,
        nonce: true,
        pkce: false,
    }
}

#[test]
fn what_is_learned_is_recognised() {
    for (acr, said) in [
        ("otp", told(Some("otp"), &["otp"])),
        ("otp", told(None, &["hwk"])),
        ("liveID push", told(Some("urn:1k:aal2"), &[])),
        (
            "liveID push",
            told(Some("liveID push"), &["face", "/assurance/ial/1/"]),
        ),
        (
            PROOFING_IAL2_ACR,
            told(Some(PROOFING_IAL2_ACR), &["/assurance/ial/2/"]),
        ),
    ] {
        let observed = said.observed(method(acr), catalogue(), 7).expect("it teaches");
        assert_eq!(
            (
                observed.nonce,
                observed.pkce,
                observed.auth_time,
                observed.recorded_at_unix_s
            ),
            (Some(true), Some(false), true, 7)
        );
        let map = BTreeMap::from([(acr.to_owned(), observed)]);
        let asked = [acr.to_owned()];
        let demand = Demand {
            methods: &asked,
            min_aal: None,
            phishing_resistant: false,
            min_ial: None,
        };
        let achieved = judge(demand, said.acr.as_deref(), &said.amr, catalogue(), &map).expect("recognised");
        assert_eq!(achieved.method.as_deref(), Some(acr));
    }
}

#[test]
fn silence_other_methods_and_floods_teach_nothing() {
    let refused =
        |acr: &str, said: &ToldMethod| said.observed(method(acr), catalogue(), 7).expect_err("refused");
    for silent in [
        told(None, &[]),
        told(Some(""), &[""]),
        told(Some("0"), &[]),
        told(Some("pwd"), &["pwd"]),
        told(None, &["pwd", "pin", "kba"]),
        told(None, &["/assurance/ial/2/"]),
    ] {
        assert_eq!(refused("otp", &silent), Unteachable::Silent, "{silent:?}");
    }
    // Proofing at a lower level is not that method.
    let lower = told(Some(PROOFING_IAL2_ACR), &["/assurance/ial/1/"]);
    assert_eq!(refused(PROOFING_IAL2_ACR, &lower), Unteachable::Silent);
    for other in [
        told(Some("otp email"), &["otp email"]),
        told(None, &["face", "otp email"]),
    ] {
        assert_eq!(
            refused("liveID push", &other),
            Unteachable::AnotherMethod("otp email".to_owned())
        );
    }
    let long = "x".repeat(257);
    let many = vec!["x"; 33];
    let heavy = vec!["0123456789012345678901234567890123456789"; 26];
    for flood in [told(Some(&long), &[]), told(None, &many), told(None, &heavy)] {
        assert_eq!(refused("otp", &flood), Unteachable::TooLong);
    }
}

#[test]
fn what_passes_between_control_plane_and_verify_reads_back_and_is_not_printed() {
    let request = PilotRequest {
        code: "canary-code".to_owned(),
        nonce: "canary-nonce".to_owned(),
        pkce_verifier: Some("canary-verifier".to_owned()),
        issued_at_unix_s: 1,
    };
    let text = serde_json::to_string(&request).expect("plain data");
    assert_eq!(
        serde_json::from_str::<PilotRequest>(&text).expect("reads back"),
        request
    );
    assert!(!format!("{request:?}").contains("canary"));
    let outcome = PilotOutcome::Told(told(Some("otp"), &["otp"]));
    let text = serde_json::to_string(&outcome).expect("plain data");
    assert!(text.starts_with(r#"{"outcome":"told","acr":"otp""#), "{text}");
    assert_eq!(
        serde_json::from_str::<PilotOutcome>(&text).expect("reads back"),
        outcome
    );
}
