//! What a step-up achieved, from what the provider signed.
//!
//! What BlockID puts into `acr` and `amr` for each method is not published. So a tenant has a *map*,
//! learned by a recorded pilot step-up with each method, and a method is recognised by an answer that is
//! exactly like the recorded one. Three principles:
//!
//! * **Silence never counts.** A token with neither `acr` nor `amr` says nothing about a second factor; a
//!   token that speaks of a password alone says that there was none.
//! * **Doubt counts against the user.** An answer that fits several methods is taken for the weakest of
//!   them, and if one of them was not asked for, it is refused.
//! * **Without a map nothing is told apart.** Then only a requirement that accepts any shipped method is met.

use super::{Demand, Method};
use crate::reason::Reason;
use crate::settings::ObservedMethod;
use std::collections::{BTreeMap, BTreeSet};

/// What a step-up achieved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Achieved {
    /// ACR value of the method used; `None` when the answer fits several, or the map is not learned.
    pub method: Option<String>,
    /// `acr` of the id_token.
    pub acr: Option<String>,
    /// `amr` of the id_token.
    pub amr: Vec<String>,
    /// Authenticator assurance level reached together with the password; `None` when it cannot be told.
    pub aal: Option<u8>,
    /// Identity assurance level the provider vouched for.
    pub ial: Option<u8>,
    /// Whether the authenticator resists phishing.
    pub phishing_resistant: bool,
}

/// Longest `amr` and longest value looked at: a provider's answer is not trusted to be sane.
const MAX_AMR: usize = 32;
const MAX_VALUE_BYTES: usize = 256;

/// Compares the `acr` and `amr` of a verified id_token with what the challenge asked.
///
/// `asked` is a challenge, a rule's requirement, or a [`Demand`] put together by hand: *verify* judges the
/// first, the gate judges older evidence by the second. `catalogue` is [`super::catalogue_with`] the tenant's own methods, `observed` the tenant's map.
/// Refuses with [`Reason::AssuranceNotMet`] or [`Reason::IdentityAssuranceNotMet`].
pub fn judge<'a>(
    asked: impl Into<Demand<'a>>,
    acr: Option<&str>,
    amr: &[String],
    catalogue: &[Method],
    observed: &BTreeMap<String, ObservedMethod>,
) -> Result<Achieved, Reason> {
    let asked = asked.into();
    let acr = acr.filter(|acr| !acr.is_empty());
    if amr.len() > MAX_AMR
        || amr
            .iter()
            .map(String::as_str)
            .chain(acr)
            .any(|v| v.len() > MAX_VALUE_BYTES)
    {
        return Err(Reason::AssuranceNotMet);
    }
    let answer = Answer {
        acr,
        amr: without_levels(amr),
        ial: identity_level(amr),
    };
    if answer.ial.is_none() && !answer.names_a_factor() {
        return Err(Reason::AssuranceNotMet);
    }

    let used: Vec<&Method> = catalogue
        .iter()
        .filter(|method| {
            observed
                .get(&method.acr)
                .is_some_and(|recorded| answer.fits(method, recorded))
        })
        .collect();
    if used.iter().any(|method| !asked.methods.contains(&method.acr)) {
        return Err(Reason::AssuranceNotMet);
    }
    let any_will_do = asked.accepts_any_shipped()
        && answer.names_a_factor()
        && !names_foreign_method(&answer, asked, catalogue);
    if used.is_empty() && !any_will_do {
        return Err(Reason::AssuranceNotMet);
    }
    if used
        .iter()
        .any(|method| !method.reaches(asked.min_aal, asked.phishing_resistant))
    {
        return Err(Reason::AssuranceNotMet);
    }
    if asked
        .min_ial
        .is_some_and(|least| answer.ial.is_none_or(|ial| ial < least))
    {
        return Err(Reason::IdentityAssuranceNotMet);
    }
    Ok(Achieved {
        method: if let [only] = used.as_slice() {
            Some(only.acr.clone())
        } else {
            None
        },
        acr: acr.map(str::to_owned),
        amr: amr.to_vec(),
        aal: used.iter().map(|method| method.max_aal).min(),
        ial: answer.ial,
        phishing_resistant: !used.is_empty() && used.iter().all(|method| method.phishing_resistant),
    })
}

