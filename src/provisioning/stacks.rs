//! Creating and changing a stack so that nothing of value is lost: used for tenants and for cells.
//!
//! [`ensure`] may be killed anywhere and called again: it looks at the stack first and goes on from there.

use super::{
    failure::{StepError, StepFailure},
    template::{Template, sha256_hex},
};
use crate::{
    aws::cloudformation::{
        ChangeSet, ChangeSetState, CloudFormation, ResourceChange, Stack, StackRequest, StackState,
    },
    ids::IdSource,
};
use std::{collections::BTreeMap, future::Future, time::Duration};

/// A stack as it should be.
#[derive(Debug)]
pub struct WantedStack<'a> {
    /// Name of the stack.
    pub name: String,
    /// Its template.
    pub template: &'a Template,
    /// Every parameter, with the template's digest among them.
    pub parameters: BTreeMap<&'static str, String>,
    /// Tags, which CloudFormation hands on to the resources.
    pub tags: Vec<(&'static str, String)>,
    /// Resources (names in the template) that must never be made anew or removed.
    pub guarded: &'static [&'static str],
    /// Parameters behind properties that AWS fixes at creation. CloudFormation's own word on what a change
    /// replaces is not enough.
    pub create_only: &'static [&'static str],
    /// Stacks of this name that failed to come up before; part of the token of the creation.
    pub failed_before: u32,
}

/// Looks on while CloudFormation works.
pub trait Watcher: Send {
    /// Something worth telling; returns an error to stop waiting.
    fn note(&mut self, text: String) -> impl Future<Output = Result<(), StepError>> + Send;

    /// Asked before each poll; an error ends the wait.
    fn check(&self) -> Result<(), StepError> {
        Ok(())
    }
}

/// How [`ensure`] left a stack.
#[derive(Debug)]
pub struct Ensured {
    /// The stack.
    pub stack: Stack,
    /// What was done.
    pub done: &'static str,
    /// AWS's request id of the call that did it.
    pub request_id: Option<String>,
}

/// Why [`ensure`] did not get there.
#[derive(Debug)]
pub enum EnsureError {
    /// The stack never came up. It is still there and has to be cleaned away.
    FailedCreate(StepFailure),
    /// Anything else.
    Step(StepError),
}

impl<E: Into<StepError>> From<E> for EnsureError {
    fn from(error: E) -> Self {
        Self::Step(error.into())
    }
}

/// Works on stacks of one region.
#[derive(Debug)]
pub struct Stacks<'a> {
    /// CloudFormation of the region.
    pub client: CloudFormation,
    /// For jitter between polls.
    pub ids: &'a IdSource,
}

