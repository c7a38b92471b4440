//! One pass over a claimed tenant: the steps in order, a record of each, the outcome.

use super::{
    announcements,
    failure::{StepError, StepFailure},
    removal,
    stacks::{Watcher, jittered},
    steps,
};
use crate::{
    Context, Result,
    aws::cognito::Pool,
    domain::{
        actor::OperatorScope,
        operation::StepState,
        provisioning::{Claim, Desired, StepName},
    },
    observability::{metrics::metrics, traces},
    storage::{
        reconcile::{self, FailedPass},
        reconcile_steps::{self, StepRecord},
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span, field::Empty};

/// Passes with a lasting failure before the operations are given up. The first may be AWS catching up with what
/// was just made (a role that cannot be assumed yet), so it is not the last word.
const LASTING_FAILURES: i32 = 4;
/// Longest pause after a failure that may pass by itself, s.
const LONGEST_PAUSE_S: u64 = 300;
/// Pause before a tenant whose operations were given up is tried again, s: quotas get raised, providers mended.
const GIVEN_UP_PAUSE_S: u64 = 900;

/// What became of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// AWS is as asked.
    Converged,
    /// It will be tried again.
    Failed,
    /// Another worker has the tenant.
    LeaseLost,
    /// The worker is stopping; the tenant was given back.
    Stopped,
}

impl Outcome {
    /// The stable text form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Converged => "converged",
            Self::Failed => "failed",
            Self::LeaseLost => "lease_lost",
            Self::Stopped => "stopped",
        }
    }
}

/// A pass under way: what the steps work with. Not `Debug`: it holds the tenant's key.
pub struct Pass<'a> {
    /// The world.
    pub context: &'a Context,
    /// The right to write.
    pub claim: &'a Claim,
    /// What is wanted, and what was found so far.
    pub desired: Desired,
    /// The pool as last read in this pass; forgotten when it is changed.
    pub pool: Option<Pool>,
    /// App clients written in this pass, to be read back.
    pub written_clients: Vec<crate::ids::AppId>,
    step: StepName,
    traceparents: Vec<String>,
    stop: CancellationToken,
}

/// How a step succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// What was done, or that nothing was to do. Shown to the partner.
    pub detail: String,
    /// AWS's request id of the last changing call.
    pub request_id: Option<String>,
    /// Whether there was anything that could have been done.
    pub state: StepState,
}

impl Done {
    /// Something was done.
    pub fn with(detail: impl Into<String>, request_id: Option<String>) -> Self {
        Self {
            detail: detail.into(),
            request_id,
            state: StepState::Succeeded,
        }
    }

    /// It was as wanted.
    pub fn already(detail: impl Into<String>) -> Self {
        Self::with(detail, None)
    }

    /// The tenant asks for nothing of the kind.
    pub fn skipped(detail: impl Into<String>) -> Self {
        Self {
            state: StepState::Skipped,
            ..Self::with(detail, None)
        }
    }
}

/// Takes a claimed tenant through its steps and records the outcome. Errors are those of the database only; the
/// claim then runs out by itself.
pub async fn run(context: &Context, claim: &Claim, stop: CancellationToken) -> Result<Outcome> {
    let mut tx = context.db.begin(&OperatorScope::worker()).await?;
    let Some(desired) = reconcile::load(&mut tx, claim).await? else {
        return Ok(Outcome::LeaseLost);
    };
    let generation = desired.generation;
    let opened = reconcile_steps::open(&mut tx, claim, generation, context.clock.now()).await?;
    // Steps wait for AWS: no connection is held meanwhile.
    tx.commit().await?;

    let context = &context.in_cell(desired.cell.access.as_ref()).await;
    for traceparent in &opened.traceparents {
        traces::link(&Span::current(), traceparent);
    }

    // What is asked anew is not given up for the failures of what was asked before.
    let failed_before = if opened.new { 0 } else { desired.failed_passes };
    let mut pass = Pass {
        context,
        claim,
        desired,
        pool: None,
        written_clients: Vec::new(),
        step: StepName::ALL[0],
        traceparents: opened.traceparents,
        stop,
    };
    let result = pass.take_steps().await;
    let failed_in = pass.step;
    match result {
        Ok(()) => pass.record_success(generation).await,
        Err(StepError::LeaseLost) => Ok(Outcome::LeaseLost),
        Err(StepError::Stopped) => {
            let mut tx = context.db.begin(&OperatorScope::worker()).await?;
            reconcile::release(&mut tx, claim).await?;
            tx.commit().await?;
            Ok(Outcome::Stopped)
        }
        Err(StepError::Failed(failure)) => pass.record_failure(failed_in, &failure, failed_before).await,
    }
}

