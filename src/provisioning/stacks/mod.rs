//! Creating and changing a stack so that nothing of value is lost: used for tenants and for cells.
//!
//! [`ensure`] may be killed anywhere and called again: it looks at the stack first and goes on from there.

mod create_only;
mod guard;
mod pause;
mod preview;
mod tokens;

pub use pause::jittered;
pub use preview::Preview;

use super::{
    failure::{StepError, StepFailure},
    template::{Template, sha256_hex},
};
use crate::{
    aws::{
        AwsError, AwsErrorKind,
        cloudformation::{ChangeSet, ChangeSetState, CloudFormation, Stack, StackRequest, StackState},
    },
    ids::IdSource,
};
use create_only::refuse_template_losses;
use guard::{refuse_create_only, refuse_losses};
use pause::Pause;
use std::{collections::BTreeMap, future::Future};
use tokens::{change_token, fingerprint};

/// Looks at a stack at work, one after the other, that may be refused as one too many before that is a failure.
const REFUSED_LOOKS: u32 = 20;
/// Parameter that tells which template a stack runs.
const DIGEST: &str = "TemplateDigest";

/// Looks at a stack at work that were refused, one after the other.
///
/// Others look too: whoever gave up would ask for another tenant's stack instead, and there would be still more to look at.
#[derive(Debug, Default)]
struct Refusals(u32);

