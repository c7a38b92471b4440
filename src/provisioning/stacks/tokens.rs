//! Words that make a repeated request to CloudFormation harmless.

use super::{Stack, WantedStack, sha256_hex};

/// Names a change set and its execution. It tells what the change is for, so that a change set left by a killed worker is
/// found and used. The stack as it is goes into it: the same change asked again after others is another one, and so is
/// one that is tried again after it was taken back, when the parameters are what they were before: CloudFormation takes
/// a token once.
pub(super) fn change_token(wanted: &WantedStack<'_>, stack: &Stack) -> String {
    sha256_hex(&[
        "change",
        &wanted.name,
        &fingerprint(wanted),
        &format!("{:?}", stack.parameters),
        &stack.last_changed,
    ])
}

pub(super) fn fingerprint(wanted: &WantedStack<'_>) -> String {
    let texts: Vec<_> = wanted
        .parameters
        .iter()
        .flat_map(|(key, value)| [*key, value.as_str()])
        .collect();
    sha256_hex(&texts)
}

#[cfg(test)]
mod tests {
    use super::{super::*, *};
    use crate::provisioning::template;

    #[test]
    fn a_change_that_was_taken_back_is_asked_for_under_another_token() {
        let template = template::tenant();
        let wanted = |memory: &str| WantedStack {
            name: "stepgate-x".into(),
            template: &template,
            parameters: BTreeMap::from([("Memory", memory.to_owned())]),
            tags: Vec::new(),
            guarded: &[],
            create_only: &[],
            failed_before: 0,
        };
        let stack = |status, last_changed: &str| Stack {
            id: "arn".into(),
            status,
            status_text: String::new(),
            parameters: BTreeMap::from([("Memory".to_owned(), "512".to_owned())]),
            outputs: BTreeMap::new(),
            tags: BTreeMap::new(),
            termination_protection: true,
            last_changed: last_changed.into(),
        };
        let before = stack(StackState::Complete, "None");
        let token = change_token(&wanted("1024"), &before);
        // A killed worker's change set is found by who comes next.
        assert_eq!(token, change_token(&wanted("1024"), &before.clone()));
        assert_ne!(token, change_token(&wanted("2048"), &before));
        // Taken back: parameters, name and wish are the same.
        let after = stack(StackState::RolledBackToPrevious, "2026-01-05T10:00:00Z");
        assert_ne!(token, change_token(&wanted("1024"), &after));
    }
}