impl Stacks<'_> {
    /// Brings the stack to what is wanted and waits for it.
    pub async fn ensure(
        &self,
        wanted: &WantedStack<'_>,
        watcher: &mut impl Watcher,
    ) -> Result<Ensured, EnsureError> {
        let Some(stack) = self.settled(&wanted.name, watcher).await? else {
            return self.create(wanted, watcher).await;
        };
        match stack.status {
            StackState::FailedCreate | StackState::InReview => {
                Err(EnsureError::FailedCreate(self.root_cause(&wanted.name).await?))
            }
            StackState::Stuck => Err(StepFailure::lasting(
                "stack_stuck",
                format!("Stack {} is in state {}.", wanted.name, stack.status_text),
                Some(
                    "An operator continues the rollback in CloudFormation; the work then goes on by itself.",
                ),
            )
            .into()),
            _ if is_as_wanted(&stack, wanted) => Ok(Ensured {
                stack,
                done: "is as wanted",
                request_id: None,
            }),
            _ => self.change(wanted, &stack, watcher).await,
        }
    }

    async fn create(
        &self,
        wanted: &WantedStack<'_>,
        watcher: &mut impl Watcher,
    ) -> Result<Ensured, EnsureError> {
        let life = wanted.failed_before.to_string();
        let token = sha256_hex(&["create", &wanted.name, &life, &fingerprint(wanted)]);
        let created = self.client.create(request(wanted, &token)).await?;
        watcher
            .note(format!("stack {} is being created", wanted.name))
            .await?;
        // By ARN: should it fail and be deleted by somebody, it is not taken for another of the same name.
        let stack = self.settled(&created.value, watcher).await?;
        match stack {
            Some(stack) if stack.status == StackState::Complete => Ok(Ensured {
                stack,
                done: "created",
                request_id: created.request_id,
            }),
            _ => Err(EnsureError::FailedCreate(self.root_cause(&created.value).await?)),
        }
    }

    async fn change(
        &self,
        wanted: &WantedStack<'_>,
        stack: &Stack,
        watcher: &mut impl Watcher,
    ) -> Result<Ensured, EnsureError> {
        refuse_create_only(wanted, stack)?;
        // The name tells what the change set is for, so that one left by a killed worker is found and used. The
        // stack's own fingerprint is in it: the same change asked again after others is another change set.
        let token = sha256_hex(&[
            "change",
            &wanted.name,
            &fingerprint(wanted),
            &format!("{:?}", stack.parameters),
        ]);
        let name = format!("stepgate-{}", &token[..32]);
        self.client
            .create_change_set(&name, request(wanted, &token))
            .await?;
        let change_set = self.computed(&stack.id, &name, watcher).await?;
        match change_set.state {
            ChangeSetState::Empty => {
                self.client.delete_change_set(&stack.id, &name).await?;
                Ok(Ensured {
                    stack: stack.clone(),
                    done: "is as wanted",
                    request_id: None,
                })
            }
            ChangeSetState::Ready => {
                if let Err(refusal) = refuse_losses(wanted, &change_set) {
                    self.client.delete_change_set(&stack.id, &name).await?;
                    return Err(refusal.into());
                }
                self.execute(wanted, &stack.id, &name, &token, watcher).await
            }
            ChangeSetState::Failed | ChangeSetState::Pending => {
                self.client.delete_change_set(&stack.id, &name).await?;
                let message = format!(
                    "CloudFormation cannot compute the change of {}: {}",
                    wanted.name, change_set.reason
                );
                Err(StepFailure::lasting("change_refused", message, None).into())
            }
        }
    }

    async fn execute(
        &self,
        wanted: &WantedStack<'_>,
        stack_id: &str,
        change_set: &str,
        token: &str,
        watcher: &mut impl Watcher,
    ) -> Result<Ensured, EnsureError> {
        let executed = self
            .client
            .execute_change_set(stack_id, change_set, token)
            .await?;
        watcher
            .note(format!("stack {} is being changed", wanted.name))
            .await?;
        match self.settled(stack_id, watcher).await? {
            Some(stack) if stack.status == StackState::Complete && is_as_wanted(&stack, wanted) => {
                Ok(Ensured {
                    stack,
                    done: "changed",
                    request_id: executed.request_id,
                })
            }
            _ => {
                // The name must be free for the next try of the same change.
                self.client.delete_change_set(stack_id, change_set).await?;
                Err(self.root_cause(stack_id).await?.into())
            }
        }
    }

    /// The stack once CloudFormation does not work on it.
    async fn settled(
        &self,
        name_or_arn: &str,
        watcher: &mut impl Watcher,
    ) -> Result<Option<Stack>, StepError> {
        let mut pause = Pause::new(self.ids);
        let mut told = String::new();
        loop {
            match self.client.describe(name_or_arn).await? {
                Some(stack) if stack.status == StackState::Busy => {
                    if stack.status_text != told {
                        watcher.note(format!("stack is {}", stack.status_text)).await?;
                        told = stack.status_text;
                    }
                }
                settled => return Ok(settled),
            }
            watcher.check()?;
            pause.wait().await;
        }
    }

    async fn computed(
        &self,
        stack: &str,
        name: &str,
        watcher: &mut impl Watcher,
    ) -> Result<ChangeSet, StepError> {
        let mut pause = Pause::new(self.ids);
        watcher.note("the change is being computed".to_owned()).await?;
        loop {
            let change_set = self.client.change_set(stack, name).await?;
            if change_set.state != ChangeSetState::Pending {
                return Ok(change_set);
            }
            watcher.check()?;
            pause.wait().await;
        }
    }

    async fn root_cause(&self, stack: &str) -> Result<StepFailure, StepError> {
        let failures = self.client.failures(stack).await?;
        let name = stack.split('/').nth(1).unwrap_or(stack);
        Ok(StepFailure::from_stack(name, &failures))
    }

    /// Deletes a stack that never came up, and waits until it is gone. Its resources must be deletable.
    pub async fn clean_away(&self, name: &str, watcher: &mut impl Watcher) -> Result<(), StepError> {
        let Some(stack) = self.settled(name, watcher).await? else {
            return Ok(());
        };
        self.client.lift_termination_protection(&stack.id).await?;
        self.client
            .delete(&stack.id, &sha256_hex(&["delete", &stack.id]))
            .await?;
        match self.settled(&stack.id, watcher).await? {
            None => Ok(()),
            Some(left) => Err(StepFailure::lasting(
                "stack_stuck",
                format!(
                    "Stack {name} could not be cleaned away: it is in state {}.",
                    left.status_text
                ),
                Some("An operator deletes the stack in CloudFormation; the work then goes on by itself."),
            )
            .into()),
        }
    }
}

