//! A policy prepared for deciding often: a list of comparisons, each of which knows where to go on when it holds and when
//! it does not. Nothing is nested and nothing is allocated, and each attribute that is named is looked up once a decision,
//! not once a condition.
//!
//! `all`, `any` and `not` are in where a comparison leads: of `all` each but the last leads on to the next when it holds,
//! and out of the rule when it does not. The meaning of a condition is `evaluate.rs`'s; a test lets both decide about the
//! same people.

use super::document::{AttributeTest, Condition, Outcome, PolicyDocument};
use super::evaluate::{DEFAULT_RULE, Decision, Subject, attribute_passes};

/// Attributes of which a decision holds the values; what a policy names beyond them is looked up where it is compared.
const SLOTS: usize = 16;

/// A policy prepared for deciding often.
#[derive(Debug, Clone, PartialEq)]
pub struct CompiledPolicy {
    /// Names of the first attributes, by slot.
    names: Vec<String>,
    /// Where a decision begins.
    entry: Next,
    /// Each leads only to places below its own, so every decision ends.
    checks: Vec<Check>,
    /// Ids and outcomes.
    rules: Vec<(String, Outcome)>,
    default: Outcome,
}

/// A comparison, and what comes after it.
#[derive(Debug, Clone, PartialEq)]
struct Check {
    of: Comparison,
    held: Next,
    failed: Next,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Next {
    /// The comparison of this place.
    Check(usize),
    /// The rule of this place decides.
    Rule(usize),
    /// The default decides.
    Default,
}

/// One comparison.
#[derive(Debug, Clone, PartialEq)]
enum Comparison {
    Slot(usize, AttributeTest),
    Named(String, AttributeTest),
    EmailVerified(bool),
    App(Box<[String]>),
    Action(Box<[String]>),
    ForAction(bool),
}

impl CompiledPolicy {
    /// Prepares a policy. It decides as [`super::evaluate`] does.
    pub fn new(policy: &PolicyDocument) -> Self {
        let mut compiled = Self {
            names: Vec::new(),
            entry: Next::Default,
            checks: Vec::new(),
            rules: policy
                .rules
                .iter()
                .map(|rule| (rule.id.clone(), rule.then.clone()))
                .collect(),
            default: policy.default.clone(),
        };
        // From the end: where a comparison leads to must be there.
        for (place, rule) in policy.rules.iter().enumerate().rev() {
            compiled.entry = compiled.compile(&rule.when, Next::Rule(place), compiled.entry);
        }
        compiled
    }

    /// The first rule whose condition holds decides; the default when none does.
    pub fn evaluate(&self, subject: &Subject<'_>) -> Decision<'_> {
        let mut values = [None; SLOTS];
        for (value, name) in values.iter_mut().zip(&self.names) {
            *value = subject.attributes.get(name).map(String::as_str);
        }
        let mut next = self.entry;
        while let Next::Check(place) = next {
            // Always there: `compile` appends a comparison before anything leads to it.
            let Some(check) = self.checks.get(place) else {
                break;
            };
            next = if check.of.holds(&values, subject) {
                check.held
            } else {
                check.failed
            };
        }
        let decided = match next {
            Next::Rule(place) => self.rules.get(place),
            Next::Check(_) | Next::Default => None,
        };
        decided.map_or(
            Decision {
                rule: DEFAULT_RULE,
                outcome: &self.default,
            },
            |(id, outcome)| Decision { rule: id, outcome },
        )
    }

    /// Appends the comparisons of a condition; returns where it begins.
    fn compile(&mut self, condition: &Condition, held: Next, failed: Next) -> Next {
        let of = match condition {
            Condition::All(all) => {
                let each = all.iter().rev();
                return each.fold(held, |next, inner| self.compile(inner, next, failed));
            }
            Condition::Any(any) => {
                let each = any.iter().rev();
                return each.fold(failed, |next, inner| self.compile(inner, held, next));
            }
            Condition::Not(inner) => return self.compile(inner, failed, held),
            Condition::Attribute(attribute) => self.attribute(&attribute.name, attribute.test.clone()),
            Condition::EmailVerified(wanted) => Comparison::EmailVerified(*wanted),
            Condition::App(apps) => Comparison::App(apps.clone().into()),
            Condition::Action(actions) => Comparison::Action(actions.clone().into()),
            Condition::ForAction(wanted) => Comparison::ForAction(*wanted),
        };
        self.checks.push(Check { of, held, failed });
        Next::Check(self.checks.len() - 1)
    }

    fn attribute(&mut self, name: &str, test: AttributeTest) -> Comparison {
        if let Some(slot) = self.names.iter().position(|known| known == name) {
            return Comparison::Slot(slot, test);
        }
        if self.names.len() == SLOTS {
            return Comparison::Named(name.to_owned(), test);
        }
        self.names.push(name.to_owned());
        Comparison::Slot(self.names.len() - 1, test)
    }
}

impl Comparison {
    fn holds(&self, values: &[Option<&str>; SLOTS], subject: &Subject<'_>) -> bool {
        match self {
            Self::Slot(slot, test) => attribute_passes(test, values.get(*slot).copied().flatten()),
            Self::Named(name, test) => {
                attribute_passes(test, subject.attributes.get(name).map(String::as_str))
            }
            Self::EmailVerified(wanted) => subject.email_verified == *wanted,
            Self::App(apps) => apps.iter().any(|app| app == subject.app_id),
            Self::Action(actions) => subject
                .action
                .is_some_and(|action| actions.iter().any(|listed| listed == action)),
            Self::ForAction(wanted) => subject.action.is_some() == *wanted,
        }
    }
}
