//! Exemptions.

use super::{Cursor, Page, PageRequest};
use crate::{
    Error, Result,
    domain::{
        actor::{OperatorScope, PartnerScope, ReadScope},
        exemption::{Approval, Exemption, ExemptionStage, ExemptionState},
        user::UserSub,
    },
    ids::{AppId, ExemptionId, PartnerId, TenantId},
};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use std::collections::HashMap;
use step_up::policy_item;

struct Row {
    id: ExemptionId,
    partner_id: PartnerId,
    tenant_id: TenantId,
    app_id: AppId,
    user_sub: Option<String>,
    reason: String,
    duration_min: i32,
    state: String,
    asked_by: String,
    created_at: DateTime<Utc>,
    approved_by: Option<String>,
    approved_at: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for Exemption {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let approval = row
            .approved_by
            .zip(row.approved_at)
            .zip(row.expires_at)
            .map(|((by, at), expires_at)| Approval { by, at, expires_at });
        let user_sub = row.user_sub.map(|sub| sub.parse::<UserSub>()).transpose();
        Ok(Self {
            id: row.id,
            partner_id: row.partner_id,
            tenant_id: row.tenant_id,
            app_id: row.app_id,
            user_sub: user_sub.map_err(Error::internal)?,
            reason: row.reason,
            duration_min: u32::try_from(row.duration_min).map_err(Error::internal)?,
            asked_by: row.asked_by,
            created_at: row.created_at,
            state: ExemptionState::from_columns(row.state.parse()?, approval, row.ended_at)?,
        })
    }
}

/// Adds one that was asked for; its tenant must be locked by this transaction.
pub async fn insert(tx: &mut PgConnection, scope: &PartnerScope, exemption: &Exemption) -> Result<()> {
    sqlx::query!(
        "INSERT INTO exemptions
             (id, partner_id, tenant_id, app_id, user_sub, reason, duration_min, state, asked_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', $8, $9)",
        exemption.id as ExemptionId,
        scope.partner_id() as PartnerId,
        exemption.tenant_id as TenantId,
        exemption.app_id as AppId,
        exemption.user_sub.as_ref().map(UserSub::as_str),
        exemption.reason,
        i32::try_from(exemption.duration_min).map_err(Error::internal)?,
        exemption.asked_by,
        exemption.created_at
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Writes where an exemption is in its life.
pub async fn set_state(tx: &mut PgConnection, scope: &PartnerScope, exemption: &Exemption) -> Result<()> {
    let approval = exemption.state.approval();
    sqlx::query!(
        "UPDATE exemptions SET state = $3, approved_by = $4, approved_at = $5, expires_at = $6, ended_at = $7
         WHERE id = $1 AND partner_id = $2",
        exemption.id as ExemptionId,
        scope.partner_id() as PartnerId,
        exemption.state.stage().as_str(),
        approval.map(|approval| approval.by.as_str()),
        approval.map(|approval| approval.at),
        approval.map(|approval| approval.expires_at),
        exemption.state.ended_at()
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// One exemption of a tenant.
pub async fn get(
    db: &mut PgConnection,
    scope: &ReadScope,
    tenant_id: TenantId,
    id: ExemptionId,
) -> Result<Exemption> {
    sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: ExemptionId", partner_id AS "partner_id: PartnerId", tenant_id AS "tenant_id: TenantId",
                  app_id AS "app_id: AppId", user_sub, reason, duration_min, state, asked_by, created_at, approved_by,
                  approved_at, expires_at, ended_at
           FROM exemptions WHERE id = $1 AND tenant_id = $2 AND ($3::text IS NULL OR partner_id = $3)"#,
        id as ExemptionId,
        tenant_id as TenantId,
        scope.partner_id() as Option<PartnerId>
    )
    .fetch_optional(db)
    .await?
    .ok_or_else(|| Error::not_found("exemption"))?
    .try_into()
}

/// Exemptions of a tenant, oldest first, in one stage or in any. The tenant's own visibility is the caller's to check.
pub async fn list(
    db: &mut PgConnection,
    scope: &ReadScope,
    tenant_id: TenantId,
    stage: Option<ExemptionStage>,
    request: &PageRequest,
) -> Result<Page<Exemption>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: ExemptionId", partner_id AS "partner_id: PartnerId", tenant_id AS "tenant_id: TenantId",
                  app_id AS "app_id: AppId", user_sub, reason, duration_min, state, asked_by, created_at, approved_by,
                  approved_at, expires_at, ended_at
           FROM exemptions
           WHERE tenant_id = $1 AND ($2::text IS NULL OR partner_id = $2) AND ($3::text IS NULL OR state = $3)
             AND ($4::timestamptz IS NULL OR (created_at, id) > ($4, $5))
           ORDER BY created_at, id LIMIT $6"#,
        tenant_id as TenantId,
        scope.partner_id() as Option<PartnerId>,
        stage.map(ExemptionStage::as_str),
        request.after_time(),
        request.after_id(),
        request.fetch()
    )
    .fetch_all(db)
    .await?;
    let exemptions = rows
        .into_iter()
        .map(Exemption::try_from)
        .collect::<Result<Vec<_>>>()?;
    Ok(request.page(exemptions, |exemption: &Exemption| Cursor {
        created_at: exemption.created_at,
        id: exemption.id.to_string(),
    }))
}

/// Exemptions in force for a user of a tenant, by name or with everybody at an app.
pub async fn in_force_for(
    db: &mut PgConnection,
    scope: &ReadScope,
    tenant_id: TenantId,
    user_sub: &UserSub,
    now: DateTime<Utc>,
) -> Result<Vec<Exemption>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: ExemptionId", partner_id AS "partner_id: PartnerId", tenant_id AS "tenant_id: TenantId",
                  app_id AS "app_id: AppId", user_sub, reason, duration_min, state, asked_by, created_at, approved_by,
                  approved_at, expires_at, ended_at
           FROM exemptions
           WHERE tenant_id = $1 AND ($2::text IS NULL OR partner_id = $2) AND state = 'approved' AND expires_at > $4
             AND (user_sub IS NULL OR user_sub = $3)
           ORDER BY created_at, id"#,
        tenant_id as TenantId,
        scope.partner_id() as Option<PartnerId>,
        user_sub.as_str(),
        now
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Exemption::try_from).collect()
}

