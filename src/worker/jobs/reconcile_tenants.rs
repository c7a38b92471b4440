//! Claims tenants that are due and takes each through a pass of [`crate::provisioning`].
//!
//! Workers share by claims in the database (`FOR UPDATE SKIP LOCKED`, a lease, a fencing token). One is woken by a
//! notification when work comes up, and looks by itself now and then in case it missed one.

use crate::{
    Context,
    domain::{actor::OperatorScope, provisioning::Claim},
    observability::{metrics::metrics, traces},
    provisioning::pass::{self, Outcome},
    storage::{WORK_CHANNEL, reconcile},
};
use sqlx::postgres::PgListener;
use std::{sync::Arc, time::Duration};
use tokio::{sync::Notify, task::JoinSet, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

/// Runs until `stop`; passes under way then end at their next step, or are given back after the grace.
pub async fn run(context: &Context, owner: &str, stop: CancellationToken) {
    let wake = Arc::new(Notify::new());
    let listener = tokio::spawn(listen(context.clone(), Arc::clone(&wake), stop.clone()));
    let abandon = CancellationToken::new();
    let mut passes = JoinSet::new();
    while !stop.is_cancelled() {
        claim_some(context, owner, &mut passes, &stop, &abandon).await;
        tokio::select! {
            () = stop.cancelled() => {}
            () = wake.notified() => {}
            Some(_) = passes.join_next(), if !passes.is_empty() => {}
            () = tokio::time::sleep(context.config.worker.poll) => {}
        }
    }
    let grace = tokio::time::timeout(context.config.shutdown_grace, async {
        while passes.join_next().await.is_some() {}
    });
    if grace.await.is_err() {
        tracing::warn!(
            passes = passes.len(),
            "passes did not end in time and are given back"
        );
        abandon.cancel();
        while passes.join_next().await.is_some() {}
    }
    listener.abort();
}

/// Takes every tenant that is due through a pass, one after the other, until none is. For tests and one-off runs.
pub async fn run_until_idle(context: &Context, owner: &str) -> crate::Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    loop {
        let claims = {
            let mut tx = context.db.begin(&OperatorScope::worker()).await?;
            let claims =
                reconcile::claim_due(&mut tx, owner, 1, pass::lease(context), context.clock.now()).await?;
            tx.commit().await?;
            claims
        };
        let Some(claim) = claims.into_iter().next() else {
            return Ok(outcomes);
        };
        outcomes.push(
            Box::pin(guarded_pass(
                context,
                &claim,
                CancellationToken::new(),
                CancellationToken::new(),
            ))
            .await,
        );
    }
}

async fn claim_some(
    context: &Context,
    owner: &str,
    passes: &mut JoinSet<()>,
    stop: &CancellationToken,
    abandon: &CancellationToken,
) {
    let free = context.config.worker.concurrency.saturating_sub(passes.len());
    if free == 0 {
        return;
    }
    let claims = async {
        let mut tx = context.db.begin(&OperatorScope::worker()).await?;
        let limit = i64::try_from(free).unwrap_or(i64::MAX);
        let claims =
            reconcile::claim_due(&mut tx, owner, limit, pass::lease(context), context.clock.now()).await?;
        tx.commit().await?;
        Ok::<_, crate::Error>(claims)
    };
    match claims.await {
        Ok(claims) => {
            for claim in claims {
                let (context, stop, abandon) = (context.clone(), stop.clone(), abandon.clone());
                passes.spawn(async move {
                    Box::pin(guarded_pass(&context, &claim, stop, abandon)).await;
                });
            }
        }
        Err(error) => tracing::warn!(%error, "tenants cannot be claimed at the moment"),
    }
}

/// A pass whose claim is renewed while it runs, and which is dropped when the claim is lost.
async fn guarded_pass(
    context: &Context,
    claim: &Claim,
    stop: CancellationToken,
    abandon: CancellationToken,
) -> Outcome {
    let span = tracing::info_span!(
        target: "stepgate::trace", parent: None, "pass", otel.name = "pass over a tenant",
        stepgate.tenant_id = %claim.tenant_id, stepgate.fencing_token = claim.fencing_token
    );
    let place = traces::join(&span, None);
    // For the log: its lines then say in which trace they are.
    let lines = tracing::info_span!(
        "pass",
        trace_id = place.as_ref().map(|place| place.trace_id().to_string()),
        span_id = place.as_ref().map(|place| place.span_id().to_string())
    );
    let outcome = tokio::select! {
        result = pass::run(context, claim, stop).instrument(span).instrument(lines) => result,
        () = hold(context, claim) => Ok(Outcome::LeaseLost),
        () = abandon.cancelled() => give_back(context, claim).await,
    };
    match outcome {
        Ok(outcome) => {
            metrics().reconcile_passes.add([outcome.as_str().into()], 1);
            tracing::info!(tenant = %claim.tenant_id, fencing_token = claim.fencing_token, ?outcome, "pass ended");
            outcome
        }
        Err(error) => {
            // The database does not answer: the claim runs out, and the tenant is taken up again.
            metrics().reconcile_passes.add(["not_recorded".into()], 1);
            tracing::warn!(tenant = %claim.tenant_id, %error, "pass could not be recorded");
            Outcome::Failed
        }
    }
}

async fn give_back(context: &Context, claim: &Claim) -> crate::Result<Outcome> {
    let mut tx = context.db.begin(&OperatorScope::worker()).await?;
    reconcile::release(&mut tx, claim).await?;
    tx.commit().await?;
    Ok(Outcome::Stopped)
}

/// Renews the claim; returns when it is lost, or was not renewed for so long that it must be taken for lost.
async fn hold(context: &Context, claim: &Claim) {
    let lease = context.config.worker.lease;
    let mut ticks = tokio::time::interval(lease / 3);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    let mut renewed_at = tokio::time::Instant::now();
    while renewed_at.elapsed() < lease {
        ticks.tick().await;
        let asked_at = tokio::time::Instant::now();
        let renewal = async {
            let mut tx = context.db.begin(&OperatorScope::worker()).await?;
            let held = reconcile::renew(&mut tx, claim, context.clock.now() + pass::lease(context)).await?;
            tx.commit().await?;
            Ok::<_, crate::Error>(held)
        };
        match renewal.await {
            Ok(true) => renewed_at = asked_at,
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(tenant = %claim.tenant_id, %error, "claim cannot be renewed at the moment");
            }
        }
    }
}

/// Wakes the loop when a transaction that made work commits. Without a connection the loop just looks by itself.
async fn listen(context: Context, wake: Arc<Notify>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = listen_once(&context, &wake).await {
            tracing::warn!(%error, "not listening for work at the moment");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn listen_once(context: &Context, wake: &Notify) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(context.db.pool()).await?;
    listener.listen(WORK_CHANNEL).await?;
    // Whatever came up before listening began.
    wake.notify_one();
    while listener.try_recv().await?.is_some() {
        wake.notify_one();
    }
    Ok(())
}
