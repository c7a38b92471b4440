//! Removes app clients that were made beside the one in their app's row: the call that made one was not answered, or its
//! worker was killed, or it took effect after the next worker had looked ([`crate::domain::app_client`]).
//!
//! Workers share by claims in the database: a look that is claimed is due again only when it is taken for lost. No claim
//! of the tenant is needed, because an app's client is written into its row once and then never changed.

use crate::{
    Context,
    domain::{actor::OperatorScope, app_client::next_look},
    storage::{self, app_clients::DueLook},
};
use chrono::TimeDelta;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Pause between rounds.
const EVERY: Duration = Duration::from_secs(5);
/// Looks of one round; what is left over comes with the next.
const LIMIT: i64 = 20;
/// When a look that was begun is taken for lost.
const LEASE: TimeDelta = TimeDelta::minutes(2);

/// Looks until `stop`.
pub async fn run(context: &Context, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = look_through(context).await {
            tracing::warn!(%error, "pools cannot be looked through for surplus app clients at the moment");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// One round; returns how many clients it removed.
pub async fn look_through(context: &Context) -> crate::Result<usize> {
    let scope = OperatorScope::worker();
    let now = context.clock.now();
    let due = {
        let mut tx = context.db.begin(&scope).await?;
        let due = storage::app_clients::claim_looks(&mut tx, &scope, LIMIT, now, now + LEASE).await?;
        tx.commit().await?;
        due
    };
    let mut removed = 0;
    for look in due {
        match remove(context, &look).await {
            Ok(found) => removed += found,
            Err(error) => {
                // It is due again when the claim ends.
                tracing::warn!(tenant = %look.tenant_id, app = %look.app_id, %error, "surplus app clients stay for now");
            }
        }
    }
    Ok(removed)
}

async fn remove(context: &Context, look: &DueLook) -> crate::Result<usize> {
    let scope = OperatorScope::worker();
    let cell = {
        let mut db = context.db.begin(&scope).await?;
        storage::cells::get(&mut db, &scope, look.cell_id).await?
    };
    // What was made before this moment is in the list, or in the next one.
    let now = context.clock.now();
    let mut removed = 0;
    if let Some(pool_id) = &look.user_pool_id {
        let cognito = context
            .in_cell(cell.access.as_ref())
            .await
            .aws
            .cognito(&cell.region);
        let present = match cognito.clients(pool_id).await {
            Err(error) if error.is_not_found() => Vec::new(),
            present => present.map_err(crate::Error::internal)?,
        };
        let name = look.app_id.to_string();
        for client in present {
            if client.name == name && Some(&client.client_id) != look.keeps.as_ref() {
                let deleted = cognito.delete_client(pool_id, &client.client_id).await;
                deleted.map_err(crate::Error::internal)?;
                removed += 1;
                tracing::info!(
                    tenant = %look.tenant_id, app = %look.app_id, client_id = client.client_id,
                    "an app client that an unanswered call had made was removed"
                );
            }
        }
    }
    let mut tx = context.db.begin(&scope).await?;
    storage::app_clients::looked(&mut tx, &scope, look, next_look(look.asked_at, now)).await?;
    tx.commit().await?;
    Ok(removed)
}
