//! Messages to webhooks and their deliveries.
//!
//! A message is written in the transaction that makes it true, with a delivery for each webhook that asked for it. A
//! worker *claims* a delivery: that counts an attempt and sets the time at which the attempt is taken for lost. The
//! outcome is recorded under the attempt's number and does nothing when a later attempt was begun meanwhile. So a worker
//! that is killed between sending and recording leads to one more attempt, never to none.

use super::{Cursor, Page, PageRequest};
use crate::{
    Error, Result,
    domain::{
        actor::{OperatorScope, ReadScope, Rows},
        operation::OperationKind,
        webhook::{Announcement, Attempt, Delivery, DeliveryState},
    },
    encryption::Sealed,
    ids::{DeliveryId, IdSource, MessageId, OperationId, PartnerId, TenantId, WebhookId},
};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Writes a message for every webhook of the partner that asked for it; none when nobody did.
pub async fn announce(
    tx: &mut PgConnection,
    partner_id: PartnerId,
    announcement: &Announcement,
    ids: &IdSource,
    now: DateTime<Utc>,
) -> Result<()> {
    let webhooks = sqlx::query_scalar!(
        r#"SELECT id AS "id: WebhookId" FROM webhooks WHERE partner_id = $1 AND enabled AND $2 = ANY (events)"#,
        partner_id as PartnerId,
        announcement.kind
    )
    .fetch_all(&mut *tx)
    .await?;
    if webhooks.is_empty() {
        return Ok(());
    }
    let message = insert_message(&mut *tx, partner_id, announcement, ids, now).await?;
    for webhook in webhooks {
        insert_delivery(&mut *tx, partner_id, (webhook, message), ids, now).await?;
    }
    Ok(())
}

/// Writes a message.
pub async fn insert_message(
    tx: &mut PgConnection,
    partner_id: PartnerId,
    announcement: &Announcement,
    ids: &IdSource,
    now: DateTime<Utc>,
) -> Result<MessageId> {
    let id = MessageId::generate(ids, now);
    sqlx::query!(
        "INSERT INTO webhook_messages (id, partner_id, tenant_id, type, body, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        id as MessageId,
        partner_id as PartnerId,
        announcement.tenant_id as Option<TenantId>,
        announcement.kind,
        announcement.cloud_event(id, partner_id, now),
        now
    )
    .execute(tx)
    .await?;
    Ok(id)
}

/// Adds a delivery of a message, due at once.
pub async fn insert_delivery(
    tx: &mut PgConnection,
    partner_id: PartnerId,
    (webhook_id, message_id): (WebhookId, MessageId),
    ids: &IdSource,
    now: DateTime<Utc>,
) -> Result<DeliveryId> {
    let id = DeliveryId::generate(ids, now);
    sqlx::query!(
        "INSERT INTO webhook_deliveries (id, partner_id, webhook_id, message_id, state, next_attempt_at, created_at)
         VALUES ($1, $2, $3, $4, 'pending', $5, $5)",
        id as DeliveryId,
        partner_id as PartnerId,
        webhook_id as WebhookId,
        message_id as MessageId,
        now
    )
    .execute(tx)
    .await?;
    Ok(id)
}

struct Row {
    id: DeliveryId,
    webhook_id: WebhookId,
    message_id: MessageId,
    kind: String,
    state: String,
    attempts: i32,
    next_attempt_at: DateTime<Utc>,
    last_status: Option<i32>,
    last_error: Option<String>,
    created_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for Delivery {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            webhook_id: row.webhook_id,
            message_id: row.message_id,
            kind: row.kind,
            state: row.state.parse()?,
            attempts: row.attempts,
            next_attempt_at: row.next_attempt_at,
            last_status: row.last_status,
            last_error: row.last_error,
            created_at: row.created_at,
            finished_at: row.finished_at,
        })
    }
}

