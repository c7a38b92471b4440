//! Step-up events: stored once each, and counted in the transaction that stores them.
//!
//! Written by the worker for every partner, read by partners for themselves. Partitions are made and dropped by
//! two functions of the schema's owner, which is all that serve and worker may do to them.

use super::{Cursor, Page, PageRequest, step_up_rollups};
use crate::{
    Result,
    domain::actor::{OperatorScope, ReadScope},
    ids::{PartnerId, TenantId},
    reporting::{
        batch::EventRow,
        tally::{self, Owned, Tally},
    },
};
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use sqlx::{PgConnection, types::Json};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashSet},
};

/// Columns of the rows to be stored: one array each, because one statement with arrays is what PostgreSQL takes
/// fastest short of COPY, which cannot pass over rows that are there.
#[derive(Default)]
struct Columns<'a> {
    event_id: Vec<&'a str>,
    filed_at: Vec<DateTime<Utc>>,
    at: Vec<DateTime<Utc>>,
    partner_id: Vec<String>,
    tenant_id: Vec<String>,
    kind: Vec<&'a str>,
    app_id: Vec<Option<&'a str>>,
    journey_id: Vec<Option<&'a str>>,
    round: Vec<Option<i16>>,
    user_hash: Vec<Option<&'a str>>,
    reason: Vec<Option<&'a str>>,
    method: Vec<Option<&'a str>>,
    fallback: Vec<Option<bool>>,
    acr: Vec<Option<&'a str>>,
    amr: Vec<Option<Json<&'a [String]>>>,
    aal: Vec<Option<i16>>,
    ial: Vec<Option<i16>>,
    policy_version: Vec<Option<i64>>,
    rule: Vec<Option<&'a str>>,
    policy_stale: Vec<bool>,
    action: Vec<Option<&'a str>>,
    source: Vec<Option<&'a str>>,
    cold_start: Vec<bool>,
    duration_ms: Vec<i32>,
    hops_ms: Vec<Option<Json<&'a BTreeMap<String, u32>>>>,
    trigger_version: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    fn push(&mut self, (row, partner_id): &'a Owned) {
        self.event_id.push(&row.event_id);
        self.filed_at.push(row.filed_at);
        self.at.push(row.at);
        self.partner_id.push(partner_id.to_string());
        self.tenant_id.push(row.tenant_id.to_string());
        self.kind.push(&row.kind);
        self.app_id.push(row.app_id.as_deref());
        self.journey_id.push(row.journey_id.as_deref());
        self.round.push(row.round);
        self.user_hash.push(row.user_hash.as_deref());
        self.reason.push(row.reason.as_deref());
        self.method.push(row.method.as_deref());
        self.fallback.push(row.fallback);
        self.acr.push(row.acr.as_deref());
        self.amr.push((!row.amr.is_empty()).then_some(Json(&row.amr)));
        self.aal.push(row.aal);
        self.ial.push(row.ial);
        self.policy_version.push(row.policy_version);
        self.rule.push(row.rule.as_deref());
        self.policy_stale.push(row.policy_stale);
        self.action.push(row.action.as_deref());
        self.source.push(row.source.as_deref());
        self.cold_start.push(row.cold_start);
        self.duration_ms.push(row.duration_ms);
        self.hops_ms
            .push((!row.hops_ms.is_empty()).then_some(Json(&row.hops_ms)));
        self.trigger_version.push(&row.trigger_version);
    }
}

/// New events of one kind, or journeys that got their first answer ([`tally::ENDED`]).
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Whose.
    pub tenant_id: TenantId,
    /// `started`, `succeeded`, … or [`tally::ENDED`].
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

/// Stores and counts the events that are not there yet; returns what was new. An event is stored and counted, or
/// neither, with the transaction.
pub async fn insert(
    tx: &mut PgConnection,
    scope: &OperatorScope,
    mut rows: Vec<Owned>,
) -> Result<Vec<Stored>> {
    // Workers that are given the same events take their places in the indexes in the same order, and none waits for the
    // other in a circle. Events of a journey stay together: their entries go into the same pages.
    rows.sort_by(|(one, _), (other, _)| {
        let of = (one.tenant_id, &one.journey_id, &one.event_id);
        of.cmp(&(other.tenant_id, &other.journey_id, &other.event_id))
    });
    let mut new = insert_events(tx, &rows).await?;
    let fresh: Vec<&Owned> = rows
        .iter()
        .filter(|(row, _)| new.remove(&(row.event_id.clone(), row.filed_at)))
        .collect();
    let answers = tally::first_answers(fresh.iter().copied());
    let ended = insert_ends(tx, &answers).await?;
    let mut tally = Tally::default();
    for event in fresh {
        tally.event(event);
    }
    for answer in ended.iter().filter_map(|journey| answers.get(journey.as_str())) {
        tally.end(answer);
    }
    step_up_rollups::add(tx, scope, &tally).await?;
    let stored = tally.minutes().iter().map(|(key, counts)| Stored {
        tenant_id: key.tenant_id,
        kind: key.outcome.to_owned(),
        method: key.method.to_owned(),
        reason: key.reason.to_owned(),
        count: counts.events,
        to_complete_s: counts.to_complete_s.clone(),
    });
    Ok(stored.collect())
}

/// Stores events; returns which of them were not there.
async fn insert_events(tx: &mut PgConnection, rows: &[Owned]) -> Result<HashSet<(String, DateTime<Utc>)>> {
    let mut columns = Columns::default();
    for row in rows {
        columns.push(row);
    }
    let new = sqlx::query!(
        "INSERT INTO step_up_events (event_id, filed_at, at, partner_id, tenant_id, type, app_id, journey_id, round,
                user_hash, reason, method, acr, amr, aal, ial, policy_version, rule, policy_stale, action, source,
                cold_start, duration_ms, hops_ms, trigger_version, fallback)
            SELECT * FROM UNNEST($1::text[], $2::timestamptz[], $3::timestamptz[], $4::text[], $5::text[], $6::text[],
                $7::text[], $8::text[], $9::smallint[], $10::text[], $11::text[], $12::text[], $13::text[], $14::jsonb[],
                $15::smallint[], $16::smallint[], $17::bigint[], $18::text[], $19::boolean[], $20::text[], $21::text[],
                $22::boolean[], $23::integer[], $24::jsonb[], $25::text[], $26::boolean[])
            ON CONFLICT DO NOTHING RETURNING event_id, filed_at",
        &columns.event_id as _,
        &columns.filed_at,
        &columns.at,
        &columns.partner_id,
        &columns.tenant_id,
        &columns.kind as _,
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
        &columns.trigger_version as _,
        &columns.fallback as _
    )
    .fetch_all(tx)
    .await?;
    Ok(new.into_iter().map(|row| (row.event_id, row.filed_at)).collect())
}

/// Notes journeys as answered; returns those that were not yet.
async fn insert_ends(tx: &mut PgConnection, answers: &BTreeMap<&str, &Owned>) -> Result<Vec<String>> {
    if answers.is_empty() {
        return Ok(Vec::new());
    }
    let journeys: Vec<&str> = answers.keys().copied().collect();
    let filed: Vec<DateTime<Utc>> = answers.values().map(|(row, _)| row.filed_at).collect();
    let ended = sqlx::query_scalar!(
        "INSERT INTO step_up_ends (journey_id, filed_at) SELECT * FROM UNNEST($1::text[], $2::timestamptz[])
         ON CONFLICT DO NOTHING RETURNING journey_id",
        &journeys as _,
        &filed
    )
    .fetch_all(tx)
    .await?;
    Ok(ended)
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
