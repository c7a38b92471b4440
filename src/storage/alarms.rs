//! Alarms: thresholds of tenants, what the rollups say of a window, and what was raised.
//!
//! One worker at a time judges ([`begin_evaluation`]), in a transaction that ends with what it raised and cleared.

use super::{Cursor, Page, PageRequest};
use crate::{
    Error, Result,
    domain::{
        actor::{OperatorScope, PartnerScope, ReadScope},
        alarm::{
            Alarm, AlarmKind, AlarmSettings, AlarmState, ClearCause, PROVIDER_REASONS, Seen, Thresholds,
        },
    },
    ids::{AlarmId, PartnerId, TenantId},
    reporting::histogram::Histogram,
};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use std::collections::HashMap;
use step_up::reason::Reason;

/// What a tenant is watched for. Its visibility is the caller's to check.
pub async fn settings(
    db: &mut PgConnection,
    scope: &ReadScope,
    tenant_id: TenantId,
) -> Result<AlarmSettings> {
    let row = sqlx::query!(
        "SELECT version, thresholds, updated_at FROM alarm_settings
         WHERE tenant_id = $1 AND ($2::text IS NULL OR partner_id = $2)",
        tenant_id as TenantId,
        scope.partner_id() as Option<PartnerId>
    )
    .fetch_optional(db)
    .await?;
    Ok(match row {
        None => AlarmSettings::default(),
        Some(row) => AlarmSettings {
            version: row.version,
            thresholds: serde_json::from_value(row.thresholds)?,
            updated_at: Some(row.updated_at),
        },
    })
}

/// Writes what a tenant is watched for; the tenant must be locked by this transaction.
pub async fn put_settings(
    tx: &mut PgConnection,
    scope: &PartnerScope,
    tenant_id: TenantId,
    settings: &AlarmSettings,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO alarm_settings (tenant_id, partner_id, version, thresholds, updated_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (tenant_id) DO UPDATE SET version = excluded.version, thresholds = excluded.thresholds,
             updated_at = excluded.updated_at",
        tenant_id as TenantId,
        scope.partner_id() as PartnerId,
        settings.version,
        serde_json::to_value(&settings.thresholds)?,
        now
    )
    .execute(tx)
    .await?;
    Ok(())
}

struct Row {
    id: AlarmId,
    partner_id: PartnerId,
    tenant_id: TenantId,
    kind: String,
    threshold: f64,
    window_min: i32,
    value: f64,
    sample: i64,
    raised_at: DateTime<Utc>,
    last_breach_at: DateTime<Utc>,
    cleared_at: Option<DateTime<Utc>>,
    cleared_because: Option<String>,
    cleared_value: Option<f64>,
}

impl TryFrom<Row> for Alarm {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            partner_id: row.partner_id,
            tenant_id: row.tenant_id,
            kind: row.kind.parse()?,
            state: match row.cleared_at {
                None => AlarmState::Raised,
                Some(_) => AlarmState::Cleared,
            },
            threshold: row.threshold,
            window_min: row.window_min,
            value: row.value,
            sample: row.sample,
            raised_at: row.raised_at,
            last_breach_at: row.last_breach_at,
            cleared_at: row.cleared_at,
            cleared_because: row.cleared_because.map(|cause| cause.parse()).transpose()?,
            cleared_value: row.cleared_value,
        })
    }
}

/// What is looked for; absent means any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sought {
    /// Tenant.
    pub tenant_id: Option<TenantId>,
    /// Kind.
    pub kind: Option<AlarmKind>,
    /// On or over.
    pub state: Option<AlarmState>,
}

