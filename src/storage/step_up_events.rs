//! Step-up events: stored once each, and counted in the transaction that stores them.
//!
//! Written by the worker for every partner, read by partners for themselves. Partitions are made and dropped by
//! two functions of the schema's owner, which is all that serve and worker may do to them.

use super::{
    Cursor, Page, PageRequest,
    step_up_rollups::{self, Counts},
};
use crate::{
    Error, Result,
    domain::actor::{OperatorScope, ReadScope},
    ids::{CellId, PartnerId, TenantId},
    reporting::batch::EventRow,
};
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

/// Partners of those of `tenants` that are placed in the cell.
pub async fn partners_of(
    db: &mut PgConnection,
    _scope: &OperatorScope,
    cell_id: CellId,
    tenants: &[TenantId],
) -> Result<HashMap<TenantId, PartnerId>> {
    let ids: Vec<String> = tenants.iter().map(ToString::to_string).collect();
    let rows = sqlx::query!(
        r#"SELECT id AS "id: TenantId", partner_id AS "partner_id: PartnerId" FROM tenants
           WHERE id = ANY($1) AND cell_id = $2"#,
        &ids,
        cell_id as CellId
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.partner_id)).collect())
}

/// Columns of the rows to be stored: one array each, because one statement with arrays is what PostgreSQL takes
/// fastest short of COPY, which cannot pass over rows that are there.
#[derive(Default)]
struct Columns {
    event_id: Vec<String>,
    filed_at: Vec<DateTime<Utc>>,
    at: Vec<DateTime<Utc>>,
    partner_id: Vec<String>,
    tenant_id: Vec<String>,
    kind: Vec<String>,
    app_id: Vec<Option<String>>,
    journey_id: Vec<Option<String>>,
    round: Vec<Option<i16>>,
    user_hash: Vec<Option<String>>,
    reason: Vec<Option<String>>,
    method: Vec<Option<String>>,
    fallback: Vec<Option<bool>>,
    acr: Vec<Option<String>>,
    amr: Vec<Option<Value>>,
    aal: Vec<Option<i16>>,
    ial: Vec<Option<i16>>,
    policy_version: Vec<Option<i64>>,
    rule: Vec<Option<String>>,
    policy_stale: Vec<bool>,
    action: Vec<Option<String>>,
    source: Vec<Option<String>>,
    cold_start: Vec<bool>,
    duration_ms: Vec<i32>,
    hops_ms: Vec<Option<Value>>,
    trigger_version: Vec<String>,
}

impl Columns {
    fn push(&mut self, row: EventRow, partner_id: PartnerId) {
        self.event_id.push(row.event_id);
        self.filed_at.push(row.filed_at);
        self.at.push(row.at);
        self.partner_id.push(partner_id.to_string());
        self.tenant_id.push(row.tenant_id.to_string());
        self.kind.push(row.kind);
        self.app_id.push(row.app_id);
        self.journey_id.push(row.journey_id);
        self.round.push(row.round);
        self.user_hash.push(row.user_hash);
        self.reason.push(row.reason);
        self.method.push(row.method);
        self.fallback.push(row.fallback);
        self.acr.push(row.acr);
        self.amr.push((!row.amr.is_empty()).then(|| Value::from(row.amr)));
        self.aal.push(row.aal);
        self.ial.push(row.ial);
        self.policy_version.push(row.policy_version);
        self.rule.push(row.rule);
        self.policy_stale.push(row.policy_stale);
        self.action.push(row.action);
        self.source.push(row.source);
        self.cold_start.push(row.cold_start);
        self.duration_ms.push(row.duration_ms);
        self.hops_ms
            .push((!row.hops_ms.is_empty()).then(|| Value::from_iter(row.hops_ms)));
        self.trigger_version.push(row.trigger_version);
    }
}

/// Outcome under which the first answers of journeys are counted, beside the events themselves.
pub const ENDED: &str = "ended";

/// New events of one kind, or journeys that got their first answer ([`ENDED`]).
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Whose.
    pub tenant_id: TenantId,
    /// `started`, `succeeded`, … or [`ENDED`].
    pub kind: String,
    /// Method; empty where there is none.
    pub method: String,
    /// Reason code; empty where there is none.
    pub reason: String,
    /// How many.
    pub count: i64,
    /// Time from the beginning of the journey to the success, s, for each success.
    pub to_complete_s: Vec<f64>,
}

impl Stored {
    fn of(counts: &Counts) -> Result<Self> {
        Ok(Self {
            tenant_id: counts
                .tenant_id
                .parse()
                .map_err(|error| Error::internal(anyhow::Error::new(error)))?,
            kind: counts.outcome.clone(),
            method: counts.method.clone(),
            reason: counts.reason.clone(),
            count: counts.events,
            to_complete_s: counts.to_complete_s.clone(),
        })
    }
}

