//! Older versions of policies: read, compared. Writing one back is a `put` like any other.

use super::Request;
use crate::{
    Context, Result,
    domain::policy::PolicyVersionHead,
    ids::{AppId, TenantId},
    storage::{self, Page, PageRequest},
};
use step_up::policy::{self, Change, PolicyDocument};

/// Versions of an app's policy, newest first.
#[tracing::instrument(target = "stepgate::trace", name = "policy_versions.list", skip_all)]
pub async fn list(
    context: &Context,
    request: &Request,
    (tenant_id, app_id): (TenantId, AppId),
    page: &PageRequest,
) -> Result<Page<PolicyVersionHead>> {
    let scope = request.actor.reader()?;
    let mut db = context.db.begin(&scope).await?;
    storage::apps::get(&mut db, &scope, tenant_id, app_id).await?;
    storage::policies::list(&mut db, &scope, app_id, page).await
}

/// One version.
#[tracing::instrument(target = "stepgate::trace", name = "policy_versions.get", skip_all)]
pub async fn get(
    context: &Context,
    request: &Request,
    ids: (TenantId, AppId),
    version: i64,
) -> Result<(PolicyVersionHead, PolicyDocument)> {
    let scope = request.actor.reader()?;
    storage::policies::version(&mut *context.db.begin(&scope).await?, &scope, ids, version).await
}

/// What differs from version `from` to version `to`.
#[tracing::instrument(target = "stepgate::trace", name = "policy_versions.diff", skip_all)]
pub async fn diff(
    context: &Context,
    request: &Request,
    ids: (TenantId, AppId),
    (from, to): (i64, i64),
) -> Result<Vec<Change>> {
    let scope = request.actor.reader()?;
    let mut db = context.db.begin(&scope).await?;
    let (_, to) = storage::policies::version(&mut db, &scope, ids, to).await?;
    let (_, from) = storage::policies::version(&mut db, &scope, ids, from).await?;
    Ok(policy::diff(&from, &to))
}
