//! Stacks and change sets in our words, and how they are read from the SDK's.

use aws_sdk_cloudformation::types::StackStatus;
use std::collections::BTreeMap;

/// A stack as it should be.
#[derive(Debug, Clone, Copy)]
pub struct StackRequest<'a> {
    /// Name of the stack.
    pub name: &'a str,
    /// The template's text.
    pub template: &'a str,
    /// Every parameter.
    pub parameters: &'a BTreeMap<&'static str, String>,
    /// Tags, which CloudFormation hands on to the resources.
    pub tags: &'a [(&'static str, String)],
    /// Makes a repeat of the call harmless.
    pub token: &'a str,
}

/// A stack as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// ARN; names one life of the stack.
    pub id: String,
    /// What it is doing.
    pub status: StackState,
    /// AWS's word for the status, for people.
    pub status_text: String,
    /// Parameters in force.
    pub parameters: BTreeMap<String, String>,
    /// Outputs of the last successful change.
    pub outputs: BTreeMap<String, String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Whether it is protected against being deleted.
    pub termination_protection: bool,
    /// When it was last changed, or tried to be: told apart from any other time, and good for nothing else.
    pub last_changed: String,
}

/// What a stack is doing, as far as it makes a difference to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StackState {
    /// CloudFormation works on it.
    Busy,
    /// It is what was last asked for.
    Complete,
    /// The last change failed and was taken back: it is what it was before.
    RolledBackToPrevious,
    /// It failed to come up and can only be deleted.
    FailedCreate,
    /// A change failed and could not be taken back.
    Stuck,
    /// It has no resources yet: a change set was made for it and never run.
    InReview,
}

/// A change set as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeSet {
    /// How far CloudFormation is with it.
    pub state: ChangeSetState,
    /// AWS's reason for the state.
    pub reason: String,
    /// What it would do.
    pub changes: Vec<ResourceChange>,
}

/// How far a change set is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeSetState {
    /// Being computed.
    Pending,
    /// Can be executed.
    Ready,
    /// It would change nothing.
    Empty,
    /// It cannot be computed.
    Failed,
}

/// What a change set would do to one resource.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ResourceChange {
    /// Name in the template.
    pub logical_id: String,
    /// `AWS::…`
    pub resource_type: String,
    /// `Add`, `Modify`, `Remove`, …
    pub action: String,
    /// Whether the resource would be, or might be, made anew.
    pub replaces: bool,
}

/// A resource that a stack failed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackFailure {
    /// Name in the template.
    pub logical_id: String,
    /// `AWS::…`
    pub resource_type: String,
    /// AWS's reason.
    pub reason: String,
}

pub(super) fn to_stack(stack: &aws_sdk_cloudformation::types::Stack) -> Option<Stack> {
    let status = stack.stack_status()?;
    let state = to_state(status)?;
    let parameters = stack.parameters().iter();
    let outputs = stack.outputs().iter();
    Some(Stack {
        id: stack.stack_id()?.to_owned(),
        status: state,
        status_text: status.as_str().to_owned(),
        parameters: parameters
            .filter_map(|one| Some((one.parameter_key()?.to_owned(), one.parameter_value()?.to_owned())))
            .collect(),
        outputs: outputs
            .filter_map(|one| Some((one.output_key()?.to_owned(), one.output_value()?.to_owned())))
            .collect(),
        tags: stack
            .tags()
            .iter()
            .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())))
            .collect(),
        termination_protection: stack.enable_termination_protection().unwrap_or_default(),
        // A change that is taken back, and a deletion that fails, leave their times.
        last_changed: format!("{:?} {:?}", stack.last_updated_time(), stack.deletion_time()),
    })
}

fn to_state(status: &StackStatus) -> Option<StackState> {
    Some(match status {
        StackStatus::DeleteComplete => return None,
        StackStatus::CreateComplete | StackStatus::UpdateComplete | StackStatus::ImportComplete => {
            StackState::Complete
        }
        StackStatus::UpdateRollbackComplete | StackStatus::ImportRollbackComplete => {
            StackState::RolledBackToPrevious
        }
        StackStatus::CreateFailed
        | StackStatus::RollbackComplete
        | StackStatus::RollbackFailed
        | StackStatus::DeleteFailed => StackState::FailedCreate,
        StackStatus::UpdateFailed | StackStatus::UpdateRollbackFailed | StackStatus::ImportRollbackFailed => {
            StackState::Stuck
        }
        StackStatus::ReviewInProgress => StackState::InReview,
        _ => StackState::Busy,
    })
}

pub(super) fn to_change(change: &aws_sdk_cloudformation::types::ResourceChange) -> ResourceChange {
    ResourceChange {
        logical_id: change.logical_resource_id().unwrap_or_default().to_owned(),
        resource_type: change.resource_type().unwrap_or_default().to_owned(),
        action: change.action().map_or("", |action| action.as_str()).to_owned(),
        // "Conditional" may turn out to be a replacement.
        replaces: change
            .replacement()
            .is_some_and(|replacement| replacement.as_str() != "False"),
    }
}