fn request<'a>(wanted: &'a WantedStack<'_>, token: &'a str) -> StackRequest<'a> {
    StackRequest {
        name: &wanted.name,
        template: wanted.template.body,
        parameters: &wanted.parameters,
        tags: &wanted.tags,
        token,
    }
}

/// The template's digest is a parameter, so that parameters say everything.
fn is_as_wanted(stack: &Stack, wanted: &WantedStack<'_>) -> bool {
    wanted
        .parameters
        .iter()
        .all(|(key, value)| stack.parameters.get(*key) == Some(value))
}

fn fingerprint(wanted: &WantedStack<'_>) -> String {
    let texts: Vec<_> = wanted
        .parameters
        .iter()
        .flat_map(|(key, value)| [*key, value.as_str()])
        .collect();
    sha256_hex(&texts)
}

fn refuse_create_only(wanted: &WantedStack<'_>, stack: &Stack) -> Result<(), StepFailure> {
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

fn refuse_losses(wanted: &WantedStack<'_>, change_set: &ChangeSet) -> Result<(), StepFailure> {
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

/// Growing pauses between polls, with jitter, so that many waiting passes do not ask in step.
struct Pause<'a> {
    ids: &'a IdSource,
    next_ms: u64,
}

impl<'a> Pause<'a> {
    const LONGEST_MS: u64 = 8_000;

    fn new(ids: &'a IdSource) -> Self {
        Self { ids, next_ms: 150 }
    }

    async fn wait(&mut self) {
        tokio::time::sleep(Duration::from_millis(jittered(self.ids, self.next_ms))).await;
        self.next_ms = (self.next_ms * 3 / 2).min(Self::LONGEST_MS);
    }
}

/// A time of 75 to 125 % of `ms`.
pub fn jittered(ids: &IdSource, ms: u64) -> u64 {
    let mut byte = [0_u8; 1];
    ids.fill(&mut byte);
    ms * 3 / 4 + ms * u64::from(byte[0]) / 510
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn losing_a_guarded_resource_is_refused() {
        let template = super::super::template::tenant();
        let wanted = wanted(&template, "email");
        assert!(refuse_losses(&wanted, &change_set("UserPool", "Modify", true)).is_err());
        assert!(refuse_losses(&wanted, &change_set("UserPool", "Remove", false)).is_err());
        assert!(refuse_losses(&wanted, &change_set("UserPool", "Modify", false)).is_ok());
        assert!(refuse_losses(&wanted, &change_set("VerifyFunction", "Modify", true)).is_ok());
    }

    #[test]
    fn what_aws_fixes_at_creation_is_refused_before_it_is_asked() {
        let template = super::super::template::tenant();
        let stack = Stack {
            id: "arn".into(),
            status: StackState::Complete,
            status_text: "CREATE_COMPLETE".into(),
            parameters: BTreeMap::from([("SignInWith".to_owned(), "username".to_owned())]),
            outputs: BTreeMap::new(),
            tags: BTreeMap::new(),
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

    #[test]
    fn jitter_stays_within_a_quarter() {
        let ids = IdSource::seeded(1);
        for _ in 0..200 {
            assert!((750..=1250).contains(&jittered(&ids, 1000)));
        }
    }
}
