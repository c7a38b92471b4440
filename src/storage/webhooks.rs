//! Webhooks of partners, with their sealed signing secrets.

use super::{Cursor, Page, PageRequest};
use crate::{
    Error, Result,
    domain::{
        actor::{OperatorScope, PartnerScope, ReadScope},
        webhook::Webhook,
    },
    encryption::Sealed,
    ids::{PartnerId, WebhookId},
};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

struct Row {
    id: WebhookId,
    partner_id: PartnerId,
    url: String,
    description: String,
    events: Vec<String>,
    enabled: bool,
    disabled_reason: Option<String>,
    failing_since: Option<DateTime<Utc>>,
    revision: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Webhook {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            partner_id: row.partner_id,
            url: row.url,
            description: row.description,
            events: row
                .events
                .iter()
                .map(|event| event.parse())
                .collect::<Result<_>>()?,
            enabled: row.enabled,
            disabled_reason: row.disabled_reason,
            failing_since: row.failing_since,
            revision: row.revision,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

fn names(webhook: &Webhook) -> Vec<String> {
    webhook.events.iter().map(ToString::to_string).collect()
}

/// How many webhooks the partner has. Holds off other changes of the partner's webhooks until the transaction ends.
pub async fn count(tx: &mut PgConnection, scope: &PartnerScope) -> Result<i64> {
    let partner_id = scope.partner_id().to_string();
    sqlx::query!(
        "SELECT pg_advisory_xact_lock(hashtextextended('stepgate.webhooks.' || $1, 0))",
        partner_id
    )
    .fetch_one(&mut *tx)
    .await?;
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM webhooks WHERE partner_id = $1"#,
        partner_id
    )
    .fetch_one(tx)
    .await?;
    Ok(count)
}

/// Adds a webhook.
pub async fn insert(
    tx: &mut PgConnection,
    scope: &PartnerScope,
    webhook: &Webhook,
    sealed: &Sealed,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO webhooks (id, partner_id, url, description, events, key_id, sealed_data_key, sealed_secret,
                               created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
        webhook.id as WebhookId,
        scope.partner_id() as PartnerId,
        webhook.url,
        webhook.description,
        &names(webhook),
        sealed.key_id,
        sealed.data_key,
        sealed.secret,
        webhook.created_at
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// One webhook.
pub async fn get(db: &mut PgConnection, scope: &ReadScope, id: WebhookId) -> Result<Webhook> {
    sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: WebhookId", partner_id AS "partner_id: PartnerId", url, description, events, enabled,
                  disabled_reason, failing_since, revision, created_at, updated_at
           FROM webhooks WHERE id = $1 AND ($2::text IS NULL OR partner_id = $2)"#,
        id as WebhookId,
        scope.partner_id() as Option<PartnerId>
    )
    .fetch_optional(db)
    .await?
    .ok_or_else(|| Error::not_found("webhook"))?
    .try_into()
}

/// One webhook, held against other changes until the transaction ends.
pub async fn lock(tx: &mut PgConnection, scope: &PartnerScope, id: WebhookId) -> Result<Webhook> {
    sqlx::query!(
        "SELECT id FROM webhooks WHERE id = $1 AND partner_id = $2 FOR UPDATE",
        id as WebhookId,
        scope.partner_id() as PartnerId
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or_else(|| Error::not_found("webhook"))?;
    get(tx, &(*scope).into(), id).await
}

/// Webhooks, oldest first.
pub async fn list(db: &mut PgConnection, scope: &ReadScope, request: &PageRequest) -> Result<Page<Webhook>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: WebhookId", partner_id AS "partner_id: PartnerId", url, description, events, enabled,
                  disabled_reason, failing_since, revision, created_at, updated_at
           FROM webhooks
           WHERE ($1::text IS NULL OR partner_id = $1) AND ($2::timestamptz IS NULL OR (created_at, id) > ($2, $3))
           ORDER BY created_at, id LIMIT $4"#,
        scope.partner_id() as Option<PartnerId>,
        request.after_time(),
        request.after_id(),
        request.fetch()
    )
    .fetch_all(db)
    .await?;
    let webhooks = rows
        .into_iter()
        .map(Webhook::try_from)
        .collect::<Result<Vec<_>>>()?;
    Ok(request.page(webhooks, |webhook: &Webhook| Cursor {
        created_at: webhook.created_at,
        id: webhook.id.to_string(),
    }))
}

/// Writes a locked webhook; returns its revision.
pub async fn update(tx: &mut PgConnection, scope: &PartnerScope, webhook: &Webhook) -> Result<i64> {
    let revision = sqlx::query_scalar!(
        "UPDATE webhooks SET url = $3, description = $4, events = $5, enabled = $6, disabled_reason = $7,
                failing_since = $8, updated_at = $9
         WHERE id = $1 AND partner_id = $2 RETURNING revision",
        webhook.id as WebhookId,
        scope.partner_id() as PartnerId,
        webhook.url,
        webhook.description,
        &names(webhook),
        webhook.enabled,
        webhook.disabled_reason,
        webhook.failing_since,
        webhook.updated_at
    )
    .fetch_one(tx)
    .await?;
    Ok(revision)
}

/// Removes a webhook with its deliveries.
pub async fn delete(tx: &mut PgConnection, scope: &PartnerScope, id: WebhookId) -> Result<()> {
    sqlx::query!(
        "DELETE FROM webhooks WHERE id = $1 AND partner_id = $2",
        id as WebhookId,
        scope.partner_id() as PartnerId
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Notes a success: whatever failed before is over.
pub async fn note_success(tx: &mut PgConnection, _scope: &OperatorScope, id: WebhookId) -> Result<()> {
    sqlx::query!(
        "UPDATE webhooks SET failing_since = NULL WHERE id = $1 AND failing_since IS NOT NULL",
        id as WebhookId
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Notes a failure; returns since when there was no success, unless the webhook is switched off already.
pub async fn note_failure(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    id: WebhookId,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    let since = sqlx::query_scalar!(
        r#"UPDATE webhooks SET failing_since = coalesce(failing_since, $2) WHERE id = $1 AND enabled
           RETURNING failing_since AS "since!""#,
        id as WebhookId,
        now
    )
    .fetch_optional(tx)
    .await?;
    Ok(since)
}

/// Switches a webhook off and gives up what was on its way.
pub async fn disable(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    id: WebhookId,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE webhooks SET enabled = false, disabled_reason = $2, updated_at = $3 WHERE id = $1",
        id as WebhookId,
        reason,
        now
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE webhook_deliveries SET state = 'dead', finished_at = $2, last_error = 'the webhook was switched off'
         WHERE webhook_id = $1 AND state = 'pending'",
        id as WebhookId,
        now
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Secrets whose data keys are sealed with another key than `key_id`.
pub async fn sealed_otherwise(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    key_id: &str,
    limit: i64,
) -> Result<Vec<(WebhookId, Sealed)>> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: WebhookId", key_id, sealed_data_key, sealed_secret FROM webhooks WHERE key_id <> $1
           ORDER BY id LIMIT $2 FOR UPDATE"#,
        key_id,
        limit
    )
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let sealed = Sealed {
                key_id: row.key_id,
                data_key: row.sealed_data_key,
                secret: row.sealed_secret,
            };
            (row.id, sealed)
        })
        .collect())
}

/// Stores a data key that was sealed again.
pub async fn reseal(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    id: WebhookId,
    sealed: &Sealed,
) -> Result<()> {
    sqlx::query!(
        "UPDATE webhooks SET key_id = $2, sealed_data_key = $3 WHERE id = $1",
        id as WebhookId,
        sealed.key_id,
        sealed.data_key
    )
    .execute(tx)
    .await?;
    Ok(())
}
