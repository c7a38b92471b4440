//! Sends messages to webhooks until they are accepted or given up.
//!
//! Workers share by claims (`FOR UPDATE SKIP LOCKED`): a claim counts an attempt and says when it is taken for lost. At
//! least once, in no promised order: a receiver tells repetitions by the message's id.

use crate::{
    Context, Result,
    domain::{
        actor::OperatorScope,
        audit::{AuditAction, AuditEntry},
        webhook::{Attempt, DISABLE_AFTER, DeliveryState, KEEP, next_attempt, signature_headers},
    },
    observability::metrics::metrics,
    storage::{
        Tx,
        audit_log::Author,
        webhook_outbox::{self, Claimed},
        webhooks,
    },
    usecases,
};
use anyhow::Context as _;
use blockid::{HttpClient, HttpError};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How long an attempt may take.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// After which time an attempt without an outcome is taken for lost.
const LOST_AFTER: TimeDelta = TimeDelta::seconds(60);
/// Attempts at the same time, in all and to one webhook.
const CONCURRENCY: (i64, i64) = (16, 4);
/// Pause between sweeps of what is old.
const SWEEP_EVERY: Duration = Duration::from_hours(1);
/// What a receiver answers that is gone for good.
const GONE: u16 = 410;

/// Sends until `stop`; attempts under way are waited for.
pub async fn run(context: &Context, stop: CancellationToken) {
    let mut swept: Option<Instant> = None;
    // Exported from the beginning, so that the first one shows as an increase.
    metrics()
        .webhook_attempts
        .add([DeliveryState::Dead.as_str().into()], 0);
    while !stop.is_cancelled() {
        if swept.is_none_or(|at| at.elapsed() > SWEEP_EVERY) {
            if let Err(error) = sweep(context).await {
                tracing::warn!(%error, "old deliveries cannot be removed at the moment");
            }
            swept = Some(Instant::now());
        }
        match deliver_due(context).await {
            // There may be more.
            Ok(1..) => continue,
            Ok(0) => {}
            Err(error) => tracing::warn!(%error, "webhooks cannot be served at the moment"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(context.config.worker.poll) => {}
        }
    }
}

/// Removes what ended long ago; returns how many deliveries that were.
pub async fn sweep(context: &Context) -> Result<u64> {
    let scope = OperatorScope::worker();
    let mut tx = context.db.begin(&scope).await?;
    let swept = webhook_outbox::sweep(&mut tx, &scope, context.clock.now() - KEEP).await?;
    tx.commit().await?;
    Ok(swept)
}

/// Makes an attempt at what is due now, and returns at how many deliveries.
pub async fn deliver_due(context: &Context) -> Result<usize> {
    let scope = OperatorScope::worker();
    let now = context.clock.now();
    let mut tx = context.db.begin(&scope).await?;
    let claims = webhook_outbox::claim(&mut tx, &scope, CONCURRENCY, now, now + LOST_AFTER).await?;
    tx.commit().await?;
    if claims.is_empty() {
        return Ok(0);
    }
    let client = usecases::webhooks::client(context)?;
    join_all(claims.iter().map(|claimed| attempt(context, &client, claimed))).await;
    Ok(claims.len())
}

/// One attempt; what cannot be recorded is attempted again.
async fn attempt(context: &Context, client: &HttpClient, claimed: &Claimed) {
    let at = context.clock.now();
    let begun = Instant::now();
    let outcome = send(context, client, claimed, at).await;
    let duration_ms = i32::try_from(begun.elapsed().as_millis()).unwrap_or(i32::MAX);
    let (status, error) = match outcome {
        Ok(Ok(status @ 200..=299)) => (Some(status), None),
        Ok(Ok(status)) => (Some(status), Some(format!("answered with HTTP status {status}"))),
        Ok(Err(HttpError::Redirect(status))) => (Some(status), Some(HttpError::Redirect(status).to_string())),
        Ok(Err(error)) => (None, Some(error.to_string())),
        Err(error) => {
            tracing::error!(webhook = %claimed.webhook_id, %error, "a message to a webhook cannot be signed");
            (
                None,
                Some("the message could not be signed; the operator of this installation is told".to_owned()),
            )
        }
    };
    let attempt = Attempt {
        number: claimed.attempt,
        at,
        duration_ms,
        status: status.map(i32::from),
        error,
    };
    if let Err(error) = record(context, claimed, &attempt).await {
        tracing::warn!(delivery = %claimed.id, %error, "an attempt could not be recorded and is made again");
    }
}

async fn send(
    context: &Context,
    client: &HttpClient,
    claimed: &Claimed,
    now: DateTime<Utc>,
) -> anyhow::Result<std::result::Result<u16, HttpError>> {
    let secret = context
        .config
        .encryption_keys
        .open(&claimed.sealed, &claimed.webhook_id.to_string())?;
    let mut headers = HeaderMap::new();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/cloudevents+json; charset=utf-8"),
    );
    for (name, value) in signature_headers(&secret, claimed.message_id, &claimed.body, now)? {
        headers.insert(
            HeaderName::from_static(name),
            value.parse().context("a header of the scheme")?,
        );
    }
    let deadline = Instant::now() + ATTEMPT_TIMEOUT;
    Ok(client
        .deliver(&claimed.url, headers, claimed.body.clone(), deadline)
        .await)
}

