//! The end of a tenant: deleted and restored, and, asked for again and confirmed, purged.

use super::{Request, audit, operations, users::asked};
use crate::{
    Context, Error, Result,
    domain::{
        actor::{PartnerScope, Role},
        audit::{AuditAction, AuditEntry, REASON_MAX_CHARS},
        deletion::{Purge, PurgeConfirmation},
        operation::OperationKind,
        tenant::{Tenant, TenantState},
        validation::Problems,
    },
    error::Code,
    ids::TenantId,
    storage::{self, Tx, deletions},
};
use chrono::TimeDelta;
use serde_json::{Value, json};

/// Shuts a tenant: its triggers refuse everybody, as when it is suspended. Nothing is removed, and it can be restored.
/// Work on it that was not done is not done any more.
#[tracing::instrument(target = "stepgate::trace", name = "deletions.delete", skip_all)]
pub async fn delete(
    context: &Context,
    request: &Request,
    id: TenantId,
) -> Result<(Tenant, operations::Watched)> {
    let mut locked = lock(context, request, id).await?;
    let now = context.clock.now();
    let grace = &context.config.grace;
    let days = if locked.tenant.sandbox {
        grace.sandbox_days
    } else {
        grace.tenant_days
    };
    let state = locked
        .tenant
        .state
        .clone()
        .delete(now, TimeDelta::days(i64::from(days)))?;
    let scope = locked.scope;
    let open = deletions::open_operations(&mut locked.tx, &scope, id).await?;
    for operation in open {
        storage::operations::cancel(&mut locked.tx, &scope, operation, now).await?;
    }
    let detail = json!({ "purge_from": state.deletion().map(|deletion| deletion.purge_from) });
    let change = Change {
        state,
        kind: OperationKind::DeleteTenant,
        action: AuditAction::TenantDeleted,
        reason: String::new(),
        detail,
    };
    locked.store(context, request, change).await
}

/// Brings a deleted tenant back to all that is asked of it.
#[tracing::instrument(target = "stepgate::trace", name = "deletions.restore", skip_all)]
pub async fn restore(
    context: &Context,
    request: &Request,
    id: TenantId,
    reason: String,
) -> Result<(Tenant, operations::Watched)> {
    let locked = lock(context, request, id).await?;
    check_reason(&reason)?;
    let change = Change {
        state: locked.tenant.state.clone().restore()?,
        kind: OperationKind::RestoreTenant,
        action: AuditAction::TenantRestored,
        reason,
        detail: json!({}),
    };
    locked.store(context, request, change).await
}

/// How a tenant is to be purged.
#[derive(Debug)]
pub struct Wanted {
    /// Whether the user pool stays, with its users and their links.
    pub retain_user_pool: bool,
    /// Whether users may be deleted whom nobody has exported.
    pub without_export: bool,
    /// Whether it is purged although it could still be restored; for operators.
    pub before_its_time: bool,
    /// What was told as `confirmation`.
    pub confirm: Option<String>,
    /// Why.
    pub reason: String,
}

