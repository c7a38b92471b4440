//! Rules that can never hold, and rules that never get their turn.
//!
//! Conditions are compared by what follows from their form. The comparison is sound and not complete:
//! what it reports is true, and some unreachable rules (a case split over several earlier rules, say)
//! are not seen.

use super::{Finding, Report, codes};
use crate::policy::document::{AttributeCondition, AttributeTest, Condition, PolicyDocument};
use crate::policy::evaluate::value_passes;

/// Comparisons one document may cost. Honest documents need a few thousand.
const BUDGET: usize = 2_000_000;

pub(super) fn check(policy: &PolicyDocument, report: &mut Report) {
    // Beyond the limits the document is refused already.
    let limited = |finding: &Finding| {
        [
            codes::TOO_MANY_RULES,
            codes::CONDITION_TOO_DEEP,
            codes::CONDITION_TOO_LARGE,
            codes::LIST_TOO_LONG,
        ]
        .contains(&finding.code.as_ref())
    };
    if report.errors.iter().any(limited) {
        return;
    }
    let mut prover = Prover { budget: BUDGET };
    for (index, rule) in policy.rules.iter().enumerate() {
        let mut finding = |code: &'static str, message: String| {
            report.errors.push(Finding {
                pointer: format!("/rules/{index}/when"),
                rule: Some(rule.id.clone()),
                code: code.into(),
                message,
            });
        };
        if prover.never(&rule.when) {
            finding(
                codes::RULE_NEVER_MATCHES,
                format!("rule `{}`: its condition can never hold", rule.id),
            );
            continue;
        }
        let earlier = policy
            .rules
            .iter()
            .take(index)
            .find(|earlier| prover.implies(&rule.when, &earlier.when));
        if let Some(earlier) = earlier {
            let message = format!(
                "rule `{}`: it is never reached, because rule `{}` holds whenever it does",
                rule.id, earlier.id
            );
            finding(codes::RULE_UNREACHABLE, message);
        }
    }
    if let Some(rule) = policy.rules.iter().find(|rule| prover.always(&rule.when)) {
        report.warnings.push(Finding {
            pointer: "/default".to_owned(),
            rule: Some("default".to_owned()),
            code: codes::DEFAULT_UNREACHABLE.into(),
            message: format!(
                "rule `default`: it is never reached, because rule `{}` always holds",
                rule.id
            ),
        });
    }
}

/// Whether the condition can hold in a journey for an action (or, with `false`, in a sign-in). When in
/// doubt it can.
pub(super) fn may_match(condition: &Condition, for_action: bool) -> bool {
    possible(condition, for_action, true)
}

/// Whether the condition can come out as `wanted`.
fn possible(condition: &Condition, for_action: bool, wanted: bool) -> bool {
    match (condition, wanted) {
        (Condition::All(inner), true) | (Condition::Any(inner), false) => {
            inner.iter().all(|inner| possible(inner, for_action, wanted))
        }
        (Condition::All(inner), false) | (Condition::Any(inner), true) => {
            inner.iter().any(|inner| possible(inner, for_action, wanted))
        }
        (Condition::Not(inner), _) => possible(inner, for_action, !wanted),
        (Condition::Action(_), _) => for_action || !wanted,
        (Condition::ForAction(asked), _) => (*asked == for_action) == wanted,
        (Condition::Attribute(_) | Condition::EmailVerified(_) | Condition::App(_), _) => true,
    }
}

/// Draws conclusions within a budget; without any left it concludes nothing more.
struct Prover {
    budget: usize,
}

impl Prover {
    fn spend(&mut self, comparisons: usize) -> bool {
        self.budget = self.budget.saturating_sub(comparisons);
        self.budget > 0
    }

    fn always(&mut self, condition: &Condition) -> bool {
        self.spend(1)
            && match condition {
                Condition::All(inner) => inner.iter().all(|inner| self.always(inner)),
                Condition::Any(inner) => inner.iter().any(|inner| self.always(inner)),
                Condition::Not(inner) => self.never(inner),
                _ => false,
            }
    }

    fn never(&mut self, condition: &Condition) -> bool {
        self.spend(1)
            && match condition {
                Condition::All(inner) => {
                    let parts = flattened(inner);
                    parts.iter().any(|part| self.never(part))
                        || parts.iter().enumerate().any(|(index, part)| {
                            parts
                                .iter()
                                .skip(index + 1)
                                .any(|other| self.excludes(part, other))
                        })
                }
                Condition::Any(inner) => inner.iter().all(|inner| self.never(inner)),
                Condition::Not(inner) => self.always(inner),
                _ => listed(condition).is_some_and(<[String]>::is_empty),
            }
    }