impl Pass<'_> {
    async fn take_steps(&mut self) -> Result<(), StepError> {
        for step in self.desired.steps.clone() {
            self.check()?;
            self.step = step;
            let span = tracing::info_span!(
                target: "stepgate::trace", "step", otel.name = format!("step {step}"), stepgate.step = step.as_str(),
                stepgate.outcome = Empty, otel.status_code = Empty
            );
            for traceparent in &self.traceparents {
                traces::link(&span, traceparent);
            }
            // Boxed: the steps' futures are large, and one is alive for as long as a stack is waited for.
            Box::pin(self.take_step(step).instrument(span)).await?;
        }
        Ok(())
    }

    async fn take_step(&mut self, step: StepName) -> Result<(), StepError> {
        self.begin(step).await?;
        let begun = Instant::now();
        let result = steps::run(step, self).await;
        let outcome = match &result {
            Ok(done) => done.state.as_str(),
            Err(error) => error.outcome(),
        };
        metrics().reconcile_step_duration_seconds.observe_s(
            [step.as_str().into(), outcome.into()],
            begun.elapsed().as_secs_f64(),
        );
        Span::current().record("stepgate.outcome", outcome);
        if matches!(result, Err(StepError::Failed(_))) {
            Span::current().record("otel.status_code", "error");
        }
        let Done {
            detail,
            request_id,
            state,
        } = result?;
        tracing::info!(
            tenant = %self.claim.tenant_id, step = %step, detail, aws_request_id = request_id,
            "provisioning step done"
        );
        self.record(state, Some(&detail), None, request_id.as_deref())
            .await
    }

    async fn begin(&self, step: StepName) -> Result<(), StepError> {
        let now = self.context.clock.now();
        let until = now + lease(self.context);
        let mut tx = self.context.db.begin(&OperatorScope::worker()).await?;
        let held =
            reconcile_steps::begin(&mut tx, self.claim, self.desired.generation, step, now, until).await?;
        tx.commit().await.map_err(crate::Error::from)?;
        still(held)
    }

    /// Writes down what is known now. Steps call it (through [`Self::keep`]) as soon as they learned something
    /// that must survive them.
    async fn record(
        &self,
        state: StepState,
        detail: Option<&str>,
        error: Option<&str>,
        aws_request_id: Option<&str>,
    ) -> Result<(), StepError> {
        let record = StepRecord {
            step: self.step,
            state,
            detail,
            error,
            aws_request_id,
        };
        let mut tx = self.context.db.begin(&OperatorScope::worker()).await?;
        let (generation, now) = (self.desired.generation, self.context.clock.now());
        let observed = &self.desired.observed;
        let held = reconcile_steps::record(&mut tx, self.claim, generation, record, observed, now).await?;
        tx.commit().await.map_err(crate::Error::from)?;
        still(held)
    }

    /// Stores what was observed so far, in the middle of a step.
    pub async fn keep(&self, detail: &str) -> Result<(), StepError> {
        self.record(StepState::Running, Some(detail), None, None).await
    }

    async fn record_success(&self, generation: i64) -> Result<Outcome> {
        let now = self.context.clock.now();
        let mut tx = self.context.db.begin(&OperatorScope::worker()).await?;
        let ending = announcements::ending(&mut tx, &self.desired, generation).await?;
        let held = if let Some(deletion) = &self.desired.purging {
            removal::end(&mut tx, self, generation, deletion, now).await?
        } else {
            let held = reconcile::converged(&mut tx, self.claim, generation, now).await?;
            if held {
                announcements::converged(&mut tx, self.context, &self.desired, &ending, now).await?;
            }
            held
        };
        tx.commit().await?;
        Ok(if held {
            Outcome::Converged
        } else {
            Outcome::LeaseLost
        })
    }

    async fn record_failure(
        &self,
        step: StepName,
        failure: &StepFailure,
        failed_before: i32,
    ) -> Result<Outcome> {
        let now = self.context.clock.now();
        let gives_up = !failure.passes_by_itself && failed_before + 1 >= LASTING_FAILURES;
        let cause = failure.cause.as_ref().map(|cause| format!("{cause:#}"));
        let aws_request_id = failure.aws_request_id.as_deref();
        tracing::warn!(
            tenant = %self.claim.tenant_id, step = %step, code = failure.code, error = failure.message, cause,
            aws_request_id, gives_up, "provisioning step failed"
        );
        match self
            .record(StepState::Running, None, Some(&failure.message), aws_request_id)
            .await
        {
            Ok(()) => {}
            Err(StepError::LeaseLost) => return Ok(Outcome::LeaseLost),
            Err(_) => return Ok(Outcome::Failed),
        }
        let pass = FailedPass {
            generation: self.desired.generation,
            failure: &failure.told(Some(step), now),
            gives_up,
            failed_passes: failed_before.saturating_add(1),
            next_attempt_at: self.next_attempt(now, failed_before, gives_up),
        };
        let mut tx = self.context.db.begin(&OperatorScope::worker()).await?;
        let ending = announcements::ending(&mut tx, &self.desired, pass.generation).await?;
        let held = reconcile::failed(&mut tx, self.claim, &pass, now).await?;
        if held && gives_up && !ending.is_empty() {
            announcements::given_up(&mut tx, self.context, &self.desired, &ending, pass.failure, now).await?;
        }
        tx.commit().await?;
        Ok(if held { Outcome::Failed } else { Outcome::LeaseLost })
    }

    fn next_attempt(&self, now: DateTime<Utc>, failed_before: i32, gives_up: bool) -> DateTime<Utc> {
        let doublings = u32::try_from(failed_before).unwrap_or_default().min(10);
        let pause_s = if gives_up {
            GIVEN_UP_PAUSE_S
        } else {
            (1_u64 << doublings).min(LONGEST_PAUSE_S)
        };
        let jittered_ms = jittered(&self.context.ids, pause_s * 1000);
        now + TimeDelta::milliseconds(i64::try_from(jittered_ms).unwrap_or_default())
    }

    /// Region of the tenant's cell.
    pub fn region(&self) -> &str {
        &self.desired.cell.region
    }
}

/// Waiting for CloudFormation: progress goes into the step, a stop signal or a lost claim ends the wait.
impl Watcher for Pass<'_> {
    async fn note(&mut self, text: String) -> Result<(), StepError> {
        self.keep(&text).await?;
        self.check()
    }

    fn check(&self) -> Result<(), StepError> {
        if self.stop.is_cancelled() {
            Err(StepError::Stopped)
        } else {
            Ok(())
        }
    }
}

/// How long a claim lasts without a renewal.
pub fn lease(context: &Context) -> TimeDelta {
    TimeDelta::from_std(context.config.worker.lease).unwrap_or(TimeDelta::seconds(60))
}

/// A claim that does not hold any more ends the pass.
pub(super) fn still(held: bool) -> Result<(), StepError> {
    if held { Ok(()) } else { Err(StepError::LeaseLost) }
}
