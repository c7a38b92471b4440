//! Outcomes: contradictions between what is offered, what is asked, and what app and tenant can keep.

use super::conditions::{is_attribute_name, is_known_attribute};
use super::{Finding, MAX_DESCRIPTION_BYTES, Place, Report, ValidationContext, codes};
use crate::assurance::{Demand, Method, same_answer};
use crate::define::MAX_ACTION_ATTEMPTS;
use crate::policy::document::{Binding, Outcome, PolicyDocument, Requirement, SubjectLink};
use std::collections::BTreeSet;

const MAX_METHODS: usize = 16;
const MIN_CHALLENGE_OPEN_S: u32 = 30;
/// Proofing means photographing a document and oneself.
const PROOFING_TIME_S: u32 = 600;
/// Below, Cognito has no refresh-token validity: the app gets no refresh.
const MIN_REFRESH_MIN: u32 = 60;
/// Cognito's longest refresh-token validity: ten years.
const MAX_REFRESH_MIN: u32 = 10 * 365 * 24 * 60;

/// What the rule's condition means for its outcome.
#[derive(Clone, Copy)]
pub(super) struct Facts {
    /// Whether the rule can hold in a journey for an action.
    pub(super) may_match_action: bool,
    /// Whether it can hold only there.
    pub(super) names_action: bool,
}

pub(super) fn check(outcome: &Outcome, facts: Facts, context: &ValidationContext, place: &mut Place<'_>) {
    match outcome {
        Outcome::NotRequired(skip) => {
            if skip.reason.trim().is_empty() {
                let message = "say why the password alone is enough".to_owned();
                place.error("/reason", codes::REASON_EMPTY, &message);
            } else if skip.reason.len() > MAX_DESCRIPTION_BYTES {
                let message = format!("a reason has at most {MAX_DESCRIPTION_BYTES} bytes");
                place.error("/reason", codes::TEXT_TOO_LONG, &message);
            }
            if facts.names_action {
                let message =
                    "it is for actions, and an action is stepped up for or refused: a skip never applies";
                place.error("/step_up", codes::ACTION_WITHOUT_STEP_UP, message);
            } else if context.action_step_up && facts.may_match_action {
                let message = "an action that comes here is refused, because no step-up is asked for";
                place.warning("/step_up", codes::ACTION_REFUSED_HERE, message);
            }
        }
        Outcome::Required(asked) => check_requirement(asked, facts, context, place),
    }
}

fn check_requirement(asked: &Requirement, facts: Facts, context: &ValidationContext, place: &mut Place<'_>) {
    let known = check_methods(asked, context, place);
    // What unknown methods could reach is not known: the contradictions are judged once all are known.
    if known.len() == asked.methods.len() && !known.is_empty() {
        check_levels(asked, &known, context, place);
        check_recognition(asked, &known, context, place);
    }
    check_ranges(asked, facts, context, place);
    check_link(asked, context, place);
}

fn check_methods<'a>(
    asked: &Requirement,
    context: &'a ValidationContext,
    place: &mut Place<'_>,
) -> Vec<&'a Method> {
    if asked.methods.is_empty() {
        place.error(
            "/methods",
            codes::METHODS_EMPTY,
            "it asks for a step-up and offers no method",
        );
    }
    if asked.methods.len() > MAX_METHODS {
        let message = format!(
            "{} methods; at most {MAX_METHODS} are allowed",
            asked.methods.len()
        );
        place.error("/methods", codes::METHODS_TOO_MANY, &message);
        return Vec::new();
    }
    let mut seen = BTreeSet::new();
    let mut known = Vec::new();
    for (index, acr) in asked.methods.iter().enumerate() {
        let pointer = format!("/methods/{index}");
        if !seen.insert(acr) {
            place.error(
                &pointer,
                codes::METHOD_DUPLICATE,
                &format!("it offers `{}` twice", shown(acr)),
            );
        }
        if let Some(method) = context.method(acr) {
            known.push(method);
        } else {
            let names: Vec<String> = context
                .catalogue
                .iter()
                .map(|method| format!("`{}`", method.acr))
                .collect();
            let message = format!(
                "method `{}` is not known; known are {}",
                shown(acr),
                names.join(", ")
            );
            place.error(&pointer, codes::METHOD_UNKNOWN, &message);
        }
    }
    known
}

