//! What the reconciler has to tell webhooks, in the transaction that makes it true.

use crate::{
    Context, Result,
    domain::{
        actor::OperatorScope,
        deletion::PurgeReport,
        operation::{Failure, OperationKind},
        provisioning::Desired,
        webhook::{Announcement, EventType},
    },
    storage::{
        Tx,
        webhook_outbox::{self, Ending},
    },
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

/// Operations that end with a pass that reaches `generation`. To be asked before they are ended.
pub(super) async fn ending(tx: &mut Tx, desired: &Desired, generation: i64) -> Result<Vec<Ending>> {
    webhook_outbox::ending_operations(tx, &OperatorScope::worker(), desired.tenant_id, generation).await
}

/// What the end of an operation of this kind tells beside that the tenant is ready.
const fn told_by(kind: OperationKind) -> Option<EventType> {
    match kind {
        OperationKind::UpdatePolicy => Some(EventType::PolicyChanged),
        OperationKind::ChangeConnection => Some(EventType::RotationDone),
        OperationKind::DeleteTenant => Some(EventType::TenantDeleted),
        OperationKind::CreateTenant
        | OperationKind::UpdateTenant
        | OperationKind::CreateApp
        | OperationKind::UpdateApp
        | OperationKind::DeleteApp
        | OperationKind::ApproveExemption
        | OperationKind::EndExemption
        | OperationKind::RecordPilot
        | OperationKind::UpdateMethods
        | OperationKind::ChangeRelease
        | OperationKind::HealDrift
        | OperationKind::SuspendTenant
        | OperationKind::ResumeTenant
        | OperationKind::RestoreTenant
        // Told by what ends it.
        | OperationKind::PurgeTenant => None,
    }
}

/// The tenant is as asked.
pub(super) async fn converged(
    tx: &mut Tx,
    context: &Context,
    desired: &Desired,
    ended: &[Ending],
    now: DateTime<Utc>,
) -> Result<()> {
    for (operation_id, kind, resource_id) in ended {
        let Some(event) = told_by(*kind) else { continue };
        let app = desired.apps.iter().find(|app| app.id.to_string() == *resource_id);
        let data = json!({
            "tenant_id": desired.tenant_id,
            "resource_id": resource_id,
            "operation_id": operation_id,
            "policy_version": app.map(|app| app.policy_version),
        });
        let announcement = about(desired, event, resource_id.clone(), data);
        webhook_outbox::announce(tx, desired.partner_id, &announcement, &context.ids, now).await?;
    }
    if desired.deleted {
        return Ok(());
    }
    let data = json!({
        "tenant_id": desired.tenant_id,
        "generation": desired.generation,
        "user_pool_id": desired.observed.user_pool_id,
        "operations": operations(ended),
    });
    let announcement = about(
        desired,
        EventType::TenantReady,
        desired.tenant_id.to_string(),
        data,
    );
    webhook_outbox::announce(tx, desired.partner_id, &announcement, &context.ids, now).await
}

/// The tenant is gone.
pub(super) async fn purged(
    tx: &mut Tx,
    context: &Context,
    desired: &Desired,
    report: &PurgeReport,
    now: DateTime<Utc>,
) -> Result<()> {
    let data = json!({ "tenant_id": desired.tenant_id, "report": report });
    let subject = desired.tenant_id.to_string();
    let announcement = about(desired, EventType::TenantPurged, subject, data);
    webhook_outbox::announce(tx, desired.partner_id, &announcement, &context.ids, now).await
}

/// What was asked was given up.
pub(super) async fn given_up(
    tx: &mut Tx,
    context: &Context,
    desired: &Desired,
    ended: &[Ending],
    failure: &Failure,
    now: DateTime<Utc>,
) -> Result<()> {
    let data = json!({
        "tenant_id": desired.tenant_id,
        "generation": desired.generation,
        "failure": failure,
        "operations": operations(ended),
    });
    let announcement = about(
        desired,
        EventType::TenantFailed,
        desired.tenant_id.to_string(),
        data,
    );
    webhook_outbox::announce(tx, desired.partner_id, &announcement, &context.ids, now).await
}

fn about(desired: &Desired, event: EventType, subject: String, data: Value) -> Announcement {
    Announcement {
        kind: event.as_str(),
        tenant_id: Some(desired.tenant_id),
        subject,
        data,
    }
}

fn operations(ended: &[Ending]) -> Vec<Value> {
    ended
        .iter()
        .map(|(id, kind, resource_id)| json!({"id": id, "kind": kind, "resource_id": resource_id}))
        .collect()
}