/// Deliveries of a webhook, newest first. Whether the caller may see the webhook is the caller's to check.
pub async fn list(
    db: &mut PgConnection,
    scope: &ReadScope,
    webhook_id: WebhookId,
    state: Option<DeliveryState>,
    request: &PageRequest,
) -> Result<Page<Delivery>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT d.id AS "id: DeliveryId", d.webhook_id AS "webhook_id: WebhookId", m.id AS "message_id: MessageId",
                  m.type AS kind, d.state, d.attempts, d.next_attempt_at, d.last_status, d.last_error, d.created_at,
                  d.finished_at
           FROM webhook_deliveries d JOIN webhook_messages m ON m.id = d.message_id
           WHERE d.webhook_id = $1 AND ($2::text IS NULL OR d.partner_id = $2) AND ($3::text IS NULL OR d.state = $3)
             AND ($4::timestamptz IS NULL OR (d.created_at, d.id) < ($4, $5))
           ORDER BY d.created_at DESC, d.id DESC LIMIT $6"#,
        webhook_id as WebhookId,
        scope.partner_id() as Option<PartnerId>,
        state.map(DeliveryState::as_str),
        request.after_time(),
        request.after_id(),
        request.fetch()
    )
    .fetch_all(db)
    .await?;
    let deliveries = rows
        .into_iter()
        .map(Delivery::try_from)
        .collect::<Result<Vec<_>>>()?;
    Ok(request.page(deliveries, |delivery: &Delivery| Cursor {
        created_at: delivery.created_at,
        id: delivery.id.to_string(),
    }))
}

/// A delivery with its message and its attempts in order.
#[derive(Debug)]
pub struct Watched {
    /// The delivery.
    pub delivery: Delivery,
    /// The message, to the byte.
    pub body: String,
    /// Attempts whose outcome is known.
    pub attempts: Vec<Attempt>,
}

/// One delivery of a webhook.
pub async fn get(
    db: &mut PgConnection,
    scope: &ReadScope,
    webhook_id: WebhookId,
    id: DeliveryId,
) -> Result<Watched> {
    let row = sqlx::query!(
        r#"SELECT d.webhook_id AS "webhook_id: WebhookId", m.id AS "message_id: MessageId", m.type AS kind, m.body,
                  d.state, d.attempts, d.next_attempt_at, d.last_status, d.last_error, d.created_at, d.finished_at
           FROM webhook_deliveries d JOIN webhook_messages m ON m.id = d.message_id
           WHERE d.id = $1 AND d.webhook_id = $2 AND ($3::text IS NULL OR d.partner_id = $3)"#,
        id as DeliveryId,
        webhook_id as WebhookId,
        scope.partner_id() as Option<PartnerId>
    )
    .fetch_optional(&mut *db)
    .await?
    .ok_or_else(|| Error::not_found("delivery"))?;
    let delivery = Row {
        id,
        webhook_id: row.webhook_id,
        message_id: row.message_id,
        kind: row.kind,
        state: row.state,
        attempts: row.attempts,
        next_attempt_at: row.next_attempt_at,
        last_status: row.last_status,
        last_error: row.last_error,
        created_at: row.created_at,
        finished_at: row.finished_at,
    };
    let attempts = sqlx::query_as!(
        Attempt,
        "SELECT number, at, duration_ms, status, error FROM webhook_attempts WHERE delivery_id = $1 ORDER BY number",
        id as DeliveryId
    )
    .fetch_all(db)
    .await?;
    Ok(Watched {
        delivery: delivery.try_into()?,
        body: row.body,
        attempts,
    })
}

/// A delivery that was claimed: everything an attempt needs.
#[derive(Debug)]
pub struct Claimed {
    /// The delivery.
    pub id: DeliveryId,
    /// Number of this attempt.
    pub attempt: i32,
    /// Whose it is.
    pub partner_id: PartnerId,
    /// Webhook it goes to.
    pub webhook_id: WebhookId,
    /// Where.
    pub url: String,
    /// Signing secret.
    pub sealed: Sealed,
    /// Message.
    pub message_id: MessageId,
    /// Its body.
    pub body: String,
}