async fn record(context: &Context, claimed: &Claimed, attempt: &Attempt) -> Result<()> {
    let scope = OperatorScope::worker();
    let now = context.clock.now();
    let again = next_attempt(attempt.number, now);
    let (state, next) = match (&attempt.error, again) {
        (None, _) => (DeliveryState::Delivered, None),
        (Some(_), Some(next)) => (DeliveryState::Pending, Some(next)),
        (Some(_), None) => (DeliveryState::Dead, None),
    };
    let mut tx = context.db.begin(&scope).await?;
    if webhook_outbox::record(&mut tx, &scope, claimed, attempt, state, next, now).await? {
        if attempt.error.is_none() {
            webhooks::note_success(&mut tx, &scope, claimed.webhook_id).await?;
        } else {
            note_failure(&mut tx, context, claimed, attempt, now).await?;
        }
    }
    tx.commit().await?;
    let outcome = match state {
        DeliveryState::Pending => "refused",
        _ => state.as_str(),
    };
    metrics().webhook_attempts.add([outcome.into()], 1);
    tracing::info!(
        webhook = %claimed.webhook_id, delivery = %claimed.id, message = %claimed.message_id, attempt = attempt.number,
        status = attempt.status, error = attempt.error, %state, "webhook attempt"
    );
    Ok(())
}

/// Switches a webhook off that is gone, or that took nothing for days.
async fn note_failure(
    tx: &mut Tx,
    context: &Context,
    claimed: &Claimed,
    attempt: &Attempt,
    now: DateTime<Utc>,
) -> Result<()> {
    let scope = OperatorScope::worker();
    let Some(since) = webhooks::note_failure(tx, &scope, claimed.webhook_id, now).await? else {
        return Ok(());
    };
    let reason = if attempt.status == Some(i32::from(GONE)) {
        "the receiver answered 410 Gone".to_owned()
    } else if now - since >= DISABLE_AFTER {
        format!("nothing was accepted for {} days", DISABLE_AFTER.num_days())
    } else {
        return Ok(());
    };
    webhooks::disable(tx, &scope, claimed.webhook_id, &reason, now).await?;
    let entry = AuditEntry {
        tenant_id: None,
        resource_id: claimed.webhook_id.to_string(),
        action: AuditAction::WebhookDisabled,
        reason,
        detail: json!({"failing_since": since, "last_error": attempt.error}),
    };
    let chain = Some(claimed.partner_id);
    usecases::audit::record_by(tx, context, Author::WORKER, chain, &entry, now).await
}
