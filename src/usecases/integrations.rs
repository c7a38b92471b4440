//! What an app developer must know of an app: where it signs in, and what its tenant and policy ask of it.

use super::Request;
use crate::{
    Context, Result,
    domain::{app::App, policy::PolicyVersion, tenant::Tenant},
    ids::{AppId, TenantId},
    storage,
};

/// An app with its tenant and the newest version of its policy, as of one moment.
#[derive(Debug, Clone)]
pub struct Integration {
    /// The tenant.
    pub tenant: Tenant,
    /// The app.
    pub app: App,
    /// Its policy.
    pub policy: PolicyVersion,
}

/// Everything that integrating an app needs.
#[tracing::instrument(target = "stepgate::trace", name = "integrations.get", skip_all)]
pub async fn get(
    context: &Context,
    request: &Request,
    tenant_id: TenantId,
    app_id: AppId,
) -> Result<Integration> {
    let scope = request.actor.reader()?;
    let mut db = context.db.begin(&scope).await?;
    Ok(Integration {
        tenant: storage::tenants::get(&mut db, &scope, tenant_id).await?,
        app: storage::apps::get(&mut db, &scope, tenant_id, app_id).await?,
        policy: storage::policies::current(&mut db, &scope, tenant_id, app_id).await?,
    })
}
