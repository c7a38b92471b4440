//! Records to DynamoDB items and back. An item that cannot be read is no record: it opens nothing.

use super::{Achievement, Evidence, Grant, Link};
use aws_sdk_dynamodb::types::AttributeValue;
use std::collections::HashMap;
use step_up::link::Field;
use step_up::record_keys as keys;

/// An item.
pub(super) type Item = HashMap<String, AttributeValue>;

/// Text.
pub(super) fn s(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A number.
pub(super) fn n(value: impl Into<i64>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

/// The key of an item.
pub(super) fn key(pk: String, sk: String) -> Item {
    HashMap::from([("pk".to_owned(), s(pk)), ("sk".to_owned(), s(sk))])
}

/// The text of an attribute.
pub(super) fn text(item: &Item, name: &str) -> Option<String> {
    item.get(name)?.as_s().ok().cloned()
}

/// The number of an attribute.
pub(super) fn number<T: std::str::FromStr>(item: &Item, name: &str) -> Option<T> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// A grant as item.
pub(super) fn of_grant(user_sub: &str, grant: &Grant) -> Item {
    let mut item = of_achievement(&grant.achievement);
    item.extend(key(keys::user(user_sub), keys::grant(&grant.achievement.journey)));
    item.insert("round".to_owned(), n(grant.round));
    item.insert(keys::EXPIRES_AT.to_owned(), n(grant.expires_at_unix_s));
    put_text(&mut item, "action", grant.action.as_ref());
    put_text(&mut item, "action_ref", grant.action_ref.as_ref());
    item
}

/// An item as grant.
pub(super) fn to_grant(item: &Item) -> Option<Grant> {
    Some(Grant {
        achievement: to_achievement(item)?,
        round: number(item, "round")?,
        action: text(item, "action"),
        action_ref: text(item, "action_ref"),
        expires_at_unix_s: number(item, keys::EXPIRES_AT)?,
        used_at_unix_ms: number(item, "used_at_unix_ms"),
    })
}

/// Evidence as item.
pub(super) fn of_evidence(user_sub: &str, evidence: &Evidence) -> Item {
    let achievement = &evidence.achievement;
    let mut item = of_achievement(achievement);
    item.extend(key(
        keys::user(user_sub),
        keys::evidence(&achievement.client_id, &achievement.journey),
    ));
    item.insert(keys::EXPIRES_AT.to_owned(), n(evidence.expires_at_unix_s));
    item
}

/// An item as evidence.
pub(super) fn to_evidence(item: &Item) -> Option<Evidence> {
    Some(Evidence {
        achievement: to_achievement(item)?,
        expires_at_unix_s: number(item, keys::EXPIRES_AT)?,
    })
}

/// The user's side of a link.
pub(super) fn of_user_link(link: &Link) -> Item {
    with_link(key(keys::user(&link.user_sub), keys::link(&link.issuer)), link)
}

/// The subject's side of a link.
pub(super) fn of_subject_link(link: &Link) -> Item {
    let key = key(
        keys::subject(&link.issuer, &link.subject),
        keys::SUBJECT_LINK.to_owned(),
    );
    with_link(key, link)
}

/// An item as link.
pub(super) fn to_link(item: &Item) -> Option<Link> {
    Link::from_fields(|name| match item.get(name)? {
        AttributeValue::S(text) => Some(Field::Text(text.clone())),
        AttributeValue::N(number) => number.parse().ok().map(Field::Number),
        _ => None,
    })
}

fn with_link(mut item: Item, link: &Link) -> Item {
    for (name, field) in link.fields() {
        let value = match field {
            Field::Text(text) => s(text),
            Field::Number(number) => n(number),
        };
        item.insert(name.to_owned(), value);
    }
    item
}

fn of_achievement(achievement: &Achievement) -> Item {
    let mut item = Item::from([
        ("journey".to_owned(), s(&achievement.journey)),
        ("client_id".to_owned(), s(&achievement.client_id)),
        ("issuer".to_owned(), s(&achievement.issuer)),
        ("community".to_owned(), s(&achievement.community)),
        (
            "amr".to_owned(),
            AttributeValue::L(achievement.amr.iter().map(s).collect()),
        ),
        (
            "phishing_resistant".to_owned(),
            AttributeValue::Bool(achievement.phishing_resistant),
        ),
        ("at_unix_s".to_owned(), n(achievement.at_unix_s)),
        ("policy_version".to_owned(), n(achievement.policy_version)),
    ]);
    put_text(&mut item, "acr", achievement.acr.as_ref());
    put_text(&mut item, "method", achievement.method.as_ref());
    for (name, level) in [("aal", achievement.aal), ("ial", achievement.ial)] {
        if let Some(level) = level {
            item.insert(name.to_owned(), n(level));
        }
    }
    item
}

fn to_achievement(item: &Item) -> Option<Achievement> {
    let amr = item.get("amr")?.as_l().ok()?;
    Some(Achievement {
        journey: text(item, "journey")?,
        client_id: text(item, "client_id")?,
        issuer: text(item, "issuer")?,
        community: text(item, "community")?,
        acr: text(item, "acr"),
        amr: amr
            .iter()
            .filter_map(|value| value.as_s().ok().cloned())
            .collect(),
        method: text(item, "method"),
        aal: number(item, "aal"),
        ial: number(item, "ial"),
        phishing_resistant: *item.get("phishing_resistant")?.as_bool().ok()?,
        at_unix_s: number(item, "at_unix_s")?,
        policy_version: number(item, "policy_version")?,
    })
}

fn put_text(item: &mut Item, name: &str, value: Option<&String>) {
    if let Some(value) = value {
        item.insert(name.to_owned(), s(value));
    }
}