/// Removes a deleted tenant for good. Asked again while that is under way, it goes on as it was confirmed.
#[tracing::instrument(target = "stepgate::trace", name = "deletions.purge", skip_all)]
pub async fn purge(
    context: &Context,
    request: &Request,
    id: TenantId,
    wanted: Wanted,
) -> Result<(Tenant, operations::Watched)> {
    let users = count_users(context, request, id).await?;
    let mut locked = lock(context, request, id).await?;
    check_reason(&wanted.reason)?;
    if wanted.before_its_time && request.actor.role != Role::Operator {
        return Err(Error::new(
            Code::Forbidden,
            "Only an operator may have a tenant purged that can still be restored.",
        ));
    }
    let tenant = &locked.tenant;
    let goes_on = matches!(tenant.state, TenantState::Purging(_));
    let purge = Purge {
        since: context.clock.now(),
        retain_user_pool: wanted.retain_user_pool,
        without_export: wanted.without_export,
    };
    let in_pool = tenant.user_pool_id.as_ref().map(|_| users);
    let state = tenant
        .state
        .clone()
        .purge(purge, wanted.before_its_time, in_pool)?;
    if !goes_on {
        let reads = locked.scope.into();
        let key = storage::tenants::event_hash_key(&mut locked.tx, &reads, id).await?;
        let confirmation = PurgeConfirmation {
            key: &key,
            tenant_id: id,
            user_pool_id: locked.tenant.user_pool_id.as_deref(),
            retain_user_pool: wanted.retain_user_pool,
            users,
            apps: deletions::count_apps(&mut locked.tx, &reads, id).await?,
        };
        confirmation.check(wanted.confirm.as_deref(), purge.since)?;
    }
    let confirmed = state.deletion().and_then(|deletion| deletion.purge);
    let change = Change {
        detail: json!({ "purge": confirmed, "users": users, "before_its_time": wanted.before_its_time }),
        state,
        kind: OperationKind::PurgeTenant,
        action: AuditAction::TenantPurgeAsked,
        reason: wanted.reason,
    };
    locked.store(context, request, change).await
}

/// Users in the pool of a tenant that can be purged, by Cognito's estimate. Asked before the tenant is locked.
async fn count_users(context: &Context, request: &Request, id: TenantId) -> Result<i64> {
    let reads = request.actor.administrator()?;
    let tenant = storage::tenants::get(&mut *context.db.begin(&reads).await?, &reads, id).await?;
    let (TenantState::Deleting { .. }, Some(pool_id)) = (&tenant.state, &tenant.user_pool_id) else {
        return Ok(0);
    };
    let aws = context.aws.within(tenant.access.as_ref()).await;
    let pool = asked(aws.cognito(&tenant.region).pool(pool_id)).await?;
    Ok(pool.map_or(0, |pool| i64::from(pool.estimated_users)))
}

fn check_reason(reason: &str) -> Result<()> {
    let mut problems = Problems::new();
    problems.name("/reason", reason, REASON_MAX_CHARS);
    problems.finish()
}

/// A tenant held against other changes, for somebody who may administer it.
struct Locked {
    tx: Tx,
    scope: PartnerScope,
    tenant: Tenant,
}

async fn lock(context: &Context, request: &Request, id: TenantId) -> Result<Locked> {
    let reads = request.actor.administrator()?;
    let mut tx = context.db.begin(&reads).await?;
    let partner_id = storage::tenants::get(&mut tx, &reads, id).await?.partner_id;
    let scope = request.actor.administrator_of(partner_id)?;
    let tenant = storage::tenants::lock(&mut tx, &scope, id).await?;
    Ok(Locked { tx, scope, tenant })
}

/// The next state of a tenant, and what is told of it.
struct Change {
    state: TenantState,
    kind: OperationKind,
    action: AuditAction,
    reason: String,
    detail: Value,
}

impl Locked {
    /// Stores the state, opens the operation that brings it about, writes it down.
    async fn store(
        mut self,
        context: &Context,
        request: &Request,
        change: Change,
    ) -> Result<(Tenant, operations::Watched)> {
        let (tx, scope, id) = (&mut self.tx, &self.scope, self.tenant.id);
        let now = context.clock.now();
        deletions::set_state(tx, scope, id, &change.state).await?;
        let target_generation = storage::tenants::bump_generation(tx, scope, id, now).await?;
        let entry = AuditEntry {
            tenant_id: Some(id),
            resource_id: id.to_string(),
            action: change.action,
            reason: change.reason,
            detail: change.detail,
        };
        audit::record(tx, context, request, scope, &entry, now).await?;
        let subject = operations::Subject {
            kind: change.kind,
            tenant_id: id,
            resource_id: id.to_string(),
            target_generation,
            now,
        };
        let operation = operations::open(tx, context, request, scope, subject).await?;
        let tenant = storage::tenants::get(tx, &(*scope).into(), id).await?;
        self.tx.commit().await?;
        Ok((tenant, operation))
    }
}
