//! Tenants.

pub mod create;
pub mod delete;
pub mod get;
pub mod list;
pub mod purge;
pub mod restore;
pub mod resume;
pub mod suspend;
pub mod template;
pub mod update;

use super::{operations::Operation, respond::accepted};
use crate::{
    domain::{
        blockid::BlockIdConnection,
        condition::Condition,
        deletion::Deletion,
        drift::DriftMode,
        operation::Failure,
        pool::PoolSettings,
        tenant::{self, Labels, Suspension},
    },
    ids::{CellId, PartnerId, TenantId},
    usecases::operations::Watched,
};
use actix_web::HttpResponse;
use chrono::{DateTime, Utc};
use serde::Serialize;

/// A customer: a BlockID connection and a user pool.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Partner it belongs to.
    pub partner_id: PartnerId,
    /// Cell it lives in.
    pub cell_id: CellId,
    /// Name for people, unique at the partner.
    #[schema(example = "Acme customers")]
    pub name: String,
    /// What the partner's own system calls it, unique at the partner.
    #[schema(example = "crm-4711")]
    pub external_id: Option<String>,
    /// Names and values to select tenants by.
    #[schema(value_type = std::collections::BTreeMap<String, String>, example = json!({"plan": "gold"}))]
    pub labels: Labels,
    /// Where it is in its life.
    #[schema(
        pattern = "^(awaiting_secret|active|deleting|purging|deleted)$",
        example = "active"
    )]
    pub state: &'static str,
    /// Whether AWS is as asked: every change that was accepted has arrived.
    pub ready: bool,
    /// Grows with every accepted change.
    pub generation: i64,
    /// The generation that AWS was last brought to.
    pub observed_generation: i64,
    /// How BlockID knows it. The client secret is never shown.
    pub blockid: BlockIdConnection,
    /// Settings of its user pool.
    pub pool: PoolSettings,
    /// Whether it is for trying out: nothing of it is protected against deletion.
    pub sandbox: bool,
    /// Its Cognito user pool, once there is one.
    #[schema(example = "eu-central-1_a1B2c3D4e")]
    pub user_pool_id: Option<String>,
    /// AWS region of its cell.
    #[schema(example = "eu-central-1")]
    pub region: String,
    /// Since when and why its triggers are to refuse everybody; `null` when they are not.
    pub suspension: Option<Suspension>,
    /// Since when it is deleted, from when it can be purged, and how that is going; `null` when it is not deleted.
    pub deletion: Option<Deletion>,
    /// Why the last attempt to bring AWS to what is asked failed, while it does.
    pub last_error: Option<Failure>,
    /// Release of triggers and template that it is to run; `null` where its cell has none registered.
    #[schema(example = "0.4.0-3fa9c1d2")]
    pub wanted_release: Option<String>,
    /// Release that its stack runs, as far as it was brought to one.
    #[schema(example = "0.4.0-3fa9c1d2")]
    pub running_release: Option<String>,
    /// What is done when AWS is found other than wanted: it is reported, or also written back.
    pub drift_mode: DriftMode,
    /// What holds of it at the moment, why, and since when.
    pub conditions: Vec<Condition>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl From<tenant::Tenant> for Tenant {
    fn from(tenant: tenant::Tenant) -> Self {
        Self {
            id: tenant.id,
            partner_id: tenant.partner_id,
            cell_id: tenant.cell_id,
            ready: tenant.ready(),
            conditions: tenant.conditions(),
            drift_mode: tenant.drift_mode,
            name: tenant.name,
            external_id: tenant.external_id,
            labels: tenant.labels,
            state: tenant.state.as_str(),
            deletion: tenant.state.deletion().cloned(),
            generation: tenant.generation,
            observed_generation: tenant.observed_generation,
            blockid: tenant.blockid,
            pool: tenant.pool,
            sandbox: tenant.sandbox,
            user_pool_id: tenant.user_pool_id,
            region: tenant.region,
            suspension: tenant.suspension,
            last_error: tenant.last_error,
            wanted_release: tenant.wanted_release,
            running_release: tenant.running_release,
            created_at: tenant.created_at,
            updated_at: tenant.updated_at,
        }
    }
}

/// A tenant and the operation that was opened for it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AcceptedTenant {
    /// The tenant as asked for.
    pub tenant: Tenant,
    /// The work that brings AWS to it.
    pub operation: Operation,
}

/// 202 with the tenant and the operation.
fn accepted_tenant((tenant, (operation, steps)): (tenant::Tenant, Watched)) -> HttpResponse {
    let id = operation.id;
    accepted(
        &id,
        &AcceptedTenant {
            tenant: Tenant::from(tenant),
            operation: Operation::new(operation, steps),
        },
    )
}
