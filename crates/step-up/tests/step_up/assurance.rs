//! What counts as met.

use proptest::prelude::*;
use std::collections::BTreeMap;
use step_up::assurance::{
    Demand, Method, PROOFING_IAL2_ACR, catalogue, catalogue_with, check_extra_methods, identity_level, judge,
};
use step_up::reason::Reason;
use step_up::settings::ObservedMethod;

fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

fn fido2() -> Method {
    Method {
        acr: "fido2".to_owned(),
        label: "Security key".to_owned(),
        max_aal: 3,
        phishing_resistant: true,
        restricted: false,
        not_out_of_band: false,
        proves_ial: None,
    }
}

/// `(method, acr, amr)` as recorded.
fn map(recorded: &[(&str, Option<&str>, &[&str])]) -> BTreeMap<String, ObservedMethod> {
    recorded
        .iter()
        .map(|(method, acr, amr)| {
            let observed = ObservedMethod {
                acr: acr.map(str::to_owned),
                amr: strings(amr),
                auth_time: false,
                recorded_at_unix_s: 1,
                ..ObservedMethod::default()
            };
            ((*method).to_owned(), observed)
        })
        .collect()
}

fn learned() -> BTreeMap<String, ObservedMethod> {
    map(&[
        ("liveID push", Some("liveID push"), &["face", "push"]),
        ("otp", None, &["otp"]),
        ("otp sms", None, &["otp", "sms"]),
        ("otp email", Some("otp email"), &[]),
        ("fido2", Some("urn:fido2"), &["hwk"]),
        (PROOFING_IAL2_ACR, None, &["face", "/assurance/ial/2/"]),
    ])
}

fn demand(methods: &[String]) -> Demand<'_> {
    Demand {
        methods,
        min_aal: None,
        phishing_resistant: false,
        min_ial: None,
    }
}

const ANY: &[&str] = &["liveID push", "otp sms", "otp email", "otp"];

#[test]
fn a_recorded_answer_is_recognised() {
    let catalogue = catalogue_with(&[fido2()]);
    let asked = strings(&["liveID push", "fido2", "otp"]);
    let with = |acr, amr: &[&str]| judge(demand(&asked), acr, &strings(amr), &catalogue, &learned());

    let push = with(Some("liveID push"), &["push", "face"]).expect("recorded, in any order");
    assert_eq!(
        (push.method.as_deref(), push.aal, push.phishing_resistant),
        (Some("liveID push"), Some(2), false)
    );
    let key = with(Some("urn:fido2"), &["hwk", "/assurance/ial/2/"]).expect("the level is beside the method");
    assert_eq!(
        (key.method.as_deref(), key.aal, key.phishing_resistant, key.ial),
        (Some("fido2"), Some(3), true, Some(2))
    );
    let totp = with(None, &["otp"]).expect("recorded without acr");
    assert_eq!(
        (totp.method.as_deref(), totp.acr, totp.amr),
        (Some("otp"), None, strings(&["otp"]))
    );

    for (acr, amr) in [
        (None, &[][..]),
        (Some(""), &[]),
        (Some("liveID push"), &[]),
        (None, &["push", "face"]),
        (Some("liveID push"), &["push", "face", "mfa"]),
        (Some("otp"), &["otp"]),
        (Some("LIVEID PUSH"), &["push", "face"]),
        (None, &["otp", "sms"]),
        (Some("otp email"), &[]),
    ] {
        assert_eq!(with(acr, amr), Err(Reason::AssuranceNotMet), "{acr:?} {amr:?}");
    }
}

#[test]
fn a_weaker_method_than_asked_is_refused() {
    let catalogue = catalogue_with(&[fido2()]);
    let asked = strings(&["liveID push", "fido2", "otp email"]);
    let judged = |demand: Demand<'_>, acr, amr: &[&str]| {
        judge(demand, Some(acr), &strings(amr), &catalogue, &learned()).map(|achieved| achieved.method)
    };
    let aal2 = Demand {
        min_aal: Some(2),
        ..demand(&asked)
    };
    assert_eq!(judged(aal2, "otp email", &[]), Err(Reason::AssuranceNotMet));
    assert_eq!(
        judged(aal2, "liveID push", &["push", "face"]),
        Ok(Some("liveID push".to_owned()))
    );
    let aal3 = Demand {
        min_aal: Some(3),
        ..demand(&asked)
    };
    assert_eq!(
        judged(aal3, "liveID push", &["push", "face"]),
        Err(Reason::AssuranceNotMet)
    );
    let resistant = Demand {
        phishing_resistant: true,
        ..demand(&asked)
    };
    assert_eq!(
        judged(resistant, "liveID push", &["push", "face"]),
        Err(Reason::AssuranceNotMet)
    );
    assert_eq!(
        judged(resistant, "urn:fido2", &["hwk"]),
        Ok(Some("fido2".to_owned()))
    );
}

