//! Since when the conditions of a tenant have been as they are.

use super::tenants;
use crate::{
    Result,
    domain::{actor::OperatorScope, condition},
    ids::TenantId,
};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};

/// Writes down which conditions of a tenant changed. To be called at the end of every transaction that changes what
/// they are derived from; that the caller may touch the tenant is the caller's to check.
pub async fn settle(tx: &mut PgConnection, id: TenantId, now: DateTime<Utc>) -> Result<()> {
    let tenant = tenants::get(&mut *tx, &OperatorScope::worker().into(), id).await?;
    let times = condition::times(&tenant, now);
    if times == tenant.condition_times {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE tenants SET conditions = $2 WHERE id = $1",
        id as TenantId,
        Json(&times) as _
    )
    .execute(tx)
    .await?;
    Ok(())
}