/// Alarms, newest first.
pub async fn list(
    db: &mut PgConnection,
    scope: &ReadScope,
    sought: &Sought,
    page: &PageRequest,
) -> Result<Page<Alarm>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: AlarmId", partner_id AS "partner_id: PartnerId", tenant_id AS "tenant_id: TenantId", kind,
                  threshold, window_min, value, sample, raised_at, last_breach_at, cleared_at, cleared_because, cleared_value
           FROM alarms
           WHERE ($1::text IS NULL OR partner_id = $1) AND ($2::text IS NULL OR tenant_id = $2)
             AND ($3::text IS NULL OR kind = $3)
             AND ($4::text IS NULL OR (cleared_at IS NULL) = ($4 = 'raised'))
             AND ($5::timestamptz IS NULL OR (raised_at, id) < ($5, $6))
           ORDER BY raised_at DESC, id DESC LIMIT $7"#,
        scope.partner_id() as Option<PartnerId>,
        sought.tenant_id as Option<TenantId>,
        sought.kind.map(AlarmKind::as_str),
        sought.state.map(AlarmState::as_str),
        page.after_time(),
        page.after_id(),
        page.fetch()
    )
    .fetch_all(db)
    .await?;
    let alarms = rows
        .into_iter()
        .map(Alarm::try_from)
        .collect::<Result<Vec<_>>>()?;
    Ok(page.page(alarms, |alarm: &Alarm| Cursor {
        created_at: alarm.raised_at,
        id: alarm.id.to_string(),
    }))
}

/// Claims the judging of everything up to `until`; `false` when that was done, or something later. Another worker that
/// claims at the same time waits for the end of this transaction, and does it if this one fails.
pub async fn begin_evaluation(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    until: DateTime<Utc>,
) -> Result<bool> {
    let moved = sqlx::query!(
        "UPDATE alarm_evaluations SET evaluated_until = $1 WHERE evaluated_until < $1",
        until
    )
    .execute(tx)
    .await?;
    Ok(moved.rows_affected() == 1)
}

/// A tenant that has something to be judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Watched {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Its partner.
    pub partner_id: PartnerId,
    /// What it is watched for.
    pub thresholds: Thresholds,
}

/// Tenants with events since `from`, and those with a raised alarm.
pub async fn watched(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Vec<Watched>> {
    let rows = sqlx::query!(
        r#"SELECT t.id AS "tenant_id: TenantId", t.partner_id AS "partner_id: PartnerId",
                  s.thresholds AS "thresholds?: Value"
           FROM tenants t LEFT JOIN alarm_settings s ON s.tenant_id = t.id
           WHERE EXISTS (SELECT FROM step_up_minutes m WHERE m.tenant_id = t.id AND m.slice >= $1 AND m.slice < $2)
              OR EXISTS (SELECT FROM alarms r WHERE r.tenant_id = t.id AND r.cleared_at IS NULL)"#,
        from,
        until
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Watched {
                tenant_id: row.tenant_id,
                partner_id: row.partner_id,
                thresholds: match row.thresholds {
                    None => Thresholds::default(),
                    Some(thresholds) => serde_json::from_value(thresholds)?,
                },
            })
        })
        .collect()
}