#[test]
fn before_the_map_is_learned_only_any_method_can_be_asked() {
    let nothing = BTreeMap::new();
    let any = strings(ANY);
    let some = strings(&["liveID push", "otp"]);
    let ask =
        |demand: Demand<'_>, acr, amr: &[&str]| judge(demand, acr, &strings(amr), catalogue(), &nothing);

    let met = ask(demand(&any), None, &["push"]).expect("some method was used");
    assert_eq!((met.method, met.aal, met.phishing_resistant), (None, None, false));
    assert_eq!(
        ask(demand(&some), Some("liveID push"), &["push"]),
        Err(Reason::AssuranceNotMet)
    );
    for strong in [
        Demand {
            min_aal: Some(2),
            ..demand(&any)
        },
        Demand {
            phishing_resistant: true,
            ..demand(&any)
        },
        Demand {
            min_ial: Some(2),
            ..demand(&any)
        },
    ] {
        let refused = ask(strong, Some("liveID push"), &["/assurance/ial/2/"]);
        assert_eq!(refused, Err(Reason::AssuranceNotMet));
    }
    // A token that names a method nobody asked for is believed in that.
    assert_eq!(
        ask(demand(&any), Some(PROOFING_IAL2_ACR), &[]),
        Err(Reason::AssuranceNotMet)
    );
}

#[test]
fn silence_and_a_password_alone_never_count() {
    let any = strings(ANY);
    for observed in [
        BTreeMap::new(),
        learned(),
        map(&[("otp", None, &[]), ("otp sms", Some(""), &[""])]),
    ] {
        for (acr, amr) in [
            (None, &[][..]),
            (Some(""), &[""]),
            (Some("0"), &[]),
            (Some("0"), &["pwd"]),
            (None, &["pwd"]),
            (None, &["pin", "kba", "pwd"]),
            (Some("pin"), &[]),
            (Some("kba"), &["pwd"]),
            (None, &["pwd", "/assurance/ial/2/"]),
            (None, &["/assurance/ial/2/"]),
            (Some("/assurance/ial/2"), &["pwd"]),
        ] {
            let refused = judge(demand(&any), acr, &strings(amr), catalogue(), &observed);
            assert_eq!(
                refused,
                Err(Reason::AssuranceNotMet),
                "{acr:?} {amr:?} {observed:?}"
            );
        }
    }
}

/// A pilot at a provider that reports the password it asked for itself, and nothing of the step-up.
#[test]
fn a_recording_that_speaks_of_a_password_alone_recognises_nothing() {
    let asked = strings(&["otp"]);
    for (acr, amr) in [(None, &["pwd"][..]), (Some("0"), &[]), (Some("pwd"), &["pin"])] {
        let observed = map(&[("otp", acr, amr)]);
        let refused = judge(demand(&asked), acr, &strings(amr), catalogue(), &observed);
        assert_eq!(refused, Err(Reason::AssuranceNotMet), "{acr:?} {amr:?}");
    }
}

#[test]
fn what_cannot_be_told_apart_is_taken_for_the_weakest() {
    let same = map(&[
        ("otp", None, &["otp"]),
        ("otp email", None, &["otp"]),
        ("otp sms", None, &["sms"]),
    ]);
    let ask = |methods: &[&str], min_aal| {
        let methods = strings(methods);
        let demand = Demand {
            min_aal,
            ..demand(&methods)
        };
        judge(demand, None, &strings(&["otp"]), catalogue(), &same)
    };
    let either = ask(&["otp", "otp email"], None).expect("both were asked for");
    assert_eq!((either.method, either.aal), (None, Some(1)));
    assert_eq!(ask(&["otp", "otp email"], Some(2)), Err(Reason::AssuranceNotMet));
    assert_eq!(
        ask(&["otp"], None),
        Err(Reason::AssuranceNotMet),
        "it may have been the e-mail"
    );
    assert_eq!(ask(ANY, None).map(|achieved| achieved.aal), Ok(Some(1)));
}