fn check_levels(asked: &Requirement, known: &[&Method], context: &ValidationContext, place: &mut Place<'_>) {
    let reaching = |aal, resistant| known.iter().any(|method| method.reaches(aal, resistant));
    let names = known
        .iter()
        .map(|method| format!("`{}`", method.acr))
        .collect::<Vec<_>>()
        .join(", ");
    let least = asked.min_aal.filter(|level| (1..=3).contains(level));

    if !reaching(least, false) {
        let best = known
            .iter()
            .map(|method| method.max_aal)
            .max()
            .unwrap_or_default();
        let mut message = format!(
            "it asks AAL{} and offers only {names}, which reach AAL{best}",
            least.unwrap_or(1)
        );
        if known.iter().any(|method| method.not_out_of_band) {
            message.push_str("; a code sent to a mailbox is no second factor (SP 800-63B, 5.1.3.1)");
        }
        place.error("/min_aal", codes::AAL_UNREACHABLE, &message);
    } else if asked.phishing_resistant && !reaching(least, true) {
        let message =
            format!("it asks for phishing resistance, which none of {names} has at the level asked");
        place.error(
            "/phishing_resistant",
            codes::PHISHING_RESISTANCE_UNREACHABLE,
            &message,
        );
    } else {
        for (index, method) in known.iter().enumerate() {
            if !method.reaches(least, asked.phishing_resistant) {
                let message = format!(
                    "`{}` is offered, and a step-up with it can never satisfy the rule",
                    method.acr
                );
                place.warning(&format!("/methods/{index}"), codes::METHOD_TOO_WEAK, &message);
            } else if method.restricted && least.is_some_and(|level| level >= 2) {
                let message = format!(
                    "`{}` is a restricted authenticator: users must be offered another (SP 800-63B, 5.2.10)",
                    method.acr
                );
                place.warning(&format!("/methods/{index}"), codes::METHOD_RESTRICTED, &message);
            }
        }
    }
    if asked.phishing_resistant && !context.frame_ancestors_limited {
        let message =
            "the provider's page may be framed by any site: the authenticator resists phishing, the \
                       flow does not; have `frame-ancestors` limited to the app's origins"
                .to_owned();
        place.error(
            "/phishing_resistant",
            codes::FRAME_ANCESTORS_NOT_LIMITED,
            &message,
        );
    }
    check_proofing(asked, known, context, place);
    if context.reset_by_mailbox_only
        && known
            .iter()
            .all(|method| method.not_out_of_band || method.is_proofing())
        && known.iter().any(|method| method.not_out_of_band)
    {
        let message =
            "the password is reset by mailbox, and the step-up is a code to the same mailbox: whoever \
                       reads it has both"
                .to_owned();
        place.error("/methods", codes::STEP_UP_IS_RESET_CHANNEL, &message);
    }
}

fn check_proofing(
    asked: &Requirement,
    known: &[&Method],
    context: &ValidationContext,
    place: &mut Place<'_>,
) {
    if let Some(least) = asked.min_ial.filter(|level| (1..=3).contains(level))
        && !known
            .iter()
            .any(|method| method.proves_ial.is_some_and(|ial| ial >= least))
    {
        let message = format!(
            "it asks IAL{least} and offers no method that proves it; add a proofing ACR such as `/assurance/ial/2/`"
        );
        place.error("/min_ial", codes::IAL_UNREACHABLE, &message);
    }
    let open_s = asked
        .challenge_open_s
        .map_or(context.session_validity_s, |s| s.min(context.session_validity_s));
    if known.iter().any(|method| method.is_proofing()) && open_s < PROOFING_TIME_S {
        let message = format!(
            "proofing takes up to {PROOFING_TIME_S} s, and the challenge stays open for {open_s} s: raise the \
             app's session validity"
        );
        place.warning("/methods", codes::PROOFING_TIME_SHORT, &message);
    }
}

/// Whether a step-up would be recognised in what the provider returns.
fn check_recognition(
    asked: &Requirement,
    known: &[&Method],
    context: &ValidationContext,
    place: &mut Place<'_>,
) {
    if Demand::from(asked).accepts_any_shipped() {
        return;
    }
    if context.observed.is_empty() {
        let message =
            "what the provider returns for each method is not learned yet (pilot step-up): until then a \
                       rule offers every shipped method and asks neither AAL2 nor an IAL"
                .to_owned();
        place.error("/methods", codes::METHODS_NOT_LEARNED, &message);
        return;
    }
    if known
        .iter()
        .all(|method| !context.observed.contains_key(&method.acr))
    {
        let message =
            "none of its methods has been recorded in a pilot step-up, so no step-up would be recognised"
                .to_owned();
        place.error("/methods", codes::METHODS_NOT_OBSERVED, &message);
        return;
    }
    for (index, method) in known.iter().enumerate() {
        let pointer = format!("/methods/{index}");
        let Some(recorded) = context.observed.get(&method.acr) else {
            let message = format!(
                "`{}` has not been recorded in a pilot step-up; a step-up with it would be refused",
                method.acr
            );
            place.warning(&pointer, codes::METHOD_NOT_OBSERVED, &message);
            continue;
        };
        if recorded.nonce == Some(false) && asked.binding == Binding::Nonce {
            let message = format!(
                "the provider did not return the nonce in the pilot step-up with `{}`, and the rule binds by nonce: a \
                 step-up with it would be refused",
                method.acr
            );
            place.warning(&pointer, codes::NONCE_NOT_RETURNED, &message);
        }
        let twin = context.catalogue.iter().find(|other| {
            !asked.methods.contains(&other.acr)
                && context
                    .observed
                    .get(&other.acr)
                    .is_some_and(|other_recorded| same_answer((method, recorded), (other, other_recorded)))
        });
        if let Some(twin) = twin {
            let message = format!(
                "the provider answers alike for `{}` and `{}`, which the rule does not accept: they cannot be told apart",
                method.acr, twin.acr
            );
            place.error(&pointer, codes::METHOD_AMBIGUOUS, &message);
        }
    }
}

