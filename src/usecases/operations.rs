//! Operations: opened by the use cases that change what is wanted; read, watched and cancelled by callers.

use super::{Request, audit};
use crate::{
    Context, Error, Result,
    domain::{
        actor::PartnerScope,
        audit::{AuditAction, AuditEntry, REASON_MAX_CHARS},
        operation::{Operation, OperationKind, OperationState, Step},
        validation::Problems,
    },
    error::Code,
    ids::{OperationId, TenantId},
    storage::{
        self, Page, PageRequest,
        operations::{ChangedStep, OperationFilter},
    },
};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

/// An operation and its steps, in order.
pub type Watched = (Operation, Vec<Step>);

/// One operation.
#[tracing::instrument(target = "stepgate::trace", name = "operations.get", skip_all)]
pub async fn get(context: &Context, request: &Request, id: OperationId) -> Result<Watched> {
    let scope = request.actor.reader()?;
    storage::operations::get(&mut *context.db.begin(&scope).await?, &scope, id).await
}

/// Operations, newest first.
#[tracing::instrument(target = "stepgate::trace", name = "operations.list", skip_all)]
pub async fn list(
    context: &Context,
    request: &Request,
    filter: &OperationFilter,
    page: &PageRequest,
) -> Result<Page<Watched>> {
    let scope = request.actor.reader()?;
    let mut db = context.db.begin(&scope).await?;
    if let Some(tenant_id) = filter.tenant_id {
        // A foreign tenant is not one without operations: it is not there.
        storage::tenants::get(&mut db, &scope, tenant_id).await?;
    }
    storage::operations::list(&mut db, &scope, filter, page).await
}

/// What became of an operation since a revision.
#[derive(Debug, Clone)]
pub struct Progress {
    /// The operation, whether it changed or not.
    pub operation: Operation,
    /// Every step of it as it is now.
    pub steps: Vec<Step>,
    /// The steps that changed since, in the order of the changes.
    pub changed: Vec<ChangedStep>,
}

/// What became of an operation since `after_revision`; with 0, everything.
#[tracing::instrument(target = "stepgate::trace", name = "operations.progress", skip_all)]
pub async fn progress(
    context: &Context,
    request: &Request,
    id: OperationId,
    after_revision: i64,
) -> Result<Progress> {
    let scope = request.actor.reader()?;
    let mut db = context.db.begin(&scope).await?;
    let (operation, _) = storage::operations::get(&mut db, &scope, id).await?;
    let all = storage::operations::changed_steps(&mut db, id, 0).await?;
    let mut changed: Vec<_> = all
        .iter()
        .filter(|changed| changed.revision > after_revision)
        .cloned()
        .collect();
    changed.sort_by_key(|changed| changed.revision);
    Ok(Progress {
        operation,
        steps: all.into_iter().map(|changed| changed.step).collect(),
        changed,
    })
}

/// Stops the work on an operation. What was asked for stays asked for: the next change of the tenant brings it about
/// too. A step that a worker is in ends where it can be taken up again.
#[tracing::instrument(target = "stepgate::trace", name = "operations.cancel", skip_all)]
pub async fn cancel(
    context: &Context,
    request: &Request,
    id: OperationId,
    reason: String,
) -> Result<Watched> {
    let reads = request.actor.administrator()?;
    let mut tx = context.db.begin(&reads).await?;
    let (found, _) = storage::operations::get(&mut tx, &reads, id).await?;
    let scope = request.actor.administrator_of(found.partner_id)?;
    // The worker writes under the same lock: from here on the operation stands still.
    storage::tenants::lock(&mut tx, &scope, found.tenant_id).await?;
    let (operation, _) = storage::operations::get(&mut tx, &reads, id).await?;
    let mut problems = Problems::new();
    problems.name("/reason", &reason, REASON_MAX_CHARS);
    problems.finish()?;
    let refused = |detail: String| Err(Error::new(Code::OperationState, detail));
    if operation.state.has_ended() {
        return refused(format!("The operation is {} already.", operation.state.name()));
    }
    if !operation.kind.may_be_cancelled() {
        return refused(format!("What a {} asks for is carried through.", operation.kind));
    }
    let now = context.clock.now();
    storage::operations::cancel(&mut tx, &scope, id, now).await?;
    let stopped = storage::operations::stop_work(&mut tx, &scope, operation.tenant_id).await?;
    let entry = AuditEntry {
        tenant_id: Some(operation.tenant_id),
        resource_id: id.to_string(),
        action: AuditAction::OperationCancelled,
        reason,
        detail: json!({ "kind": operation.kind, "was": operation.state.name() }),
    };
    audit::record(&mut tx, context, request, &scope, &entry, now).await?;
    let watched = storage::operations::get(&mut tx, &reads, id).await?;
    tx.commit().await?;
    tracing::info!(operation_id = %id, tenant_id = %operation.tenant_id, stopped, "operation cancelled");
    Ok(watched)
}

/// What an operation is about.
pub(super) struct Subject {
    pub(super) kind: OperationKind,
    pub(super) tenant_id: TenantId,
    pub(super) resource_id: String,
    pub(super) target_generation: i64,
    pub(super) now: DateTime<Utc>,
}

/// Opens an operation in the transaction that changes what is wanted.
pub(super) async fn open(
    tx: &mut PgConnection,
    context: &Context,
    request: &Request,
    scope: &PartnerScope,
    subject: Subject,
) -> Result<Watched> {
    open_for(tx, context, Some(request), scope, subject).await
}

/// As [`open`], also for the worker, which acts without a request.
pub(super) async fn open_for(
    tx: &mut PgConnection,
    context: &Context,
    request: Option<&Request>,
    scope: &PartnerScope,
    subject: Subject,
) -> Result<Watched> {
    let operation = Operation {
        id: OperationId::generate(&context.ids, subject.now),
        partner_id: scope.partner_id(),
        tenant_id: subject.tenant_id,
        resource_id: subject.resource_id,
        kind: subject.kind,
        target_generation: subject.target_generation,
        state: OperationState::Pending,
        revision: 0,
        request_id: request.map(|request| request.id.clone()),
        traceparent: request.and_then(|request| request.traceparent.clone()),
        report: None,
        created_at: subject.now,
    };
    storage::operations::insert(tx, scope, &operation).await?;
    // Its steps can be watched from the first answer on.
    storage::reconcile_steps::plan(tx, operation.id, operation.kind).await?;
    let steps = storage::operations::steps(tx, operation.id).await?;
    tracing::info!(
        operation_id = %operation.id, tenant_id = %operation.tenant_id, kind = %operation.kind,
        target_generation = operation.target_generation, "operation opened"
    );
    Ok((operation, steps))
}
