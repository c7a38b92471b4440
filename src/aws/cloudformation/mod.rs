//! CloudFormation: the stacks of cells and tenants.
//!
//! A stack is created once and changed only through change sets, so that what would be replaced is seen before
//! it happens. Nothing here waits: callers poll [`CloudFormation::describe`].

mod stack;

pub use stack::{ChangeSet, ChangeSetState, ResourceChange, Stack, StackFailure, StackRequest, StackState};

use super::{Answered, AwsError, AwsErrorKind, calls::observed};
use aws_config::SdkConfig;
use aws_sdk_cloudformation::{
    Client,
    operation::RequestId as _,
    types::{Capability, ChangeSetStatus, Parameter, Tag, TemplateStage},
};
use stack::{to_change, to_stack};
use std::collections::BTreeMap;

/// CloudFormation of one region.
#[derive(Debug, Clone)]
pub struct CloudFormation {
    client: Client,
}

impl CloudFormation {
    /// A client for the region of `config`.
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            client: observed!(aws_sdk_cloudformation, config),
        }
    }

    /// The stack of that name or ARN; `None` when there is none. By name a deleted stack is none.
    pub async fn describe(&self, name_or_arn: &str) -> Result<Option<Stack>, AwsError> {
        let described = self.client.describe_stacks().stack_name(name_or_arn).send().await;
        let described = match described {
            Ok(output) => output,
            Err(error) => {
                let error = AwsError::from_sdk("cloudformation:DescribeStacks", &error);
                return if error.is_not_found() {
                    Ok(None)
                } else {
                    Err(error)
                };
            }
        };
        Ok(described.stacks().first().and_then(to_stack))
    }

    /// Every stack of the region that is not deleted.
    pub async fn list(&self) -> Result<Vec<Stack>, AwsError> {
        let mut stacks = Vec::new();
        let mut listed = self.client.describe_stacks().into_paginator().items().send();
        while let Some(stack) = listed.next().await {
            let stack = stack.map_err(|error| AwsError::from_sdk("cloudformation:DescribeStacks", &error))?;
            stacks.extend(to_stack(&stack));
        }
        Ok(stacks)
    }

    /// Starts to create a stack and returns its ARN. Deleting it takes two calls
    /// ([`Self::lift_termination_protection`] first).
    pub async fn create(&self, request: StackRequest<'_>) -> Result<Answered<String>, AwsError> {
        const OPERATION: &str = "cloudformation:CreateStack";
        let created = self
            .client
            .create_stack()
            .stack_name(request.name)
            .template_body(request.template)
            .set_parameters(Some(parameters(request.parameters)))
            .set_tags(Some(tags(request.tags)))
            .capabilities(Capability::CapabilityNamedIam)
            .enable_termination_protection(true)
            .client_request_token(request.token)
            .send()
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, &error))?;
        let id = created
            .stack_id()
            .ok_or_else(|| AwsError::incomplete(OPERATION, "a stack id"))?;
        Ok(Answered::new(id.to_owned(), created.request_id()))
    }

    /// Asks for a change set of an existing stack. One of that name that is there already counts as asked for.
    pub async fn create_change_set(&self, name: &str, request: StackRequest<'_>) -> Result<(), AwsError> {
        let created = self
            .client
            .create_change_set()
            .stack_name(request.name)
            .change_set_name(name)
            .template_body(request.template)
            .set_parameters(Some(parameters(request.parameters)))
            .set_tags(Some(tags(request.tags)))
            .capabilities(Capability::CapabilityNamedIam)
            .client_token(request.token)
            .send()
            .await;
        match created {
            Ok(_) => Ok(()),
            Err(error) => {
                let error = AwsError::from_sdk("cloudformation:CreateChangeSet", &error);
                if error.kind() == AwsErrorKind::AlreadyExists {
                    Ok(())
                } else {
                    Err(error)
                }
            }
        }
    }

    /// What a change set would do.
    pub async fn change_set(&self, stack: &str, name: &str) -> Result<ChangeSet, AwsError> {
        let described = self
            .client
            .describe_change_set()
            .stack_name(stack)
            .change_set_name(name)
            .send()
            .await;
        let described =
            described.map_err(|error| AwsError::from_sdk("cloudformation:DescribeChangeSet", &error))?;
        let reason = described.status_reason().unwrap_or_default().to_owned();
        let state = match described.status() {
            Some(ChangeSetStatus::CreateComplete) => ChangeSetState::Ready,
            Some(ChangeSetStatus::Failed) if says_nothing_changes(&reason) => ChangeSetState::Empty,
            Some(ChangeSetStatus::Failed) => ChangeSetState::Failed,
            _ => ChangeSetState::Pending,
        };
        let changes = described
            .changes()
            .iter()
            .filter_map(|change| change.resource_change())
            .map(to_change)
            .collect();
        Ok(ChangeSet {
            state,
            reason,
            changes,
        })
    }

    /// Starts to run a change set.
    pub async fn execute_change_set(
        &self,
        stack: &str,
        name: &str,
        token: &str,
    ) -> Result<Answered<()>, AwsError> {
        let executed = self
            .client
            .execute_change_set()
            .stack_name(stack)
            .change_set_name(name)
            .client_request_token(token)
            .send()
            .await
            .map_err(|error| AwsError::from_sdk("cloudformation:ExecuteChangeSet", &error))?;
        Ok(Answered::new((), executed.request_id()))
    }

    /// Forgets a change set; one that is not there counts as forgotten.
    pub async fn delete_change_set(&self, stack: &str, name: &str) -> Result<(), AwsError> {
        let deleted = self
            .client
            .delete_change_set()
            .stack_name(stack)
            .change_set_name(name)
            .send()
            .await;
        unless_missing(
            deleted
                .map(drop)
                .map_err(|error| AwsError::from_sdk("cloudformation:DeleteChangeSet", &error)),
        )
    }

    /// Allows the stack to be deleted.
    pub async fn lift_termination_protection(&self, stack: &str) -> Result<(), AwsError> {
        self.set_termination_protection(stack, false).await
    }

    /// Protects the stack against being deleted, or lifts that.
    pub async fn set_termination_protection(&self, stack: &str, protects: bool) -> Result<(), AwsError> {
        let set = self
            .client
            .update_termination_protection()
            .stack_name(stack)
            .enable_termination_protection(protects)
            .send()
            .await;
        set.map(drop)
            .map_err(|error| AwsError::from_sdk("cloudformation:UpdateTerminationProtection", &error))
    }

    /// Starts to delete a stack; one that is not there counts as deleted.
    pub async fn delete(&self, stack: &str, token: &str) -> Result<(), AwsError> {
        let deleted = self
            .client
            .delete_stack()
            .stack_name(stack)
            .client_request_token(token)
            .send()
            .await;
        unless_missing(
            deleted
                .map(drop)
                .map_err(|error| AwsError::from_sdk("cloudformation:DeleteStack", &error)),
        )
    }

    /// The resources that the stack's latest operation failed on, the first failure first. When it failed before it
    /// came to any resource, the stack itself.
    pub async fn failures(&self, stack: &str) -> Result<Vec<StackFailure>, AwsError> {
        let events = self.client.describe_stack_events().stack_name(stack).send().await;
        let events =
            events.map_err(|error| AwsError::from_sdk("cloudformation:DescribeStackEvents", &error))?;
        let mut failures = Vec::new();
        let mut stack_failure = None;
        // Newest first; the start of the latest operation is the stack's own "user initiated" event.
        for event in events.stack_events() {
            let status = event.resource_status().map_or("", |status| status.as_str());
            let reason = event.resource_status_reason().unwrap_or_default();
            let is_stack = event.physical_resource_id() == event.stack_id();
            if is_stack && matches!(status, "CREATE_IN_PROGRESS" | "UPDATE_IN_PROGRESS") {
                break;
            }
            let failure = || StackFailure {
                logical_id: event.logical_resource_id().unwrap_or_default().to_owned(),
                resource_type: event.resource_type().unwrap_or_default().to_owned(),
                reason: reason.to_owned(),
            };
            if is_stack {
                let tells =
                    !reason.is_empty() && (status.ends_with("_FAILED") || status.contains("ROLLBACK"));
                stack_failure = tells.then(failure).or(stack_failure);
            } else if status.ends_with("_FAILED") && !reason.contains("cancelled") {
                // "Cancelled" follows from a failure elsewhere.
                failures.push(failure());
            }
        }
        if failures.is_empty() {
            failures.extend(stack_failure);
        }
        failures.reverse();
        Ok(failures)
    }

    /// The template that a stack runs, as it was sent.
    pub async fn template(&self, stack: &str) -> Result<String, AwsError> {
        const OPERATION: &str = "cloudformation:GetTemplate";
        let found = self
            .client
            .get_template()
            .stack_name(stack)
            .template_stage(TemplateStage::Original)
            .send()
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, &error))?;
        found
            .template_body
            .ok_or_else(|| AwsError::incomplete(OPERATION, "a template"))
    }

    /// What a stack is made of: logical id to physical id, without what is gone already.
    pub async fn resources(&self, stack: &str) -> Result<BTreeMap<String, String>, AwsError> {
        let listed = self
            .client
            .describe_stack_resources()
            .stack_name(stack)
            .send()
            .await;
        let listed =
            listed.map_err(|error| AwsError::from_sdk("cloudformation:DescribeStackResources", &error))?;
        let there = listed.stack_resources().iter().filter(|resource| {
            resource
                .resource_status()
                .is_none_or(|status| status.as_str() != "DELETE_COMPLETE")
        });
        Ok(there
            .filter_map(|resource| {
                Some((
                    resource.logical_resource_id()?.to_owned(),
                    resource.physical_resource_id()?.to_owned(),
                ))
            })
            .collect())
    }
}

fn unless_missing(result: Result<(), AwsError>) -> Result<(), AwsError> {
    result.or_else(|error| if error.is_not_found() { Ok(()) } else { Err(error) })
}

/// CloudFormation has no status of its own for a change set without changes.
fn says_nothing_changes(reason: &str) -> bool {
    reason.contains("didn't contain changes") || reason.contains("No updates are to be performed")
}

fn parameters(values: &BTreeMap<&'static str, String>) -> Vec<Parameter> {
    values
        .iter()
        .map(|(key, value)| {
            Parameter::builder()
                .parameter_key(*key)
                .parameter_value(value)
                .build()
        })
        .collect()
}

fn tags(values: &[(&'static str, String)]) -> Vec<Tag> {
    values
        .iter()
        .map(|(key, value)| Tag::builder().key(*key).value(value).build())
        .collect()
}
