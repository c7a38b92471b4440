//! The budget of AWS calls that all workers share, kept in the database.
//!
//! While the database does not answer, calls go on at a trickle: a worker without it ends its passes anyway.

use crate::{
    Result,
    aws::{Answering, Granted, Tokens},
    domain::{
        actor::OperatorScope,
        cell::{CallGroup, CallScope},
    },
    storage::{Database, aws_call_budgets},
};
use std::time::Duration;

/// Pause of a worker that cannot ask, and longest pause of one that can.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Tokens out of the database.
#[derive(Debug)]
pub struct SharedBudget(pub Database);

impl SharedBudget {
    async fn ask(&self, at: &CallScope, group: CallGroup) -> Result<Granted> {
        let scope = OperatorScope::worker();
        let mut tx = self.0.begin(&scope).await?;
        let taken = aws_call_budgets::take(&mut tx, &scope, at, group).await?;
        tx.commit().await?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number that a bucket holds"
        )]
        let tokens = taken.tokens as u32;
        let pause = Duration::try_from_secs_f64(taken.pause_s).unwrap_or(LONGEST_PAUSE);
        Ok(Granted {
            tokens,
            pause: pause.min(LONGEST_PAUSE),
        })
    }

    async fn tell(&self, at: &CallScope, group: CallGroup) -> Result<()> {
        let scope = OperatorScope::worker();
        let mut tx = self.0.begin(&scope).await?;
        aws_call_budgets::throttled(&mut tx, &scope, at, group).await?;
        tx.commit().await?;
        Ok(())
    }
}

impl Tokens for SharedBudget {
    fn take<'a>(&'a self, scope: &'a CallScope, group: CallGroup) -> Answering<'a, Granted> {
        Box::pin(async move {
            match self.ask(scope, group).await {
                Ok(granted) => granted,
                Err(error) => {
                    tracing::warn!(%error, bucket = group.as_str(), "the budget of AWS calls cannot be asked");
                    tokio::time::sleep(LONGEST_PAUSE).await;
                    Granted {
                        tokens: 1,
                        pause: LONGEST_PAUSE,
                    }
                }
            }
        })
    }

    fn throttled<'a>(&'a self, scope: &'a CallScope, group: CallGroup) -> Answering<'a, ()> {
        Box::pin(async move {
            tracing::warn!(
                account = scope.account_id,
                region = scope.region,
                bucket = group.as_str(),
                "AWS throttles; calls become fewer"
            );
            if let Err(error) = self.tell(scope, group).await {
                tracing::warn!(%error, "the budget of AWS calls cannot be told");
            }
        })
    }
}