/// What the rollups say of windows that end at `until`: by tenant and kind, each from its own time on. A window without
/// events is not among them.
pub async fn seen(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    windows: &[(TenantId, AlarmKind, DateTime<Utc>)],
    until: DateTime<Utc>,
) -> Result<HashMap<(TenantId, AlarmKind), Seen>> {
    let Some(earliest) = windows.iter().map(|(_, _, from)| *from).min() else {
        return Ok(HashMap::new());
    };
    let tenants: Vec<String> = windows
        .iter()
        .map(|(tenant_id, ..)| tenant_id.to_string())
        .collect();
    let kinds: Vec<String> = windows.iter().map(|(_, kind, _)| kind.to_string()).collect();
    let froms: Vec<DateTime<Utc>> = windows.iter().map(|(_, _, from)| *from).collect();
    let reasons: Vec<String> = PROVIDER_REASONS.map(Reason::code).map(str::to_owned).to_vec();
    let rows = sqlx::query!(
        r#"SELECT w.tenant_id AS "tenant_id!: TenantId", w.kind AS "kind!",
                  coalesce(sum(m.events) FILTER (WHERE m.outcome = 'started'), 0)::bigint AS "started!",
                  coalesce(sum(CASE m.outcome WHEN 'started' THEN m.events WHEN 'ended' THEN -m.events END) FILTER (
                      WHERE m.slice > $4::timestamptz
                          - make_interval(mins => coalesce((a.settings ->> 'session_validity_min')::integer, 15))
                  ), 0)::bigint AS "open!",
                  coalesce(sum(m.events) FILTER (WHERE m.outcome = 'succeeded'), 0)::bigint AS "succeeded!",
                  coalesce(sum(m.events) FILTER (WHERE m.outcome = 'failed' AND m.reason = ANY ($5)), 0)::bigint
                      AS "provider_errors!",
                  (sum_counts(m.completion_buckets) FILTER (WHERE m.outcome = 'succeeded'))::text AS completion_buckets,
                  (sum_counts(m.to_complete) FILTER (WHERE m.outcome = 'succeeded'))::text AS to_complete
           FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS w (tenant_id, kind, since)
           JOIN step_up_minutes m ON m.tenant_id = w.tenant_id AND m.slice >= w.since
           LEFT JOIN apps a ON a.id = m.app_id
           WHERE m.slice >= $6 AND m.slice < $4
           GROUP BY 1, 2"#,
        &tenants,
        &kinds,
        &froms,
        until,
        &reasons,
        earliest
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            let seen = Seen {
                started: row.started,
                open: row.open,
                succeeded: row.succeeded,
                provider_errors: row.provider_errors,
                to_complete: Histogram::from_texts([row.completion_buckets, row.to_complete]),
            };
            Ok(((row.tenant_id, row.kind.parse()?), seen))
        })
        .collect()
}

/// Every alarm that is on.
pub async fn raised(tx: &mut PgConnection, _scope: &OperatorScope) -> Result<Vec<Alarm>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: AlarmId", partner_id AS "partner_id: PartnerId", tenant_id AS "tenant_id: TenantId", kind,
                  threshold, window_min, value, sample, raised_at, last_breach_at, cleared_at, cleared_because, cleared_value
           FROM alarms WHERE cleared_at IS NULL"#
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter().map(Alarm::try_from).collect()
}

/// Raises an alarm; `false` when one of its kind is on already.
pub async fn insert(tx: &mut PgConnection, _scope: &OperatorScope, alarm: &Alarm) -> Result<bool> {
    let inserted = sqlx::query!(
        "INSERT INTO alarms (id, partner_id, tenant_id, kind, threshold, window_min, value, sample, raised_at, last_breach_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
        alarm.id as AlarmId,
        alarm.partner_id as PartnerId,
        alarm.tenant_id as TenantId,
        alarm.kind.as_str(),
        alarm.threshold,
        alarm.window_min,
        alarm.value,
        alarm.sample,
        alarm.raised_at,
        alarm.last_breach_at
    )
    .execute(tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Notes that the limit was passed again in the window up to `until`.
pub async fn note_breach(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    id: AlarmId,
    until: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE alarms SET last_breach_at = $2 WHERE id = $1 AND cleared_at IS NULL",
        id as AlarmId,
        until
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Clears an alarm; `false` when it was cleared already.
pub async fn clear(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    id: AlarmId,
    (cause, value): (ClearCause, Option<f64>),
    now: DateTime<Utc>,
) -> Result<bool> {
    let cleared = sqlx::query!(
        "UPDATE alarms SET cleared_at = $2, cleared_because = $3, cleared_value = $4
         WHERE id = $1 AND cleared_at IS NULL",
        id as AlarmId,
        now,
        cause.as_str(),
        value
    )
    .execute(tx)
    .await?;
    Ok(cleared.rows_affected() == 1)
}
