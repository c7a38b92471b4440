//! Conditions: limits, malformed values, and attributes that nothing may rest on.

use super::{Place, ValidationContext, codes, is_name_byte};
use crate::policy::document::{AttributeCondition, AttributeTest, Condition};

/// Deepest nesting of `all`, `any` and `not`.
const MAX_DEPTH: usize = 8;
/// Most parts of one rule's condition.
const MAX_PARTS: usize = 200;
/// Most values of one list.
const MAX_LIST: usize = 500;
/// Longest attribute value Cognito keeps.
const MAX_VALUE_BYTES: usize = 2048;
const MAX_ATTRIBUTE_NAME_BYTES: usize = 64;
const MAX_ACTION_NAME_BYTES: usize = 64;

/// Cognito's standard attributes (OpenID Connect Core 1.0, section 5.1) and those it adds itself.
const STANDARD_ATTRIBUTES: [&str; 20] = [
    "sub",
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "email",
    "email_verified",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "phone_number",
    "phone_number_verified",
    "address",
    "updated_at",
];

/// Whether a text can name an action: 1 to 64 letters (a–z), digits, `.`, `_`, `-` and `:`.
pub fn is_action_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_ACTION_NAME_BYTES && text.bytes().all(is_name_byte)
}

/// Whether a text can name an attribute.
pub(super) fn is_attribute_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_ATTRIBUTE_NAME_BYTES && text.bytes().all(is_name_byte)
}

/// Whether Cognito can have an attribute of this name.
pub(super) fn is_known_attribute(name: &str) -> bool {
    STANDARD_ATTRIBUTES.contains(&name) || name.starts_with("custom:") || name.starts_with("cognito:")
}

/// Checks a rule's condition; `false` when it is beyond the limits, and then nothing else was looked at.
pub(super) fn check(condition: &Condition, context: &ValidationContext, place: &mut Place<'_>) -> bool {
    let (depth, parts) = measure(condition);
    if depth > MAX_DEPTH {
        let message = format!("its condition is nested {depth} deep; at most {MAX_DEPTH} is allowed");
        place.error("/when", codes::CONDITION_TOO_DEEP, &message);
    }
    if parts > MAX_PARTS {
        let message = format!("its condition has {parts} parts; at most {MAX_PARTS} are allowed");
        place.error("/when", codes::CONDITION_TOO_LARGE, &message);
    }
    if depth > MAX_DEPTH || parts > MAX_PARTS {
        return false;
    }
    let mut email = EmailUse::default();
    check_part(condition, "/when", context, place, &mut email);
    if email.address && !email.verified {
        let message =
            "it trusts the e-mail address; add `email_verified` if anybody can claim one".to_owned();
        place.warning("/when", codes::EMAIL_NOT_VERIFIED, &message);
    }
    true
}

/// Whether a rule looks at the e-mail address, and at its being verified.
#[derive(Default)]
struct EmailUse {
    address: bool,
    verified: bool,
}

/// Depth and number of parts, with a list instead of the stack.
fn measure(condition: &Condition) -> (usize, usize) {
    let mut open = vec![(condition, 1)];
    let (mut deepest, mut parts) = (0, 0);
    while let Some((condition, depth)) = open.pop() {
        deepest = deepest.max(depth);
        parts += 1;
        match condition {
            Condition::All(inner) | Condition::Any(inner) => {
                open.extend(inner.iter().map(|inner| (inner, depth + 1)));
            }
            Condition::Not(inner) => open.push((inner, depth + 1)),
            _ => {}
        }
    }
    (deepest, parts)
}