/// Stores and counts the events that are not there yet; returns what was new. An event is stored and counted, or
/// neither, with the transaction.
pub async fn insert(
    tx: &mut PgConnection,
    scope: &OperatorScope,
    rows: impl IntoIterator<Item = (EventRow, PartnerId)>,
) -> Result<Vec<Stored>> {
    let mut columns = Columns::default();
    for (row, partner_id) in rows {
        columns.push(row, partner_id);
    }
    let counted = sqlx::query_as!(
        Counts,
        r#"WITH fresh AS (
            INSERT INTO step_up_events (event_id, filed_at, at, partner_id, tenant_id, type, app_id, journey_id, round,
                user_hash, reason, method, acr, amr, aal, ial, policy_version, rule, policy_stale, action, source,
                cold_start, duration_ms, hops_ms, trigger_version, fallback)
            SELECT * FROM UNNEST($1::text[], $2::timestamptz[], $3::timestamptz[], $4::text[], $5::text[], $6::text[],
                $7::text[], $8::text[], $9::smallint[], $10::text[], $11::text[], $12::text[], $13::text[], $14::jsonb[],
                $15::smallint[], $16::smallint[], $17::bigint[], $18::text[], $19::boolean[], $20::text[], $21::text[],
                $22::boolean[], $23::integer[], $24::jsonb[], $25::text[], $26::boolean[])
            ON CONFLICT DO NOTHING
            RETURNING filed_at, at, partner_id, tenant_id, type, app_id, journey_id, reason, method, policy_version,
                trigger_version, cold_start, fallback
        ), answers AS (
            SELECT DISTINCT ON (journey_id) * FROM fresh
            WHERE journey_id IS NOT NULL AND type IN ('succeeded', 'failed')
            ORDER BY journey_id, at
        ), ends AS (
            INSERT INTO step_up_ends (journey_id, filed_at) SELECT journey_id, filed_at FROM answers
            ON CONFLICT DO NOTHING RETURNING journey_id
        ), facts AS (
            SELECT tenant_id, partner_id, at AS counted_at, coalesce(app_id, '') AS app_id, coalesce(method, '') AS method,
                type AS outcome, coalesce(reason, '') AS reason, coalesce(policy_version, 0) AS policy_version,
                trigger_version, cold_start, coalesce(fallback, false) AS fallback,
                CASE WHEN type = 'succeeded' AND journey_id IS NOT NULL THEN extract(epoch FROM at - filed_at) END AS taken_s
            FROM fresh
            UNION ALL
            SELECT tenant_id, partner_id, filed_at, coalesce(app_id, ''), '', 'ended', '', coalesce(policy_version, 0),
                trigger_version, false, false, NULL
            FROM answers JOIN ends USING (journey_id)
        )
        SELECT tenant_id AS "tenant_id!", date_trunc('minute', counted_at, 'UTC') AS "slice!", app_id AS "app_id!",
            method AS "method!", outcome AS "outcome!", reason AS "reason!", policy_version AS "policy_version!",
            trigger_version AS "trigger_version!", min(partner_id) AS "partner_id!", count(*) AS "events!",
            count(*) FILTER (WHERE cold_start) AS "cold_starts!", count(*) FILTER (WHERE fallback) AS "fallbacks!",
            counts_of(array_agg(least(88, floor(4 * ln(greatest(1, taken_s * 1000)::float8) / ln(2::float8) + 1e-9))::integer)
                FILTER (WHERE taken_s IS NOT NULL)) AS to_complete,
            coalesce(array_agg(taken_s::float8) FILTER (WHERE taken_s IS NOT NULL), '{}') AS "to_complete_s!"
        FROM facts GROUP BY 1, 2, 3, 4, 5, 6, 7, 8"#,
        &columns.event_id,
        &columns.filed_at,
        &columns.at,
        &columns.partner_id,
        &columns.tenant_id,
        &columns.kind,
        &columns.app_id as _,
        &columns.journey_id as _,
        &columns.round as _,
        &columns.user_hash as _,
        &columns.reason as _,
        &columns.method as _,
        &columns.acr as _,
        &columns.amr as _,
        &columns.aal as _,
        &columns.ial as _,
        &columns.policy_version as _,
        &columns.rule as _,
        &columns.policy_stale,
        &columns.action as _,
        &columns.source as _,
        &columns.cold_start,
        &columns.duration_ms,
        &columns.hops_ms as _,
        &columns.trigger_version,
        &columns.fallback as _
    )
    .fetch_all(&mut *tx)
    .await?;
    let stored = counted.iter().map(Stored::of).collect::<Result<_>>()?;
    step_up_rollups::add(tx, scope, counted).await?;
    Ok(stored)
}

