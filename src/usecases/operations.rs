//! Operations: opened by the use cases that change what is wanted, read by callers.

use super::Request;
use crate::{
    Context, Result,
    domain::{
        actor::PartnerScope,
        operation::{Operation, OperationKind, OperationState, Step},
    },
    ids::{OperationId, TenantId},
    storage,
};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// An operation and its steps, in order.
pub type Watched = (Operation, Vec<Step>);

/// One operation.
pub async fn get(context: &Context, request: &Request, id: OperationId) -> Result<Watched> {
    let scope = request.actor.reader()?;
    storage::operations::get(&mut *context.db.begin(&scope).await?, &scope, id).await
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
    let operation = Operation {
        id: OperationId::generate(&context.ids, subject.now),
        partner_id: scope.partner_id(),
        tenant_id: subject.tenant_id,
        resource_id: subject.resource_id,
        kind: subject.kind,
        target_generation: subject.target_generation,
        state: OperationState::Pending,
        request_id: Some(request.id.clone()),
        traceparent: request.traceparent.clone(),
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
