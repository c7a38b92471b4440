//! Methods, assurance levels, and the comparison of what was asked with what was achieved.
//!
//! Labels follow NIST SP 800-63B (authenticators) and 800-63A (identity proofing). They describe what a
//! method can reach beside a password that was checked by Cognito; whether a step-up did reach it is
//! [`judge`]'s to say, from what the provider signed.

mod judge;

pub use judge::{Achieved, identity_level, judge, recognisable, same_answer};

use crate::challenge::PrivateChallenge;
use crate::policy::Requirement;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// A step-up method as BlockID names it, with its labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Method {
    /// ACR value as sent to BlockID, for example `liveID push`.
    pub acr: String,
    /// Name for people.
    pub label: String,
    /// Highest authenticator assurance level a password plus this method reaches, 1–3.
    pub max_aal: u8,
    /// Resists a verifier that impersonates (SP 800-63B, 5.2.5).
    #[serde(default)]
    pub phishing_resistant: bool,
    /// Restricted authenticator (SP 800-63B, 5.2.10): SMS.
    #[serde(default)]
    pub restricted: bool,
    /// Not a second factor on its own (e-mail is not an out-of-band authenticator, SP 800-63B, 5.1.3.1).
    #[serde(default)]
    pub not_out_of_band: bool,
    /// Identity assurance level that the method proves, for proofing methods.
    #[serde(default)]
    pub proves_ial: Option<u8>,
}

impl Method {
    /// Whether the labels allow a step-up with this method to satisfy a level and phishing resistance.
    pub fn reaches(&self, min_aal: Option<u8>, phishing_resistant: bool) -> bool {
        self.max_aal >= min_aal.unwrap_or(1) && (self.phishing_resistant || !phishing_resistant)
    }

    /// Whether this is identity proofing and not an authenticator.
    pub const fn is_proofing(&self) -> bool {
        self.proves_ial.is_some()
    }
}

/// ACR value by which BlockID is asked to prove who somebody is (IAL2).
pub const PROOFING_IAL2_ACR: &str = "/assurance/ial/2/";

static SHIPPED: LazyLock<Vec<Method>> = LazyLock::new(|| {
    let authenticator = |acr: &str, label: &str, max_aal| Method {
        acr: acr.to_owned(),
        label: label.to_owned(),
        max_aal,
        phishing_resistant: false,
        restricted: false,
        not_out_of_band: false,
        proves_ial: None,
    };
    vec![
        authenticator("liveID push", "LiveID push", 2),
        Method {
            restricted: true,
            ..authenticator("otp sms", "One-time code by SMS", 2)
        },
        Method {
            not_out_of_band: true,
            ..authenticator("otp email", "One-time code by e-mail", 1)
        },
        authenticator("otp", "One-time code of an authenticator app", 2),
        // Proofing says who somebody is, not that an authenticator of theirs was used: it reaches no AAL.
        Method {
            proves_ial: Some(2),
            ..authenticator(PROOFING_IAL2_ACR, "Identity proofing", 1)
        },
    ]
});

/// The methods every tenant has. FIDO2's ACR value is not published: it comes with the tenant's own.
pub fn catalogue() -> &'static [Method] {
    &SHIPPED
}

/// The shipped methods that are authenticators: all but proofing.
pub fn shipped_authenticators() -> impl Iterator<Item = &'static Method> {
    catalogue().iter().filter(|method| !method.is_proofing())
}

/// The shipped catalogue and a tenant's own methods. A shipped method keeps its labels: a tenant cannot
/// promote `otp email` by describing it anew.
pub fn catalogue_with(extra: &[Method]) -> Vec<Method> {
    let mut methods = catalogue().to_vec();
    for method in extra {
        if methods.iter().all(|known| known.acr != method.acr) {
            methods.push(method.clone());
        }
    }
    methods
}

/// What is demanded of a step-up's strength, by a rule or by a challenge made from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand<'a> {
    /// ACR values offered.
    pub methods: &'a [String],
    /// Least authenticator assurance level.
    pub min_aal: Option<u8>,
    /// Only phishing-resistant methods count.
    pub phishing_resistant: bool,
    /// Least identity assurance level.
    pub min_ial: Option<u8>,
}

impl Demand<'_> {
    /// Whether any shipped authenticator will do: all are offered, no AAL above the first and no IAL is asked.
    ///
    /// Only such a demand can be kept before the tenant's method map is learned, because then it does
    /// not matter which method the provider's answer stands for.
    pub fn accepts_any_shipped(&self) -> bool {
        self.min_aal.is_none_or(|level| level <= 1)
            && self.min_ial.is_none()
            && !self.phishing_resistant
            && shipped_authenticators().all(|method| self.methods.contains(&method.acr))
    }
}

impl<'a> From<&'a Requirement> for Demand<'a> {
    fn from(asked: &'a Requirement) -> Self {
        Self {
            methods: &asked.methods,
            min_aal: asked.min_aal,
            phishing_resistant: asked.phishing_resistant,
            min_ial: asked.min_ial,
        }
    }
}

impl<'a> From<&'a PrivateChallenge> for Demand<'a> {
    fn from(asked: &'a PrivateChallenge) -> Self {
        Self {
            methods: &asked.methods,
            min_aal: asked.min_aal,
            phishing_resistant: asked.phishing_resistant,
            min_ial: asked.min_ial,
        }
    }
}

/// A mistake in a tenant's own methods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodMistake {
    /// Which of them, from 0.
    pub index: usize,
    /// Its field.
    pub field: &'static str,
    /// What is wrong with it, for people.
    pub message: String,
}

/// Longest name for people, bytes.
const MAX_LABEL_BYTES: usize = 128;

/// What is wrong with a tenant's own methods; empty when all are usable.
pub fn check_extra_methods(extra: &[Method]) -> Vec<MethodMistake> {
    let mut mistakes = Vec::new();
    for (index, method) in extra.iter().enumerate() {
        let acr = &method.acr;
        let mut require = |holds: bool, field: &'static str, message: &str| {
            if !holds {
                mistakes.push(MethodMistake {
                    index,
                    field,
                    message: message.to_owned(),
                });
            }
        };
        // 1Kosmos's script splits the list of methods at commas and strips quotes.
        let plain = |c: char| !c.is_control() && !matches!(c, '\'' | '"' | ',');
        require(
            !acr.trim().is_empty() && acr.len() <= 128 && acr.chars().all(plain),
            "acr",
            "an ACR value has 1 to 128 bytes without quotes, commas and control characters",
        );
        require(
            catalogue().iter().all(|known| known.acr != *acr),
            "acr",
            "the method is shipped; its labels cannot be changed",
        );
        require(
            extra.iter().take(index).all(|earlier| earlier.acr != *acr),
            "acr",
            "the method is listed twice",
        );
        require(
            !method.label.trim().is_empty()
                && method.label.len() <= MAX_LABEL_BYTES
                && !method.label.contains(char::is_control),
            "label",
            "a label has 1 to 128 bytes without control characters",
        );
        require(
            (1..=3).contains(&method.max_aal),
            "max_aal",
            "`max_aal` is 1, 2 or 3",
        );
        require(
            method.proves_ial.is_none_or(|level| (1..=3).contains(&level)),
            "proves_ial",
            "`proves_ial` is 1, 2 or 3",
        );
        require(
            !method.not_out_of_band || method.max_aal <= 1,
            "max_aal",
            "what is no second factor on its own reaches no AAL above 1",
        );
        require(
            !method.is_proofing() || method.max_aal <= 1,
            "max_aal",
            "proofing says who somebody is and reaches no AAL above 1",
        );
    }
    mistakes
}