/// Claims deliveries that are due, up to `per_webhook` of one webhook: a slow receiver must not hold up the others.
pub async fn claim(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    (limit, per_webhook): (i64, i64),
    now: DateTime<Utc>,
    lost_at: DateTime<Utc>,
) -> Result<Vec<Claimed>> {
    let rows = sqlx::query!(
        r#"WITH candidates AS (
               SELECT d.id, row_number() OVER (PARTITION BY d.webhook_id ORDER BY d.next_attempt_at, d.id) AS turn
               FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id
               WHERE d.state = 'pending' AND d.next_attempt_at <= $1 AND w.enabled
           ), due AS (
               SELECT d.id FROM webhook_deliveries d JOIN candidates c ON c.id = d.id
               WHERE c.turn <= $3 AND d.state = 'pending' AND d.next_attempt_at <= $1
               ORDER BY d.next_attempt_at, d.id LIMIT $2 FOR UPDATE OF d SKIP LOCKED
           )
           UPDATE webhook_deliveries d SET attempts = d.attempts + 1, next_attempt_at = $4
           FROM due, webhooks w, webhook_messages m
           WHERE d.id = due.id AND w.id = d.webhook_id AND m.id = d.message_id
           RETURNING d.id AS "id: DeliveryId", d.attempts, d.partner_id AS "partner_id: PartnerId",
                     w.id AS "webhook_id: WebhookId", w.url, w.key_id, w.sealed_data_key, w.sealed_secret,
                     m.id AS "message_id: MessageId", m.body"#,
        now,
        limit,
        per_webhook,
        lost_at
    )
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Claimed {
            id: row.id,
            attempt: row.attempts,
            partner_id: row.partner_id,
            webhook_id: row.webhook_id,
            url: row.url,
            sealed: Sealed {
                key_id: row.key_id,
                data_key: row.sealed_data_key,
                secret: row.sealed_secret,
            },
            message_id: row.message_id,
            body: row.body,
        })
        .collect())
}

/// Records an attempt and what becomes of its delivery: `next_attempt_at` for one that goes on. Returns whether it was
/// still the last attempt.
pub async fn record(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    claimed: &Claimed,
    attempt: &Attempt,
    state: DeliveryState,
    next_attempt_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let recorded = sqlx::query!(
        "WITH delivery AS (
             UPDATE webhook_deliveries
             SET state = $3, next_attempt_at = coalesce($4::timestamptz, next_attempt_at), last_status = $5::integer, last_error = $6::text,
                 finished_at = CASE WHEN $3 <> 'pending' THEN $7::timestamptz END
             WHERE id = $1 AND attempts = $2 AND state = 'pending' RETURNING id, partner_id
         )
         INSERT INTO webhook_attempts (delivery_id, number, partner_id, at, duration_ms, status, error)
         SELECT id, $2, partner_id, $8::timestamptz, $9::integer, $5::integer, $6::text FROM delivery",
        claimed.id as DeliveryId,
        attempt.number,
        state.as_str(),
        next_attempt_at,
        attempt.status,
        attempt.error,
        now,
        attempt.at,
        attempt.duration_ms
    )
    .execute(tx)
    .await?;
    Ok(recorded.rows_affected() == 1)
}

/// Makes a pending delivery due now.
pub async fn hasten(
    tx: &mut PgConnection,
    rows: &impl Rows,
    id: DeliveryId,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE webhook_deliveries SET next_attempt_at = least(next_attempt_at, $3)
         WHERE id = $1 AND state = 'pending' AND ($2::text IS NULL OR partner_id = $2)",
        id as DeliveryId,
        rows.partner_id() as Option<PartnerId>,
        now
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Removes deliveries that ended before `before`, and messages that nobody is waiting for.
pub async fn sweep(tx: &mut PgConnection, _scope: &OperatorScope, before: DateTime<Utc>) -> Result<u64> {
    let swept = sqlx::query!(
        "DELETE FROM webhook_deliveries WHERE state <> 'pending' AND finished_at < $1",
        before
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "DELETE FROM webhook_messages m WHERE created_at < $1
         AND NOT EXISTS (SELECT FROM webhook_deliveries d WHERE d.message_id = m.id)",
        before
    )
    .execute(tx)
    .await?;
    Ok(swept.rows_affected())
}

/// An operation that is about to end: id, kind, and what it changed.
pub type Ending = (OperationId, OperationKind, String);

/// Open operations of a tenant up to a generation, in the order in which they were asked for.
pub async fn ending_operations(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    tenant_id: TenantId,
    generation: i64,
) -> Result<Vec<Ending>> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: OperationId", kind, resource_id FROM operations
           WHERE tenant_id = $1 AND target_generation <= $2 AND state IN ('pending', 'running')
           ORDER BY created_at, id"#,
        tenant_id as TenantId,
        generation
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|row| Ok((row.id, row.kind.parse()?, row.resource_id)))
        .collect()
}
