//! Webhooks of a partner: made, changed and removed by its administrators. What was sent is in
//! [`super::webhook_deliveries`].

use super::{Request, audit, idempotency::Once, require_as_read};
use crate::{
    Context, Error, Result,
    domain::{
        actor::PartnerScope,
        audit::{AuditAction, AuditEntry},
        audit_diff,
        validation::Problems,
        webhook::{EventType, MAX_WEBHOOKS, Webhook},
    },
    error::Code,
    ids::WebhookId,
    storage::{self, Page, PageRequest},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use blockid::{EgressPolicy, HttpClient, HttpError};
use secrecy::SecretString;
use serde_json::Value;
use std::time::{Duration, Instant};

/// How long the look at an address may take.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of a signing secret; the scheme asks for 24 to 64.
const SECRET_BYTES: usize = 32;

/// What a caller gives.
#[derive(Debug)]
pub struct NewWebhook {
    /// Where messages go.
    pub url: String,
    /// For people.
    pub description: String,
    /// What is told.
    pub events: Vec<EventType>,
}

/// What may be changed; what is absent stays.
#[derive(Debug, Default)]
pub struct WebhookChange {
    /// Where messages go.
    pub url: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// What is told.
    pub events: Option<Vec<EventType>>,
    /// Whether anything is sent.
    pub enabled: Option<bool>,
}

/// The client that speaks to receivers: public addresses and those that the operator allows, judged when connecting.
pub fn client(context: &Context) -> Result<HttpClient> {
    HttpClient::new(EgressPolicy {
        allowed_networks: context.config.allowed_webhook_networks.clone(),
        insecure_loopback: context.config.dev_insecure_loopback,
        extra_ca_pem: None,
    })
    .map_err(Error::internal)
}

/// Makes a webhook. The second value is its signing secret: the only moment at which it is known.
#[tracing::instrument(target = "stepgate::trace", name = "webhooks.create", skip_all)]
pub async fn create(
    context: &Context,
    request: &Request,
    new: NewWebhook,
    once: &Once<'_, (Webhook, SecretString)>,
) -> Result<(Webhook, SecretString)> {
    let scope = request.actor.partner_admin()?;
    let keys = &context.config.encryption_keys;
    if !keys.can_seal() {
        return Err(Error::new(
            Code::NotConfigured,
            "This installation has no encryption key, without which it keeps no signing secrets. Its operator can give it one.",
        ));
    }
    let now = context.clock.now();
    let webhook = Webhook {
        id: WebhookId::generate(&context.ids, now),
        partner_id: scope.partner_id(),
        url: new.url,
        description: new.description,
        events: new.events,
        enabled: true,
        disabled_reason: None,
        failing_since: None,
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    check(context, &webhook, true).await?;
    let mut bytes = [0_u8; SECRET_BYTES];
    context.ids.fill(&mut bytes);
    let secret = SecretString::from(format!("whsec_{}", BASE64_STANDARD.encode(bytes)));
    let sealed = keys.seal(&context.ids, &secret, &webhook.id.to_string())?;

    let mut tx = context.db.begin(&scope).await?;
    if storage::webhooks::count(&mut tx, &scope).await? >= MAX_WEBHOOKS {
        let detail = format!("A partner may have {MAX_WEBHOOKS} webhooks.");
        return Err(Error::new(Code::LimitReached, detail));
    }
    storage::webhooks::insert(&mut tx, &scope, &webhook, &sealed).await?;
    let entry = entry(&webhook, AuditAction::WebhookCreated, webhook.for_audit());
    audit::record(&mut tx, context, request, &scope, &entry, now).await?;
    let created = (webhook, secret);
    once.record(&mut tx, &created).await?;
    tx.commit().await?;
    Ok(created)
}

/// One webhook.
#[tracing::instrument(target = "stepgate::trace", name = "webhooks.get", skip_all)]
pub async fn get(context: &Context, request: &Request, id: WebhookId) -> Result<Webhook> {
    let scope = request.actor.reader()?;
    storage::webhooks::get(&mut *context.db.begin(&scope).await?, &scope, id).await
}

/// Webhooks, oldest first.
#[tracing::instrument(target = "stepgate::trace", name = "webhooks.list", skip_all)]
pub async fn list(context: &Context, request: &Request, page: &PageRequest) -> Result<Page<Webhook>> {
    let scope = request.actor.reader()?;
    storage::webhooks::list(&mut *context.db.begin(&scope).await?, &scope, page).await
}

/// Changes a webhook that is at revision `replaces`. Its signing secret stays.
#[tracing::instrument(target = "stepgate::trace", name = "webhooks.update", skip_all)]
pub async fn update(
    context: &Context,
    request: &Request,
    id: WebhookId,
    replaces: i64,
    change: WebhookChange,
) -> Result<Webhook> {
    let scope = request.actor.partner_admin()?;
    // Names are resolved before rows are held: a slow resolver must not hold them.
    let before = get(context, request, id).await?;
    require_as_read("webhook", before.revision, replaces)?;
    let moves = change.url.is_some();
    check(context, &changed(before, &change), moves).await?;

    let mut tx = context.db.begin(&scope).await?;
    let before = storage::webhooks::lock(&mut tx, &scope, id).await?;
    require_as_read("webhook", before.revision, replaces)?;
    let told_before = before.for_audit();
    let mut webhook = changed(before, &change);
    let now = context.clock.now();
    webhook.updated_at = now;
    webhook.revision = storage::webhooks::update(&mut tx, &scope, &webhook).await?;
    let told = audit_diff::diff(&told_before, &webhook.for_audit())?;
    let entry = entry(&webhook, AuditAction::WebhookUpdated, told);
    audit::record(&mut tx, context, request, &scope, &entry, now).await?;
    tx.commit().await?;
    Ok(webhook)
}

/// Removes a webhook, with what was on its way and its delivery log; returns what it was.
#[tracing::instrument(target = "stepgate::trace", name = "webhooks.delete", skip_all)]
pub async fn delete(context: &Context, request: &Request, id: WebhookId) -> Result<Webhook> {
    let scope: PartnerScope = request.actor.partner_admin()?;
    let mut tx = context.db.begin(&scope).await?;
    let webhook = storage::webhooks::lock(&mut tx, &scope, id).await?;
    storage::webhooks::delete(&mut tx, &scope, id).await?;
    let entry = entry(&webhook, AuditAction::WebhookDeleted, webhook.for_audit());
    audit::record(&mut tx, context, request, &scope, &entry, context.clock.now()).await?;
    tx.commit().await?;
    Ok(webhook)
}

/// Seals every signing secret's data key with the key that seals now; returns how many were sealed otherwise.
#[tracing::instrument(target = "stepgate::trace", name = "webhooks.reseal_all", skip_all)]
pub async fn reseal_all(context: &Context) -> Result<usize> {
    use crate::domain::actor::OperatorScope;
    let scope = OperatorScope::command_line();
    let keys = &context.config.encryption_keys;
    let current = keys
        .current_id()
        .ok_or_else(|| Error::new(Code::NotConfigured, "STEPGATE_ENCRYPTION_KEY is not set."))?;
    let mut resealed = 0;
    loop {
        let mut tx = context.db.begin(&scope).await?;
        let batch = storage::webhooks::sealed_otherwise(&mut tx, &scope, current, 100).await?;
        if batch.is_empty() {
            return Ok(resealed);
        }
        for (id, sealed) in batch {
            if let Some(sealed) = keys.reseal(&context.ids, &sealed, &id.to_string())? {
                storage::webhooks::reseal(&mut tx, &scope, id, &sealed).await?;
                resealed += 1;
            }
        }
        tx.commit().await?;
    }
}

fn changed(mut webhook: Webhook, change: &WebhookChange) -> Webhook {
    if let Some(url) = &change.url {
        webhook.url.clone_from(url);
    }
    if let Some(description) = &change.description {
        webhook.description.clone_from(description);
    }
    if let Some(events) = &change.events {
        webhook.events.clone_from(events);
    }
    if let Some(enabled) = change.enabled {
        webhook.enabled = enabled;
        webhook.disabled_reason = (!enabled).then(|| "switched off by the partner".to_owned());
        if enabled {
            webhook.failing_since = None;
        }
    }
    webhook
}

/// Checks a webhook, and with `address` also where its URL leads now. Each attempt judges that again.
async fn check(context: &Context, webhook: &Webhook, address: bool) -> Result<()> {
    let mut problems = Problems::new();
    webhook.validate(&mut problems);
    if address {
        let deadline = Instant::now() + RESOLVE_TIMEOUT;
        match client(context)?.check_host(&webhook.url, deadline).await {
            Ok(_) => {}
            Err(HttpError::UrlRefused) => problems.add(
                "/url",
                "url_refused",
                "must be an `https://` URL without user name and fragment",
            ),
            Err(HttpError::AddressRefused) => {
                problems.add("/url", "address_refused", "must lead to a public address");
            }
            Err(error) => problems.add("/url", "unreachable", error.to_string()),
        }
    }
    problems.finish()
}

fn entry(webhook: &Webhook, action: AuditAction, detail: Value) -> AuditEntry {
    AuditEntry {
        tenant_id: None,
        resource_id: webhook.id.to_string(),
        action,
        reason: String::new(),
        detail,
    }
}