/// How many exemptions of an app are pending or in force.
pub async fn live_of_app(tx: &mut PgConnection, scope: &PartnerScope, app_id: AppId) -> Result<i64> {
    let live = sqlx::query_scalar!(
        r#"SELECT count(*) AS "live!" FROM exemptions
           WHERE app_id = $1 AND partner_id = $2 AND state IN ('pending', 'approved')"#,
        app_id as AppId,
        scope.partner_id() as PartnerId
    )
    .fetch_one(tx)
    .await?;
    Ok(live)
}

/// What the triggers are told of a tenant's approved exemptions, by app. For the worker, which holds a claim. One whose
/// time is over is among them until it is marked: the triggers compare the time themselves.
pub(super) async fn approved(
    db: &mut PgConnection,
    tenant_id: TenantId,
) -> Result<HashMap<String, Vec<policy_item::Exemption>>> {
    let rows = sqlx::query!(
        r#"SELECT id, app_id, user_sub, expires_at AS "expires_at!" FROM exemptions
           WHERE tenant_id = $1 AND state = 'approved' ORDER BY id"#,
        tenant_id as TenantId
    )
    .fetch_all(db)
    .await?;
    let mut by_app: HashMap<String, Vec<policy_item::Exemption>> = HashMap::new();
    for row in rows {
        by_app
            .entry(row.app_id)
            .or_default()
            .push(policy_item::Exemption {
                id: row.id,
                user_sub: row.user_sub,
                expires_at_unix_s: row.expires_at.timestamp(),
            });
    }
    Ok(by_app)
}

/// Some exemptions whose time may be over, with their tenants, whoever's they are.
pub async fn overdue(
    db: &mut PgConnection,
    _scope: &OperatorScope,
    now: DateTime<Utc>,
    asked_before: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<(PartnerId, TenantId, ExemptionId)>> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: ExemptionId", partner_id AS "partner_id: PartnerId", tenant_id AS "tenant_id: TenantId"
           FROM exemptions
           WHERE (state = 'approved' AND expires_at <= $1) OR (state = 'pending' AND created_at <= $2)
           ORDER BY coalesce(expires_at, created_at) LIMIT $3"#,
        now,
        asked_before,
        limit
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.partner_id, row.tenant_id, row.id))
        .collect())
}
