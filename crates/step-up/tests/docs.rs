//! `docs/policy.md` shows policies that work and lists every code of a finding.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use step_up::assurance::{Method, catalogue, catalogue_with};
use step_up::policy::{PolicyDocument, Report, ValidationContext, codes, parse_str, validate};
use step_up::settings::ObservedMethod;

const UPDATE: &str = "STEPGATE_UPDATE_DOCS=1 cargo test -p step-up --test docs";

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/policy.md")
}

/// The ```json blocks of the document, each with the line it begins at.
fn json_blocks(text: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, line) in text.lines().enumerate() {
        match &mut open {
            None if line.trim() == "```json" => open = Some((index + 2, String::new())),
            None => {}
            Some(_) if line.trim() == "```" => blocks.extend(open.take()),
            Some((_, block)) => {
                block.push_str(line);
                block.push('\n');
            }
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// A tenant whose pilot step-ups are recorded, with an app that has action step-up.
fn learned() -> ValidationContext {
    let fido2 = Method {
        acr: "fido2".to_owned(),
        label: "Passkey".to_owned(),
        max_aal: 3,
        phishing_resistant: true,
        restricted: false,
        not_out_of_band: false,
        proves_ial: None,
    };
    let recorded = |method: &Method| ObservedMethod {
        acr: Some(method.acr.clone()),
        amr: vec![format!("amr of {}", method.acr)],
        auth_time: true,
        recorded_at_unix_s: 1_800_000_000,
        ..ObservedMethod::default()
    };
    let methods = catalogue_with(&[fido2]);
    ValidationContext {
        observed: methods.iter().map(|m| (m.acr.clone(), recorded(m))).collect(),
        catalogue: methods,
        user_writable_attributes: ["family_name", "given_name", "locale", "name", "zoneinfo"]
            .map(str::to_owned)
            .into(),
        action_step_up: true,
        frame_ancestors_limited: true,
        ..ValidationContext::unlearned()
    }
}

#[test]
fn every_policy_shown_is_accepted() {
    let text = std::fs::read_to_string(path()).unwrap();
    let mut policies = 0;
    for (line, block) in json_blocks(&text) {
        let policy = parse_str(&block).unwrap_or_else(|error| panic!("docs/policy.md:{line}: {error}"));
        let report = validate(&policy, &learned());
        assert!(
            report.is_ok(),
            "docs/policy.md:{line} is refused: {:#?}",
            report.errors
        );
        policies += 1;
    }
    assert!(
        policies >= 5,
        "only {policies} policies found: has the form of the blocks changed?"
    );
}

#[test]
fn the_first_policy_shown_for_an_unlearned_tenant_is_the_initial_one() {
    let text = std::fs::read_to_string(path()).unwrap();
    let unlearned = ValidationContext::unlearned();
    let shown: Vec<PolicyDocument> = json_blocks(&text)
        .iter()
        .filter_map(|(_, block)| parse_str(block).ok())
        .filter(|policy| validate(policy, &unlearned).is_ok())
        .collect();
    assert_eq!(shown, [PolicyDocument::initial()]);
}

#[test]
fn every_shipped_method_is_listed() {
    let text = std::fs::read_to_string(path()).unwrap();
    for method in catalogue() {
        let row = text
            .lines()
            .find(|line| line.starts_with(&format!("| `{}` |", method.acr)))
            .unwrap_or_else(|| panic!("docs/policy.md does not list the method `{}`", method.acr));
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let resistant = if method.phishing_resistant { "yes" } else { "no" };
        assert_eq!(
            (cells[2], cells[3]),
            (method.max_aal.to_string().as_str(), resistant),
            "{row}"
        );
        assert_eq!(row.contains("restricted"), method.restricted, "{row}");
    }
}

#[test]
fn every_finding_code_is_listed() {
    const HEADER: &str = "| code | meaning |\n| --- | --- |\n";
    let text = std::fs::read_to_string(path()).unwrap();
    let (above, _) = text
        .split_once(HEADER)
        .expect("docs/policy.md has no table of codes");
    let mut expected = format!("{above}{HEADER}");
    for (code, meaning) in codes::ALL {
        let meaning = meaning.trim().replace("Warning:", "*Warning:*");
        writeln!(expected, "| `{code}` | {meaning} |").unwrap();
    }
    if std::env::var_os("STEPGATE_UPDATE_DOCS").is_some() {
        std::fs::write(path(), &expected).unwrap();
    } else {
        assert!(
            text == expected,
            "docs/policy.md is out of date; mend it with: {UPDATE}"
        );
    }
}

/// The examples would prove nothing if the context accepted everything.
#[test]
fn the_context_of_the_examples_still_refuses() {
    let refused = |text: &str| -> Report { validate(&parse_str(text).unwrap(), &learned()) };
    let by_code = |report: Report| -> BTreeMap<String, usize> {
        report.errors.iter().fold(BTreeMap::new(), |mut codes, finding| {
            *codes.entry(finding.code.to_string()).or_default() += 1;
            codes
        })
    };
    let weak = r#"{"schema_version":1,"default":{"step_up":"required","methods":["otp email"],"min_aal":2}}"#;
    assert!(by_code(refused(weak)).contains_key("aal_unreachable"));
    let unknown = r#"{"schema_version":1,"default":{"step_up":"required","methods":["telepathy"]}}"#;
    assert!(by_code(refused(unknown)).contains_key("method_unknown"));
}
