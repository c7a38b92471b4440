//! What a change of a stack may never do.

use super::WantedStack;
use crate::{
    aws::cloudformation::{ChangeSet, ResourceChange, Stack},
    provisioning::failure::StepFailure,
};

/// Refuses a change of what AWS fixes at creation, before CloudFormation is asked.
pub(super) fn refuse_create_only(wanted: &WantedStack<'_>, stack: &Stack) -> Result<(), StepFailure> {
    let changed = wanted
        .create_only
        .iter()
        .find(|key| stack.parameters.get(**key) != wanted.parameters.get(**key));
    match changed {
        None => Ok(()),
        Some(key) => Err(StepFailure::lasting(
            "change_loses_data",
            format!(
                "The change of {key} would make {} anew: AWS fixes it at creation.",
                wanted.guarded.join(", ")
            ),
            Some("Take the change back, or make a new tenant and move its users."),
        )),
    }
}

/// Refuses a change set that would make a guarded resource anew or remove it.
pub(super) fn refuse_losses(wanted: &WantedStack<'_>, change_set: &ChangeSet) -> Result<(), StepFailure> {
    let loses = |change: &&ResourceChange| {
        wanted.guarded.contains(&change.logical_id.as_str()) && (change.replaces || change.action == "Remove")
    };
    let lost: Vec<_> = change_set
        .changes
        .iter()
        .filter(loses)
        .map(|change| change.logical_id.as_str())
        .collect();
    if lost.is_empty() {
        return Ok(());
    }
    Err(StepFailure::lasting(
        "change_loses_data",
        format!(
            "The change of {} would make {} anew or remove it.",
            wanted.name,
            lost.join(", ")
        ),
        Some("Take the change back, or make a new tenant and move its users."),
    ))
}

/// What an operator does about a stack in this state. All of them keep what the stack holds.
pub(super) fn way_out(status: &str) -> &'static str {
    match status {
        "UPDATE_FAILED" => {
            "An operator runs `aws cloudformation rollback-stack --stack-name …`; the work then goes on by itself."
        }
        "IMPORT_ROLLBACK_FAILED" => {
            "Somebody imported resources into the stack by hand. An operator takes them out again in CloudFormation; \
             the work then goes on by itself."
        }
        _ => {
            "An operator mends what it failed on and runs `aws cloudformation continue-update-rollback --stack-name …`, \
             with `--resources-to-skip` for what cannot be mended; the work then goes on by itself."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::is_as_wanted, *};
    use crate::{
        aws::cloudformation::{ChangeSetState, StackState},
        provisioning::template::{self, Template},
    };
    use std::collections::BTreeMap;

    fn wanted<'a>(template: &'a Template, sign_in_with: &str) -> WantedStack<'a> {
        WantedStack {
            name: "stepgate-x".into(),
            template,
            parameters: BTreeMap::from([("SignInWith", sign_in_with.to_owned())]),
            tags: Vec::new(),
            guarded: &["UserPool"],
            create_only: &["SignInWith"],
            failed_before: 0,
        }
    }

    fn change_set(logical_id: &str, action: &str, replaces: bool) -> ChangeSet {
        let change = ResourceChange {
            logical_id: logical_id.into(),
            resource_type: "AWS::Cognito::UserPool".into(),
            action: action.into(),
            replaces,
        };
        ChangeSet {
            state: ChangeSetState::Ready,
            reason: String::new(),
            changes: vec![change],
        }
    }

    #[test]
    fn every_stuck_state_has_a_way_out_by_its_own_call() {
        assert!(way_out("UPDATE_ROLLBACK_FAILED").contains("continue-update-rollback"));
        assert!(way_out("UPDATE_FAILED").contains("rollback-stack"));
        assert!(way_out("IMPORT_ROLLBACK_FAILED").contains("imported"));
    }

    #[test]
    fn losing_a_guarded_resource_is_refused() {
        let template = template::tenant();
        let wanted = wanted(&template, "email");
        assert!(refuse_losses(&wanted, &change_set("UserPool", "Modify", true)).is_err());
        assert!(refuse_losses(&wanted, &change_set("UserPool", "Remove", false)).is_err());
        assert!(refuse_losses(&wanted, &change_set("UserPool", "Modify", false)).is_ok());
        assert!(refuse_losses(&wanted, &change_set("VerifyFunction", "Modify", true)).is_ok());
    }

    #[test]
    fn what_aws_fixes_at_creation_is_refused_before_it_is_asked() {
        let template = template::tenant();
        let stack = Stack {
            id: "arn".into(),
            status: StackState::Complete,
            status_text: "CREATE_COMPLETE".into(),
            parameters: BTreeMap::from([("SignInWith".to_owned(), "username".to_owned())]),
            outputs: BTreeMap::new(),
            tags: BTreeMap::new(),
            termination_protection: true,
            last_changed: String::new(),
        };
        assert_eq!(
            refuse_create_only(&wanted(&template, "email"), &stack)
                .unwrap_err()
                .code,
            "change_loses_data"
        );
        assert!(refuse_create_only(&wanted(&template, "username"), &stack).is_ok());
        assert!(is_as_wanted(&stack, &wanted(&template, "username")));
        assert!(!is_as_wanted(&stack, &wanted(&template, "email")));
    }
}