fn check_part(
    condition: &Condition,
    pointer: &str,
    context: &ValidationContext,
    place: &mut Place<'_>,
    email: &mut EmailUse,
) {
    match condition {
        Condition::All(inner) | Condition::Any(inner) => {
            let name = if matches!(condition, Condition::All(_)) {
                "all"
            } else {
                "any"
            };
            for (index, inner) in inner.iter().enumerate() {
                check_part(inner, &format!("{pointer}/{name}/{index}"), context, place, email);
            }
        }
        Condition::Not(inner) => check_part(inner, &format!("{pointer}/not"), context, place, email),
        Condition::Attribute(attribute) => {
            email.address |= attribute.name == "email" && attribute.test != AttributeTest::Exists(false);
            email.verified |= attribute.name == "email_verified";
            check_attribute(attribute, &format!("{pointer}/attribute"), context, place);
        }
        Condition::EmailVerified(_) => email.verified = true,
        Condition::App(apps) => {
            let pointer = format!("{pointer}/app");
            check_list(apps, &pointer, place, |app, place, pointer| {
                if !app.starts_with("app_") || !is_action_name(app) {
                    place.error(pointer, codes::APP_ID_MALFORMED, "an app id begins with `app_`");
                }
            });
        }
        Condition::Action(actions) => {
            let pointer = format!("{pointer}/action");
            check_list(actions, &pointer, place, |action, place, pointer| {
                if !is_action_name(action) {
                    let message = format!(
                        "an action has 1 to {MAX_ACTION_NAME_BYTES} letters (a–z), digits, `.`, `_`, `-` and `:`"
                    );
                    place.error(pointer, codes::ACTION_MALFORMED, &message);
                }
            });
            warn_actions_off(&pointer, context, place);
        }
        Condition::ForAction(true) => warn_actions_off(&format!("{pointer}/for_action"), context, place),
        Condition::ForAction(false) => {}
    }
}

fn warn_actions_off(pointer: &str, context: &ValidationContext, place: &mut Place<'_>) {
    if !context.action_step_up {
        let message = "the app has no action step-up, so no journey is ever for an action".to_owned();
        place.warning(pointer, codes::ACTION_STEP_UP_OFF, &message);
    }
}

fn check_attribute(
    attribute: &AttributeCondition,
    pointer: &str,
    context: &ValidationContext,
    place: &mut Place<'_>,
) {
    let name = attribute.name.as_str();
    let name_pointer = format!("{pointer}/name");
    if !is_attribute_name(name) {
        let message = "an attribute is named as in Cognito, for example `email` or `custom:unit`".to_owned();
        place.error(&name_pointer, codes::ATTRIBUTE_MALFORMED, &message);
    } else if !is_known_attribute(name) {
        let message = format!("Cognito has no attribute `{name}`; custom ones begin with `custom:`");
        place.warning(&name_pointer, codes::ATTRIBUTE_UNKNOWN, &message);
    }
    if context.user_writable_attributes.contains(name) {
        let message =
            format!("users can write `{name}` themselves and so choose whether this rule holds for them");
        place.error(&name_pointer, codes::ATTRIBUTE_USER_WRITABLE, &message);
    }
    match &attribute.test {
        AttributeTest::Equals(value) => check_length(value, &format!("{pointer}/equals"), place),
        AttributeTest::In(values) => {
            check_list(
                values,
                &format!("{pointer}/in"),
                place,
                |value, place, pointer| {
                    check_length(value, pointer, place);
                },
            );
        }
        AttributeTest::Prefix(value) => {
            let pointer = format!("{pointer}/prefix");
            if value.is_empty() {
                let message = "every value begins with the empty text; use `exists`".to_owned();
                place.error(&pointer, codes::VALUE_EMPTY, &message);
            }
            check_length(value, &pointer, place);
        }
        AttributeTest::Exists(_) => {}
        AttributeTest::EmailDomain(domains) => {
            check_list(
                domains,
                &format!("{pointer}/email_domain"),
                place,
                |domain, place, pointer| {
                    if !is_domain(domain) {
                        let message = "a domain is written without `@`, for example `example.com`".to_owned();
                        place.error(pointer, codes::EMAIL_DOMAIN_MALFORMED, &message);
                    }
                },
            );
        }
    }
}

fn check_list(
    values: &[String],
    pointer: &str,
    place: &mut Place<'_>,
    mut check: impl FnMut(&str, &mut Place<'_>, &str),
) {
    if values.is_empty() {
        place.error(pointer, codes::LIST_EMPTY, "a list without values never matches");
    }
    if values.len() > MAX_LIST {
        let message = format!("{} values; at most {MAX_LIST} are allowed", values.len());
        place.error(pointer, codes::LIST_TOO_LONG, &message);
        return;
    }
    for (index, value) in values.iter().enumerate() {
        check(value, place, &format!("{pointer}/{index}"));
    }
}

fn check_length(value: &str, pointer: &str, place: &mut Place<'_>) {
    if value.len() > MAX_VALUE_BYTES {
        let message = format!("Cognito keeps at most {MAX_VALUE_BYTES} bytes of an attribute");
        place.error(pointer, codes::TEXT_TOO_LONG, &message);
    }
}

/// Letters of any script, so that internationalised domains can be written as users' addresses have them.
fn is_domain(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|label| {
            !label.is_empty()
                && label.chars().count() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        })
}
