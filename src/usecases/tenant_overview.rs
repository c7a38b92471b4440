//! How the tenants that a caller may see are, at a glance.

use super::Request;
use crate::{
    Context, Result,
    domain::tenant_overview::{TenantCondition, TroubledTenant},
    storage,
};

/// Tenants that are shown by name.
const SHOWN: i64 = 10;

/// How they are.
#[derive(Debug)]
pub struct TenantOverview {
    /// How many are in each condition.
    pub counts: Vec<(TenantCondition, i64)>,
    /// Some that somebody should look at.
    pub troubled: Vec<TroubledTenant>,
}

impl TenantOverview {
    /// How many there are.
    pub fn total(&self) -> i64 {
        self.counts.iter().map(|(_, tenants)| tenants).sum()
    }
}

/// Of everything that the caller may see.
#[tracing::instrument(target = "stepgate::trace", name = "tenant_overview.get", skip_all)]
pub async fn get(context: &Context, request: &Request) -> Result<TenantOverview> {
    let scope = request.actor.reader()?;
    let mut db = context.db.begin(&scope).await?;
    Ok(TenantOverview {
        counts: storage::tenant_overview::count(&mut db, &scope).await?,
        troubled: storage::tenant_overview::troubled(&mut db, &scope, SHOWN).await?,
    })
}