/// Whether the provider answered alike in two recordings: then nothing tells the methods apart.
pub fn same_answer(a: (&Method, &ObservedMethod), b: (&Method, &ObservedMethod)) -> bool {
    let answer = |recorded: &'_ ObservedMethod| -> (Option<String>, BTreeSet<String>) {
        let amr = without_levels(&recorded.amr)
            .into_iter()
            .map(str::to_owned)
            .collect();
        (recorded.acr.clone().filter(|acr| !acr.is_empty()), amr)
    };
    answer(a.1) == answer(b.1)
}

/// Whether a step-up that is answered as recorded would be recognised as one with this method.
pub fn recognisable(method: &Method, recorded: &ObservedMethod) -> bool {
    let answer = Answer {
        acr: recorded.acr.as_deref().filter(|acr| !acr.is_empty()),
        amr: without_levels(&recorded.amr),
        ial: identity_level(&recorded.amr),
    };
    (answer.ial.is_some() || answer.names_a_factor()) && answer.fits(method, recorded)
}

/// The highest identity assurance level (1–3) named in `amr`, as `/assurance/ial/2/` or `/assurance/ial/2`.
pub fn identity_level(amr: &[String]) -> Option<u8> {
    amr.iter().filter_map(|value| level_of(value)).max()
}

fn level_of(value: &str) -> Option<u8> {
    let level = value.strip_prefix("/assurance/ial/")?;
    match level.strip_suffix('/').unwrap_or(level) {
        "1" => Some(1),
        "2" => Some(2),
        "3" => Some(3),
        _ => None,
    }
}

/// `amr` without the proofing level, which belongs to the person and not to the method used.
fn without_levels(amr: &[String]) -> BTreeSet<&str> {
    amr.iter()
        .map(String::as_str)
        .filter(|value| !value.is_empty() && level_of(value).is_none())
        .collect()
}

/// What the id_token says about how the user authenticated.
struct Answer<'a> {
    acr: Option<&'a str>,
    amr: BTreeSet<&'a str>,
    ial: Option<u8>,
}

impl Answer<'_> {
    /// Whether it speaks of anything beyond a password. `0` is OpenID Connect's "less than level 1" (Core 1.0,
    /// section 2); `pwd`, `pin` and `kba` are RFC 8176's names for what a user knows. A proofing level says
    /// who somebody is, not that a factor was used.
    fn names_a_factor(&self) -> bool {
        let class_says = self
            .acr
            .is_some_and(|acr| !matches!(acr, "0" | "pwd" | "pin" | "kba") && level_of(acr).is_none());
        class_says
            || self
                .amr
                .iter()
                .any(|value| !matches!(*value, "pwd" | "pin" | "kba"))
    }

    /// Whether this is exactly what the provider returned when the method was recorded.
    fn fits(&self, method: &Method, recorded: &ObservedMethod) -> bool {
        let class = recorded.acr.as_deref().filter(|acr| !acr.is_empty());
        let values = without_levels(&recorded.amr);
        let proofed = match method.proves_ial {
            Some(level) => self.ial.is_some_and(|ial| ial >= level),
            // A recording that says nothing would fit every silent answer.
            None => class.is_some() || !values.is_empty(),
        };
        proofed && self.acr == class && self.amr == values
    }
}

/// Whether an answer that fits no recording still names, in so many words, a method that was not asked for.
fn names_foreign_method(answer: &Answer<'_>, asked: Demand<'_>, catalogue: &[Method]) -> bool {
    let foreign = |value: &str| {
        catalogue.iter().any(|method| method.acr == value) && !asked.methods.iter().any(|acr| acr == value)
    };
    answer.acr.is_some_and(foreign) || answer.amr.iter().any(|value| foreign(value))
}