#[test]
fn identity_levels_come_inside_amr() {
    for (amr, level) in [
        (&["/assurance/ial/2/"][..], Some(2)),
        (&["/assurance/ial/2", "push"], Some(2)),
        (&["/assurance/ial/1/", "/assurance/ial/3/"], Some(3)),
        (
            &[
                "/assurance/ial/4/",
                "/assurance/ial/2x/",
                "/assurance/ial/02/",
                "/assurance/ial//",
                "assurance/ial/2/",
            ],
            None,
        ),
        (
            &["/ASSURANCE/IAL/2/", "/assurance/aal/2/", "/assurance/ial/2/ "],
            None,
        ),
        (&[], None),
    ] {
        assert_eq!(identity_level(&strings(amr)), level, "{amr:?}");
    }

    let asked = strings(&["liveID push", PROOFING_IAL2_ACR]);
    let demand = Demand {
        min_ial: Some(2),
        ..demand(&asked)
    };
    let ask = |acr, amr: &[&str]| judge(demand, acr, &strings(amr), catalogue(), &learned());
    assert_eq!(
        ask(Some("liveID push"), &["push", "face"]),
        Err(Reason::IdentityAssuranceNotMet)
    );
    assert_eq!(
        ask(Some("liveID push"), &["push", "face", "/assurance/ial/1/"]),
        Err(Reason::IdentityAssuranceNotMet)
    );
    let proofed_before =
        ask(Some("liveID push"), &["push", "face", "/assurance/ial/2/"]).expect("the level holds");
    assert_eq!(
        (proofed_before.method.as_deref(), proofed_before.ial),
        (Some("liveID push"), Some(2))
    );
    let proofing = ask(None, &["face", "/assurance/ial/2/"]).expect("proofed now");
    assert_eq!(
        (proofing.method.as_deref(), proofing.aal, proofing.ial),
        (Some(PROOFING_IAL2_ACR), Some(1), Some(2))
    );
    // The level is not in `acr`, whoever writes it there.
    assert_eq!(
        ask(Some(PROOFING_IAL2_ACR), &["face"]),
        Err(Reason::AssuranceNotMet)
    );
}

#[test]
fn a_tenant_cannot_promote_a_shipped_method() {
    let promoted = Method {
        acr: "otp email".to_owned(),
        ..fido2()
    };
    assert_eq!(catalogue_with(std::slice::from_ref(&promoted)), catalogue());
    let odd = Method {
        acr: "a,b".to_owned(),
        max_aal: 4,
        proves_ial: Some(9),
        ..fido2()
    };
    let mailbox = Method {
        acr: "mail link".to_owned(),
        not_out_of_band: true,
        ..fido2()
    };
    assert_eq!(check_extra_methods(&[fido2()]), []);
    assert_eq!(check_extra_methods(&[promoted]).len(), 1);
    assert_eq!(check_extra_methods(&[fido2(), fido2()]).len(), 1);
    assert_eq!(check_extra_methods(&[odd]).len(), 4);
    assert_eq!(check_extra_methods(&[mailbox]).len(), 1);
    assert_eq!(check_extra_methods(catalogue()).len(), catalogue().len());
}

fn values() -> impl Strategy<Value = Vec<String>> {
    let known = prop::sample::select(vec![
        "push",
        "face",
        "otp",
        "sms",
        "hwk",
        "pwd",
        "",
        "/assurance/ial/2/",
        "/assurance/ial/1/",
        "liveID push",
        "otp email",
    ]);
    proptest::collection::vec(
        prop_oneof![8 => known.prop_map(str::to_owned), 1 => ".{0,8}"],
        0..5,
    )
}

proptest! {
    /// Whatever a provider answers: what is met was asked for, by the labels, and was not silent.
    #[test]
    fn what_is_met_was_asked_and_said(
        acr in proptest::option::of(prop_oneof![
            prop::sample::select(vec!["liveID push", "otp email", "urn:fido2", "0", ""]).prop_map(str::to_owned), ".{0,8}"]),
        amr in values(),
        methods in proptest::sample::subsequence(vec!["liveID push", "otp sms", "otp email", "otp", "fido2", PROOFING_IAL2_ACR], 0..=6),
        min_aal in proptest::option::of(0_u8..5),
        phishing_resistant: bool,
        min_ial in proptest::option::of(0_u8..5),
        know_map: bool,
    ) {
        let methods = strings(&methods);
        let catalogue = catalogue_with(&[fido2()]);
        let observed = if know_map { learned() } else { BTreeMap::new() };
        let demand = Demand { methods: &methods, min_aal, phishing_resistant, min_ial };
        if let Ok(achieved) = judge(demand, acr.as_deref(), &amr, &catalogue, &observed) {
            prop_assert!(acr.as_ref().is_some_and(|acr| !acr.is_empty()) || amr.iter().any(|value| !value.is_empty()));
            prop_assert!(min_ial.is_none_or(|least| achieved.ial.is_some_and(|ial| ial >= least)));
                        match achieved.method {
                Some(method) => {
                    prop_assert!(methods.contains(&method) && know_map);
                    prop_assert!(achieved.aal >= min_aal.filter(|level| *level > 0));
                    prop_assert!(achieved.phishing_resistant || !phishing_resistant);
                }
                None => prop_assert!(demand.accepts_any_shipped()),
            }
        }
    }
}
