//! A policy prepared for deciding often: each attribute that it names is looked up once a decision, not once a condition,
//! and nothing is allocated.
//!
//! The meaning of a condition is `evaluate.rs`'s; a test lets both decide about the same people.

use super::document::{AttributeTest, Condition, Outcome, PolicyDocument};
use super::evaluate::{DEFAULT_RULE, Decision, Subject, attribute_passes};

/// Attributes of which a decision holds the values; what a policy names beyond them is looked up where it is compared.
const SLOTS: usize = 16;

/// A policy prepared for deciding often.
#[derive(Debug, Clone, PartialEq)]
pub struct CompiledPolicy {
    /// Names of the first attributes, by slot.
    names: Vec<String>,
    rules: Vec<CompiledRule>,
    default: Outcome,
}

#[derive(Debug, Clone, PartialEq)]
struct CompiledRule {
    id: String,
    when: Node,
    then: Outcome,
}

/// A condition whose attributes are slots.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    All(Box<[Node]>),
    Any(Box<[Node]>),
    Not(Box<Node>),
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
        let mut names = Vec::new();
        let rules = policy.rules.iter().map(|rule| CompiledRule {
            id: rule.id.clone(),
            when: compile(&rule.when, &mut names),
            then: rule.then.clone(),
        });
        let rules = rules.collect();
        Self {
            names,
            rules,
            default: policy.default.clone(),
        }
    }

    /// The first rule whose condition holds decides; the default when none does.
    pub fn evaluate(&self, subject: &Subject<'_>) -> Decision<'_> {
        let mut values = [None; SLOTS];
        for (value, name) in values.iter_mut().zip(&self.names) {
            *value = subject.attributes.get(name).map(String::as_str);
        }
        self.rules
            .iter()
            .find(|rule| holds(&rule.when, &values, subject))
            .map_or(
                Decision {
                    rule: DEFAULT_RULE,
                    outcome: &self.default,
                },
                |rule| Decision {
                    rule: &rule.id,
                    outcome: &rule.then,
                },
            )
    }
}

fn compile(condition: &Condition, names: &mut Vec<String>) -> Node {
    let mut each = |conditions: &[Condition]| conditions.iter().map(|inner| compile(inner, names)).collect();
    match condition {
        Condition::All(all) => Node::All(each(all)),
        Condition::Any(any) => Node::Any(each(any)),
        Condition::Not(inner) => Node::Not(Box::new(compile(inner, names))),
        Condition::Attribute(attribute) => {
            let test = attribute.test.clone();
            let known = names.iter().position(|name| *name == attribute.name);
            match known {
                Some(slot) => Node::Slot(slot, test),
                None if names.len() < SLOTS => {
                    names.push(attribute.name.clone());
                    Node::Slot(names.len() - 1, test)
                }
                None => Node::Named(attribute.name.clone(), test),
            }
        }
        Condition::EmailVerified(wanted) => Node::EmailVerified(*wanted),
        Condition::App(apps) => Node::App(apps.clone().into()),
        Condition::Action(actions) => Node::Action(actions.clone().into()),
        Condition::ForAction(wanted) => Node::ForAction(*wanted),
    }
}

fn holds(node: &Node, values: &[Option<&str>; SLOTS], subject: &Subject<'_>) -> bool {
    match node {
        Node::All(all) => all.iter().all(|inner| holds(inner, values, subject)),
        Node::Any(any) => any.iter().any(|inner| holds(inner, values, subject)),
        Node::Not(inner) => !holds(inner, values, subject),
        Node::Slot(slot, test) => attribute_passes(test, values.get(*slot).copied().flatten()),
        Node::Named(name, test) => attribute_passes(test, subject.attributes.get(name).map(String::as_str)),
        Node::EmailVerified(wanted) => subject.email_verified == *wanted,
        Node::App(apps) => apps.iter().any(|app| app == subject.app_id),
        Node::Action(actions) => subject
            .action
            .is_some_and(|action| actions.iter().any(|listed| listed == action)),
        Node::ForAction(wanted) => subject.action.is_some() == *wanted,
    }
}