impl Refusals {
    /// Whether to look again after this.
    fn bear(&mut self, error: &AwsError) -> bool {
        self.0 += 1;
        error.kind() == AwsErrorKind::Throttled && self.0 <= REFUSED_LOOKS
    }
}

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
            StackState::Stuck => Err(self.stuck(&stack).await?.into()),
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
        let created = match self.client.create(request(wanted, &token)).await {
            // The look at it showed an earlier time.
            Err(error) if error.kind() == AwsErrorKind::AlreadyExists => {
                let message = format!(
                    "The stack {} is there already and is looked at again.",
                    wanted.name
                );
                return Err(StepFailure::passing("stack_seen_late", message).into());
            }
            created => created?,
        };
        watcher
            .note(format!("stack {} is being created", wanted.name))
            .await?;
        // By ARN: should it fail and be deleted by somebody, it is not taken for another of the same name.
        let stack = self.finished(&created.value, watcher).await?;
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
        if let Some(refusal) = self.known_loss(wanted, stack).await? {
            return Err(refusal.into());
        }
        let token = change_token(wanted, stack);
        let name = format!("stepgate-{}", &token[..32]);
        // The name keeps it from being made twice. A token of its own each time: under one that was used, for a change
        // set that is forgotten by now, CloudFormation would say that it is there.
        let asked = self.ids.suffix(32);
        self.client
            .create_change_set(&name, request(wanted, &asked))
            .await?;
        let change_set = self.computed(&wanted.name, &name, watcher).await?;
        match change_set.state {
            ChangeSetState::Empty => {
                self.client.delete_change_set(&wanted.name, &name).await?;
                Ok(Ensured {
                    stack: stack.clone(),
                    done: "is as wanted",
                    request_id: None,
                })
            }
            ChangeSetState::Ready => {
                if let Err(refusal) = refuse_losses(wanted, &change_set) {
                    self.client.delete_change_set(&wanted.name, &name).await?;
                    return Err(refusal.into());
                }
                self.execute(wanted, &stack.id, &name, &token, watcher).await
            }
            ChangeSetState::Failed | ChangeSetState::Pending => {
                self.client.delete_change_set(&wanted.name, &name).await?;
                let message = format!(
                    "CloudFormation cannot compute the change of {}: {}",
                    wanted.name, change_set.reason
                );
                Err(StepFailure::lasting("change_refused", message, None).into())
            }
        }
    }

    /// What the change would lose as far as can be told before CloudFormation is asked.
    async fn known_loss(
        &self,
        wanted: &WantedStack<'_>,
        stack: &Stack,
    ) -> Result<Option<StepFailure>, StepError> {
        if let Err(refusal) = refuse_create_only(wanted, stack) {
            return Ok(Some(refusal));
        }
        if stack.parameters.get(DIGEST) == wanted.parameters.get(DIGEST) {
            return Ok(None);
        }
        let in_force = self.client.template(&stack.id).await?;
        Ok(refuse_template_losses(wanted, &in_force).err())
    }

    async fn execute(
        &self,
        wanted: &WantedStack<'_>,
        stack_id: &str,
        change_set: &str,
        token: &str,
        watcher: &mut impl Watcher,
    ) -> Result<Ensured, EnsureError> {
        let executed = match self
            .client
            .execute_change_set(&wanted.name, change_set, token)
            .await
        {
            // A killed worker ran it, and the change was taken back: it must be computed anew.
            Err(error) if error.is(&["InvalidChangeSetStatus", "InvalidChangeSetStatusException"]) => {
                self.client.delete_change_set(&wanted.name, change_set).await?;
                return Err(StepFailure::passing("change_set_used", "The change is computed anew.").into());
            }
            executed => executed?,
        };
        watcher
            .note(format!("stack {} is being changed", wanted.name))
            .await?;
        match self.finished(stack_id, watcher).await? {
            Some(stack) if stack.status == StackState::Complete && is_as_wanted(&stack, wanted) => {
                Ok(Ensured {
                    stack,
                    done: "changed",
                    request_id: executed.request_id,
                })
            }
            _ => {
                // The name must be free for the next try of the same change.
                self.client.delete_change_set(&wanted.name, change_set).await?;
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
        self.settled_from(name_or_arn, false, watcher).await
    }

    /// As [`Self::settled`], after a call that made CloudFormation work on it.
    async fn finished(&self, arn: &str, watcher: &mut impl Watcher) -> Result<Option<Stack>, StepError> {
        self.settled_from(arn, true, watcher).await
    }

    async fn settled_from(
        &self,
        name_or_arn: &str,
        mut at_work: bool,
        watcher: &mut impl Watcher,
    ) -> Result<Option<Stack>, StepError> {
        let mut pause = Pause::new(self.ids);
        let mut told = String::new();
        let mut refusals = Refusals::default();
        loop {
            match self.client.describe(name_or_arn).await {
                Ok(Some(stack)) if stack.status == StackState::Busy => {
                    if stack.status_text != told {
                        watcher.note(format!("stack is {}", stack.status_text)).await?;
                        told = stack.status_text;
                    }
                    (at_work, refusals) = (true, Refusals::default());
                }
                Ok(settled) => return Ok(settled),
                Err(error) if at_work && refusals.bear(&error) => {}
                Err(error) => return Err(error.into()),
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
        let mut refusals = Refusals::default();
        watcher.note("the change is being computed".to_owned()).await?;
        loop {
            match self.client.change_set(stack, name).await {
                Ok(change_set) if change_set.state == ChangeSetState::Pending => {
                    refusals = Refusals::default();
                }
                Ok(computed) => return Ok(computed),
                Err(error) if refusals.bear(&error) => {}
                Err(error) => return Err(error.into()),
            }
            watcher.check()?;
            pause.wait().await;
        }
    }

    /// Why a stack is stuck, and the way out.
    async fn stuck(&self, stack: &Stack) -> Result<StepFailure, StepError> {
        let name = stack.id.split('/').nth(1).unwrap_or(&stack.id);
        let failures = self.client.failures(&stack.id).await?;
        let on = failures.first().map(|first| {
            format!(
                " It failed on {} ({}): {}",
                first.logical_id, first.resource_type, first.reason
            )
        });
        let on = on.unwrap_or_default();
        Ok(StepFailure::lasting(
            "stack_stuck",
            format!("Stack {name} is in state {}.{on}", stack.status_text),
            Some(guard::way_out(&stack.status_text)),
        ))
    }

    async fn root_cause(&self, stack: &str) -> Result<StepFailure, StepError> {
        let failures = self.client.failures(stack).await?;
        let name = stack.split('/').nth(1).unwrap_or(stack);
        Ok(StepFailure::from_stack(name, &failures))
    }

    /// Deletes a stack and waits until it is gone. Its resources must be deletable, or retained.
    pub async fn clean_away(&self, name: &str, watcher: &mut impl Watcher) -> Result<(), StepError> {
        let Some(stack) = self.settled(name, watcher).await? else {
            return Ok(());
        };
        self.client.lift_termination_protection(&stack.id).await?;
        self.client
            // After a deletion that failed it is asked for anew.
            .delete(
                &stack.id,
                &sha256_hex(&["delete", &stack.id, &stack.status_text, &stack.last_changed]),
            )
            .await?;
        match self.finished(&stack.id, watcher).await? {
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
        template: &wanted.template.body,
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
