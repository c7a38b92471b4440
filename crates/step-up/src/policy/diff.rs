//! What differs between two policies: by rule and field, for people who review a change.
//!
//! Rules are matched by their ids, so that moving a rule is not shown as rewriting everything behind it. Lists
//! are compared as a whole: the order of methods, and of the parts of a condition, has a meaning.

use super::document::{PolicyDocument, Rule};
use super::evaluate::DEFAULT_RULE;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What happened to a rule, or to one of its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is only in the newer document.
    Added,
    /// It is only in the older document.
    Removed,
    /// It has another value.
    Changed,
    /// The rule stands elsewhere among the rules that both documents have.
    Moved,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Id of the rule; [`DEFAULT_RULE`] for the default.
    pub rule: String,
    /// What happened.
    pub kind: ChangeKind,
    /// JSON pointer (RFC 6901) into the rule, or into the default; empty for the whole of it.
    pub field: String,
    /// What was there; for a moved rule its index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What is there now; for a moved rule its index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// Every difference, in the order of the newer document, rules that are gone first. Empty exactly when both
/// documents say the same.
pub fn diff(before: &PolicyDocument, after: &PolicyDocument) -> Vec<Change> {
    let mut changes = Vec::new();
    let (olds, news) = (keyed(&before.rules), keyed(&after.rules));
    let gone = olds.iter().filter(|old| find(&news, old).is_none());
    changes.extend(gone.map(|old| {
        let whole = Some(json(old.rule));
        change(old.rule, ChangeKind::Removed, String::new(), whole, None)
    }));
    let moved = moved(&olds, &news);
    for (index, new) in news.iter().enumerate() {
        let Some(old_index) = find(&olds, new) else {
            let whole = Some(json(new.rule));
            changes.push(change(new.rule, ChangeKind::Added, String::new(), None, whole));
            continue;
        };
        if moved.contains(&index) {
            let (from, to) = (Some(Value::from(old_index)), Some(Value::from(index)));
            changes.push(change(new.rule, ChangeKind::Moved, String::new(), from, to));
        }
        let (old, new_value) = (json(olds[old_index].rule), json(new.rule));
        compare(&new.rule.id, String::new(), &old, &new_value, &mut changes);
    }
    let (old, new) = (json(&before.default), json(&after.default));
    compare(DEFAULT_RULE, String::new(), &old, &new, &mut changes);
    changes
}

/// A rule and which of those with its id it is: validation refuses a second one, this function must not.
#[derive(Clone, Copy)]
struct Keyed<'a> {
    rule: &'a Rule,
    occurrence: usize,
}

fn keyed(rules: &[Rule]) -> Vec<Keyed<'_>> {
    let occurrence = |index: usize| {
        rules[..index]
            .iter()
            .filter(|earlier| earlier.id == rules[index].id)
            .count()
    };
    rules
        .iter()
        .enumerate()
        .map(|(index, rule)| Keyed {
            rule,
            occurrence: occurrence(index),
        })
        .collect()
}

fn find(rules: &[Keyed<'_>], wanted: &Keyed<'_>) -> Option<usize> {
    rules
        .iter()
        .position(|one| one.rule.id == wanted.rule.id && one.occurrence == wanted.occurrence)
}

/// Indices of the newer rules that moved: those outside of a longest run that kept its order.
fn moved(olds: &[Keyed<'_>], news: &[Keyed<'_>]) -> Vec<usize> {
    let common: Vec<(usize, usize)> = news
        .iter()
        .enumerate()
        .filter_map(|(index, new)| Some((index, find(olds, new)?)))
        .collect();
    // Longest increasing run of old places that ends at each common rule, and what comes before it there.
    let mut best: Vec<(usize, Option<usize>)> = Vec::with_capacity(common.len());
    for (at, (_, old)) in common.iter().enumerate() {
        let before = (0..at)
            .filter(|earlier| common[*earlier].1 < *old)
            .max_by_key(|earlier| best[*earlier].0);
        best.push((before.map_or(1, |earlier| best[earlier].0 + 1), before));
    }
    let mut kept = Vec::new();
    let mut next = (0..best.len()).max_by_key(|at| best[*at].0);
    while let Some(at) = next {
        kept.push(common[at].0);
        next = best[at].1;
    }
    common
        .iter()
        .map(|(index, _)| *index)
        .filter(|index| !kept.contains(index))
        .collect()
}

fn compare(rule: &str, field: String, before: &Value, after: &Value, changes: &mut Vec<Change>) {
    if before == after {
        return;
    }
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        changes.push(Change {
            rule: rule.to_owned(),
            kind: ChangeKind::Changed,
            field,
            before: Some(before.clone()),
            after: Some(after.clone()),
        });
        return;
    };
    let names = old
        .keys()
        .chain(new.keys().filter(|name| !old.contains_key(*name)));
    for name in names {
        let inner = format!("{field}/{}", name.replace('~', "~0").replace('/', "~1"));
        match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) => compare(rule, inner, old, new, changes),
            (old, new) => changes.push(Change {
                rule: rule.to_owned(),
                kind: if old.is_some() {
                    ChangeKind::Removed
                } else {
                    ChangeKind::Added
                },
                field: inner,
                before: old.cloned(),
                after: new.cloned(),
            }),
        }
    }
}

fn change(
    rule: &Rule,
    kind: ChangeKind,
    field: String,
    before: Option<Value>,
    after: Option<Value>,
) -> Change {
    Change {
        rule: rule.id.clone(),
        kind,
        field,
        before,
        after,
    }
}

/// Rules and outcomes are plain data: writing one as JSON cannot fail.
fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