/// Makes the partitions of these days that are not there; returns how many.
pub async fn make_partitions(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    from: NaiveDate,
    to: NaiveDate,
) -> Result<i32> {
    let made = sqlx::query_scalar!(r#"SELECT make_event_partitions($1, $2) AS "made!""#, from, to)
        .fetch_one(tx)
        .await?;
    Ok(made)
}

/// Drops the partitions of days before `day`, of events and of minutes; returns how many.
pub async fn drop_partitions(tx: &mut PgConnection, _scope: &OperatorScope, day: NaiveDate) -> Result<i32> {
    let dropped = sqlx::query_scalar!(
        r#"SELECT drop_event_partitions('step_up_events', $1) + drop_event_partitions('step_up_ends', $1)
                + drop_event_partitions('step_up_minutes', $1) AS "dropped!""#,
        day
    )
    .fetch_one(tx)
    .await?;
    Ok(dropped)
}

/// What is looked for; absent means any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sought {
    /// Tenant.
    pub tenant_id: Option<TenantId>,
    /// User, as hidden in events.
    pub user_hash: Option<String>,
    /// Journey.
    pub journey_id: Option<String>,
    /// Type.
    pub kind: Option<String>,
    /// From this time on.
    pub from: Option<DateTime<Utc>>,
    /// Before this time.
    pub to: Option<DateTime<Utc>>,
}

struct Row {
    event_id: String,
    filed_at: DateTime<Utc>,
    at: DateTime<Utc>,
    tenant_id: TenantId,
    kind: String,
    app_id: Option<String>,
    journey_id: Option<String>,
    round: Option<i16>,
    user_hash: Option<String>,
    reason: Option<String>,
    method: Option<String>,
    fallback: Option<bool>,
    acr: Option<String>,
    amr: Option<Value>,
    aal: Option<i16>,
    ial: Option<i16>,
    policy_version: Option<i64>,
    rule: Option<String>,
    policy_stale: bool,
    action: Option<String>,
    source: Option<String>,
    cold_start: bool,
    duration_ms: i32,
    hops_ms: Option<Value>,
    trigger_version: String,
}

impl From<Row> for EventRow {
    fn from(row: Row) -> Self {
        let list = |value: Option<Value>| value.and_then(|value| serde_json::from_value(value).ok());
        let map = |value: Option<Value>| value.and_then(|value| serde_json::from_value(value).ok());
        Self {
            event_id: row.event_id,
            filed_at: row.filed_at,
            at: row.at,
            tenant_id: row.tenant_id,
            kind: row.kind,
            app_id: row.app_id,
            journey_id: row.journey_id,
            round: row.round,
            user_hash: row.user_hash,
            reason: row.reason,
            method: row.method,
            fallback: row.fallback,
            acr: row.acr,
            amr: list(row.amr).unwrap_or_default(),
            aal: row.aal,
            ial: row.ial,
            policy_version: row.policy_version,
            rule: row.rule,
            policy_stale: row.policy_stale,
            action: row.action,
            source: row.source,
            cold_start: row.cold_start,
            duration_ms: row.duration_ms,
            hops_ms: map(row.hops_ms).unwrap_or_else(BTreeMap::new),
            trigger_version: row.trigger_version,
        }
    }
}

/// Place of a type among events of one millisecond: *create* prints `started` and `offered` in one call, and a journey that
/// read backwards would mislead. Types of a newer release come last.
fn place(kind: &str) -> u8 {
    match kind {
        "password_reset" => 0,
        "started" => 1,
        "offered" => 2,
        "linked" => 3,
        "failed" => 4,
        "succeeded" | "skipped" | "exempted" => 5,
        "refused_tokens" | "tokens" => 6,
        _ => 7,
    }
}

/// Events, newest first; those of one millisecond in the order in which a journey has them.
pub async fn search(
    db: &mut PgConnection,
    scope: &ReadScope,
    sought: &Sought,
    page: &PageRequest,
) -> Result<Page<EventRow>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT event_id, filed_at, at, tenant_id AS "tenant_id: TenantId", type AS kind, app_id, journey_id, round, user_hash,
                  reason, method, fallback, acr, amr, aal, ial, policy_version, rule, policy_stale, action, source, cold_start,
                  duration_ms, hops_ms, trigger_version
           FROM step_up_events
           WHERE ($1::text IS NULL OR partner_id = $1) AND ($2::text IS NULL OR tenant_id = $2)
             AND ($3::text IS NULL OR user_hash = $3) AND ($4::text IS NULL OR journey_id = $4)
             AND ($5::text IS NULL OR type = $5)
             AND ($6::timestamptz IS NULL OR at >= $6) AND ($7::timestamptz IS NULL OR at < $7)
             AND ($8::timestamptz IS NULL OR (at, event_id) < ($8, $9))
           ORDER BY at DESC, event_id DESC LIMIT $10"#,
        scope.partner_id() as Option<PartnerId>,
        sought.tenant_id as Option<TenantId>,
        sought.user_hash,
        sought.journey_id,
        sought.kind,
        sought.from,
        sought.to,
        page.after_time(),
        page.after_id(),
        page.fetch()
    )
    .fetch_all(db)
    .await?;
    let events = rows.into_iter().map(EventRow::from).collect();
    // The cursor goes by the database's order, so the page is put in its own only afterwards.
    let mut found = page.page(events, |event: &EventRow| Cursor {
        created_at: event.at,
        id: event.event_id.clone(),
    });
    found
        .items
        .sort_by_key(|event| Reverse((event.at, place(&event.kind))));
    Ok(found)
}