fn check_ranges(asked: &Requirement, facts: Facts, context: &ValidationContext, place: &mut Place<'_>) {
    if asked.min_aal.is_some_and(|level| !(1..=3).contains(&level)) {
        place.error("/min_aal", codes::AAL_OUT_OF_RANGE, "`min_aal` is 1, 2 or 3");
    }
    if asked.min_ial.is_some_and(|level| !(1..=3).contains(&level)) {
        place.error("/min_ial", codes::IAL_OUT_OF_RANGE, "`min_ial` is 1, 2 or 3");
    }
    if !(1..=3).contains(&asked.attempts) {
        place.error(
            "/attempts",
            codes::ATTEMPTS_OUT_OF_RANGE,
            "`attempts` is 1, 2 or 3",
        );
    } else if context.action_step_up && facts.may_match_action && asked.attempts > MAX_ACTION_ATTEMPTS {
        let message = format!(
            "it can hold for an action, where at most {MAX_ACTION_ATTEMPTS} attempts are allowed; add \
             `\"for_action\": false` or lower `attempts`"
        );
        place.error("/attempts", codes::ATTEMPTS_TOO_MANY_FOR_ACTION, &message);
    }
    if let Some(open_s) = asked.challenge_open_s {
        if open_s < MIN_CHALLENGE_OPEN_S {
            let message = format!("a challenge stays open for at least {MIN_CHALLENGE_OPEN_S} s");
            place.error("/challenge_open_s", codes::CHALLENGE_OPEN_TOO_SHORT, &message);
        } else if open_s > context.session_validity_s {
            let message = format!(
                "the app's session validity of {} s can only be shortened, not extended to {open_s} s",
                context.session_validity_s
            );
            place.error("/challenge_open_s", codes::CHALLENGE_OPEN_TOO_LONG, &message);
        }
    }
    match asked.max_age_min {
        Some(age) if age == 0 || age > MAX_REFRESH_MIN => {
            let message = format!("`max_age_min` is between 1 and {MAX_REFRESH_MIN}");
            place.error("/max_age_min", codes::MAX_AGE_OUT_OF_RANGE, &message);
        }
        Some(age) if age < MIN_REFRESH_MIN => {
            let message = format!("a step-up of at most {age} min means that the app gets no refresh");
            place.warning("/max_age_min", codes::MAX_AGE_NO_REFRESH, &message);
        }
        _ => {}
    }
    if asked.binding == Binding::StateOnly {
        let message = "without a nonce only `state` ties an answer to its challenge".to_owned();
        place.warning("/binding", codes::BINDING_STATE_ONLY, &message);
    }
}

fn check_link(asked: &Requirement, context: &ValidationContext, place: &mut Place<'_>) {
    let name = asked.subject_attribute.as_str();
    if name != "username" && !is_attribute_name(name) {
        let message = "`subject_attribute` is `username` or an attribute as named in Cognito".to_owned();
        place.error("/subject_attribute", codes::ATTRIBUTE_MALFORMED, &message);
    } else if name != "username" && !is_known_attribute(name) {
        let message = format!("Cognito has no attribute `{name}`; custom ones begin with `custom:`");
        place.warning("/subject_attribute", codes::ATTRIBUTE_UNKNOWN, &message);
    }
    if context.user_writable_attributes.contains(name) {
        let message = format!("users can write `{name}` themselves and so choose who steps up for them");
        place.error("/subject_attribute", codes::LINK_USER_WRITABLE, &message);
    }
    if asked.subject_link == SubjectLink::VerifiedEmail && context.user_writable_attributes.contains("email")
    {
        let message = "users can write `email` themselves, and the link rests on it".to_owned();
        place.error("/subject_link", codes::LINK_USER_WRITABLE, &message);
    }
}

/// Refresh validity is one setting of the app client: rules that differ get the smallest.
pub(super) fn check_max_ages(policy: &PolicyDocument, report: &mut Report) {
    let ages: BTreeSet<Option<u32>> = policy
        .outcomes()
        .filter_map(Outcome::requirement)
        .map(|asked| asked.max_age_min)
        .collect();
    if ages.len() > 1
        && let Some(smallest) = policy.smallest_max_age_min()
    {
        report.warnings.push(Finding {
            pointer: String::new(),
            rule: None,
            code: codes::MAX_AGE_DIFFERS.into(),
            message: format!(
                "rules differ in `max_age_min`; the smallest, {smallest} min, holds for the whole app"
            ),
        });
    }
}

/// A name from the document, short enough for a message.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}