    /// Whether `b` holds wherever `a` does.
    fn implies(&mut self, a: &Condition, b: &Condition) -> bool {
        if !self.spend(cost(a).saturating_mul(cost(b))) {
            return false;
        }
        if a == b {
            return true;
        }
        // Taken apart in the order that loses nothing: first where every part must be shown.
        match (a, b) {
            (Condition::Any(parts), _) => return parts.iter().all(|part| self.implies(part, b)),
            (_, Condition::All(parts)) => return parts.iter().all(|part| self.implies(a, part)),
            _ => {}
        }
        if let Condition::All(parts) = a
            && parts.iter().any(|part| self.implies(part, b))
        {
            return true;
        }
        if let Condition::Any(parts) = b
            && parts.iter().any(|part| self.implies(a, part))
        {
            return true;
        }
        match (a, b) {
            (Condition::Not(a), Condition::Not(b)) => self.implies(b, a),
            (Condition::Not(inner), Condition::EmailVerified(wanted)) => {
                **inner == Condition::EmailVerified(!wanted)
            }
            (_, Condition::Not(inner)) => self.excludes(a, inner),
            (Condition::App(few), Condition::App(many))
            | (Condition::Action(few), Condition::Action(many)) => subset(few, many),
            (Condition::Action(_), Condition::ForAction(true)) => true,
            (Condition::Attribute(a), Condition::Attribute(b)) => a.name == b.name && test_implies(a, b),
            _ => false,
        }
    }

    /// Whether `a` and `b` can never hold together.
    fn excludes(&mut self, a: &Condition, b: &Condition) -> bool {
        if !self.spend(cost(a).saturating_mul(cost(b))) {
            return false;
        }
        match (a, b) {
            (Condition::EmailVerified(a), Condition::EmailVerified(b))
            | (Condition::ForAction(a), Condition::ForAction(b)) => a != b,
            (Condition::App(a), Condition::App(b)) | (Condition::Action(a), Condition::Action(b)) => {
                disjoint(a, b)
            }
            (Condition::Action(_), Condition::ForAction(false))
            | (Condition::ForAction(false), Condition::Action(_)) => true,
            (Condition::Attribute(a), Condition::Attribute(b)) => a.name == b.name && test_excludes(a, b),
            (Condition::Not(inner), other) | (other, Condition::Not(inner)) => self.implies(other, inner),
            _ => false,
        }
    }
}

/// The values that a condition lists.
fn listed(condition: &Condition) -> Option<&[String]> {
    match condition {
        Condition::App(list) | Condition::Action(list) => Some(list),
        Condition::Attribute(attribute) => match &attribute.test {
            AttributeTest::In(list) | AttributeTest::EmailDomain(list) => Some(list),
            _ => None,
        },
        _ => None,
    }
}

/// What comparing a condition costs: two lists are compared each with each.
fn cost(condition: &Condition) -> usize {
    listed(condition).map_or(1, <[String]>::len).max(1)
}

/// The parts of nested `all`s.
fn flattened(conditions: &[Condition]) -> Vec<&Condition> {
    let mut parts = Vec::new();
    for condition in conditions {
        match condition {
            Condition::All(inner) => parts.extend(flattened(inner)),
            other => parts.push(other),
        }
    }
    parts
}

fn test_implies(a: &AttributeCondition, b: &AttributeCondition) -> bool {
    use AttributeTest::{EmailDomain, Equals, Exists, In, Prefix};
    match (&a.test, &b.test) {
        (Exists(a), Exists(b)) => a == b,
        // Whatever compares, is there.
        (test, Exists(wanted)) => !matches!(test, Exists(_)) && *wanted,
        (Equals(value), test) => value_passes(test, value),
        (In(values), test) => values.iter().all(|value| value_passes(test, value)),
        (Prefix(long), Prefix(short)) => long.starts_with(short.as_str()),
        (EmailDomain(few), EmailDomain(many)) => few
            .iter()
            .all(|domain| many.iter().any(|other| other.eq_ignore_ascii_case(domain))),
        _ => false,
    }
}

fn test_excludes(a: &AttributeCondition, b: &AttributeCondition) -> bool {
    use AttributeTest::{EmailDomain, Equals, Exists, In, Prefix};
    match (&a.test, &b.test) {
        (Exists(a), Exists(b)) => a != b,
        (Exists(false), _) | (_, Exists(false)) => true,
        (Equals(value), test) | (test, Equals(value)) => !value_passes(test, value),
        (In(values), test) | (test, In(values)) => !values.iter().any(|value| value_passes(test, value)),
        (Prefix(a), Prefix(b)) => !a.starts_with(b.as_str()) && !b.starts_with(a.as_str()),
        (EmailDomain(a), EmailDomain(b)) => !a
            .iter()
            .any(|domain| b.iter().any(|other| other.eq_ignore_ascii_case(domain))),
        _ => false,
    }
}

fn subset(few: &[String], many: &[String]) -> bool {
    few.iter().all(|value| many.contains(value))
}

fn disjoint(a: &[String], b: &[String]) -> bool {
    !a.iter().any(|value| b.contains(value))
}
