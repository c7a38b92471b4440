//! Decides over and over on a document of 50 rules and prints how many decisions a second one core makes, as the JSON that
//! `cargo xtask bench policy` reads. A person has seven attributes, as Cognito hands them over; every rule and the default
//! decide equally often. `unmatched` is the worst that can be: no rule holds, and every one is looked at.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a program of the benchmark: it prints, reads the clock, and may end at once"
)]

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};
use step_up::policy::{self, CompiledPolicy, Outcome, Subject};

/// Rules of the document.
const RULES: usize = 50;
/// Every how many decisions the clock is read.
const STRIDE: usize = 51 * 20;

/// Conditions of every kind, as policies in the documentation have them.
fn condition(rule: usize) -> Value {
    let unit = format!("unit-{rule}");
    match rule % 5 {
        0 => json!({"attribute": {"name": "custom:unit", "equals": unit}}),
        1 => {
            json!({"attribute": {"name": "custom:unit", "in": [unit, format!("{unit}-old"), format!("{unit}-new")]}})
        }
        2 => json!({"all": [
            {"attribute": {"name": "email", "email_domain": [format!("d{rule}.example")]}},
            {"email_verified": true},
        ]}),
        3 => json!({"any": [
            {"attribute": {"name": "custom:cost_centre", "prefix": format!("cc-{rule}-")}},
            {"attribute": {"name": "custom:unit", "equals": unit}},
        ]}),
        _ => json!({"all": [
            {"not": {"for_action": true}},
            {"attribute": {"name": "custom:role", "equals": format!("role-{rule}")}},
        ]}),
    }
}

fn document() -> CompiledPolicy {
    let required = json!({"step_up": "required", "methods": ["liveID push", "otp"], "min_aal": 2});
    let rules: Vec<Value> = (0..RULES)
        .map(|rule| json!({"id": format!("rule-{rule}"), "when": condition(rule), "then": required}))
        .collect();
    let document = policy::parse(&json!({"schema_version": 1, "rules": rules, "default": required}))
        .expect("a sound document");
    CompiledPolicy::new(&document)
}

/// A person for whom this rule decides; `RULES` for the default.
fn person(rule: usize) -> BTreeMap<String, String> {
    let domain = if rule % 5 == 2 {
        format!("d{rule}.example")
    } else {
        "elsewhere.example".to_owned()
    };
    let centre = if rule % 5 == 3 {
        format!("cc-{rule}-7")
    } else {
        "cc-none".to_owned()
    };
    let duty = if rule % 5 == 4 {
        format!("role-{rule}")
    } else {
        "role-none".to_owned()
    };
    let unit = if rule % 5 < 2 {
        format!("unit-{rule}")
    } else {
        "unit-none".to_owned()
    };
    [
        ("sub", "f3b5a1c2-7d4e-4f60-9a1b-2c3d4e5f6071".to_owned()),
        ("cognito:user_status", "CONFIRMED".to_owned()),
        ("email_verified", "true".to_owned()),
        ("email", format!("ada@{domain}")),
        ("custom:unit", unit),
        ("custom:cost_centre", centre),
        ("custom:role", duty),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// Decisions a second over these people, one sample.
fn sample(document: &CompiledPolicy, people: &[BTreeMap<String, String>], lasting: Duration) -> f64 {
    let (mut made, mut required) = (0_u32, 0_u32);
    let (begun, before_s) = (Instant::now(), processor_time_s());
    while begun.elapsed() < lasting {
        for person in people.iter().cycle().take(STRIDE) {
            let decision = document.evaluate(&Subject::of_user(black_box(person), "app_1", None));
            required += u32::from(matches!(decision.outcome, Outcome::Required(_)));
        }
        made += u32::try_from(STRIDE).unwrap_or(0);
    }
    let wall_s = begun.elapsed().as_secs_f64();
    assert_eq!(black_box(required), made, "every rule asks for a step-up");
    let used_s = processor_time_s()
        .zip(before_s)
        .map(|(after, before)| after - before);
    f64::from(made) / used_s.unwrap_or(wall_s)
}

/// Time this process had a processor for, s: what others run meanwhile is not ours. `None` where the kernel does not tell
/// (`/proc/self/schedstat`, Linux only); then the clock on the wall counts.
fn processor_time_s() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    let ns: f64 = text.split(' ').next()?.parse().ok()?;
    Some(ns / 1e9)
}

fn main() {
    let argument = |at: usize, otherwise: u64| {
        std::env::args()
            .nth(at)
            .and_then(|text| text.parse().ok())
            .unwrap_or(otherwise)
    };
    let (samples, lasting) = (argument(1, 21), Duration::from_millis(argument(2, 200)));
    let document = document();
    let people: Vec<_> = (0..=RULES).map(person).collect();
    for (rule, person) in people.iter().enumerate() {
        let decided = document.evaluate(&Subject::of_user(person, "app_1", None)).rule;
        let expected = if rule == RULES {
            policy::DEFAULT_RULE.to_owned()
        } else {
            format!("rule-{rule}")
        };
        assert_eq!(decided, expected);
    }
    let (mut all, mut unmatched) = (Vec::new(), Vec::new());
    for _ in 0..samples {
        all.push(sample(&document, &people, lasting));
        unmatched.push(sample(&document, &people[RULES..], lasting));
    }
    println!("{}", json!({"series": {"all": all, "unmatched": unmatched}}));
}
