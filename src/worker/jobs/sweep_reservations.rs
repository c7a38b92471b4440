//! Removes reservations of tenants whose client secret never arrived: the request that made them died, and was not
//! repeated. Workers share by the lease of
//! each reservation; what a killed sweep left is taken up once its lease has ended.

use crate::{
    Context,
    domain::{
        actor::OperatorScope,
        audit::{AuditAction, AuditEntry},
    },
    storage::{audit_log::Author, reservations},
    usecases::audit,
};
use chrono::TimeDelta;
use serde_json::json;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How old a reservation must be. Far longer than a request may take.
const STALE_AFTER: TimeDelta = TimeDelta::minutes(15);
/// Pause between sweeps.
const EVERY: Duration = Duration::from_mins(1);
/// How long a sweep keeps others, and the request that made a reservation, away from it.
const LEASE: TimeDelta = TimeDelta::minutes(2);

/// Sweeps until `stop`.
pub async fn run(context: &Context, owner: &str, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = sweep(context, owner).await {
            tracing::warn!(%error, "stale reservations cannot be swept at the moment");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// One sweep; returns how many reservations are gone.
pub async fn sweep(context: &Context, owner: &str) -> crate::Result<usize> {
    let scope = OperatorScope::worker();
    let now = context.clock.now();
    let stale = {
        let mut tx = context.db.begin(&scope).await?;
        let stale = reservations::stale(&mut tx, &scope, now - STALE_AFTER, owner, now, now + LEASE).await?;
        tx.commit().await?;
        stale
    };
    let mut gone = 0;
    for reservation in stale {
        let aws = context.aws.within(reservation.access().as_ref()).await;
        let secrets = aws.secrets_manager(&reservation.region);
        // The secret goes first: a row without a secret can be swept again, a secret without a row is lost.
        if let Err(error) = secrets.delete(&reservation.credentials_secret_name).await {
            tracing::warn!(tenant = %reservation.id, %error, "the secret of a stale reservation stays for now");
            continue;
        }
        let mut tx = context.db.begin(&scope).await?;
        let deleted = reservations::delete(&mut tx, &scope, reservation.id, owner).await?;
        if deleted {
            let entry = AuditEntry {
                tenant_id: Some(reservation.id),
                resource_id: reservation.id.to_string(),
                action: AuditAction::TenantAbandoned,
                reason: String::new(),
                detail: json!({"name": reservation.name}),
            };
            let chain = Some(reservation.partner_id);
            let now = context.clock.now();
            audit::record_by(&mut tx, context, Author::WORKER, chain, &entry, now).await?;
        }
        tx.commit().await?;
        if deleted {
            tracing::info!(
                tenant = %reservation.id, secret = reservation.credentials_secret_name,
                "a tenant whose client secret never arrived was removed"
            );
            gone += 1;
        }
    }
    Ok(gone)
}
