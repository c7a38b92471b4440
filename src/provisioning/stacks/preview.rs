//! What a change of a stack would do, without doing it.

use super::{Stacks, WantedStack, Watcher, fingerprint, guard::refuse_losses, request};
use crate::{
    aws::cloudformation::{ChangeSetState, ResourceChange, Stack},
    provisioning::{
        failure::{StepError, StepFailure},
        template::sha256_hex,
    },
};

/// What would change, and why the change would be refused.
#[derive(Debug)]
pub struct Preview {
    /// Resources that would change.
    pub changes: Vec<ResourceChange>,
    /// Why it would not be made.
    pub refusal: Option<StepFailure>,
}

/// Looks on in silence.
struct Silent;

impl Watcher for Silent {
    async fn note(&mut self, _text: String) -> Result<(), StepError> {
        Ok(())
    }
}

impl Stacks<'_> {
    /// Has CloudFormation compute the change to what is wanted, and forgets the change set. What would be refused before
    /// CloudFormation is asked is not asked of it here either.
    pub async fn preview(&self, wanted: &WantedStack<'_>, stack: &Stack) -> Result<Preview, StepError> {
        if let Some(refusal) = self.known_loss(wanted, stack).await? {
            return Ok(Preview {
                changes: Vec::new(),
                refusal: Some(refusal),
            });
        }
        // Never the name of a change set that is to be run.
        let token = sha256_hex(&[
            "preview",
            &wanted.name,
            &fingerprint(wanted),
            &self.ids.suffix(12),
        ]);
        let name = format!("stepgate-plan-{}", &token[..32]);
        self.client
            .create_change_set(&name, request(wanted, &token))
            .await?;
        let computed = self.computed(&wanted.name, &name, &mut Silent).await;
        self.client.delete_change_set(&wanted.name, &name).await?;
        let computed = computed?;
        let refusal = match computed.state {
            ChangeSetState::Failed | ChangeSetState::Pending => Some(StepFailure::lasting(
                "change_refused",
                format!(
                    "CloudFormation cannot compute the change of {}: {}",
                    wanted.name, computed.reason
                ),
                None,
            )),
            ChangeSetState::Empty => None,
            ChangeSetState::Ready => refuse_losses(wanted, &computed).err(),
        };
        Ok(Preview {
            changes: computed.changes,
            refusal,
        })
    }
}
