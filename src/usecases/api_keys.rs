//! API keys: making them, and recognising who presents one.

use super::{Request, audit};
use crate::{
    Context, Error, Result,
    domain::{
        actor::{Actor, OperatorScope, Role},
        api_key::{ApiKey, PresentedKey},
        audit::{AuditAction, AuditEntry},
        validation::{NAME_MAX_CHARS, Problems},
    },
    error::Code,
    ids::{KeyId, PartnerId},
    storage::{self, audit_log::Author},
};
use serde_json::json;

/// A key that was just made: the only moment at which its secret is known.
#[derive(Debug)]
pub struct NewKey {
    /// The key as stored.
    pub key: ApiKey,
    /// The whole key, to be shown once.
    pub presented: PresentedKey,
}

/// Makes a key of a partner.
pub async fn create(
    context: &Context,
    request: &Request,
    partner_id: PartnerId,
    name: String,
    role: Role,
) -> Result<NewKey> {
    let scope = request.actor.operator()?;
    let mut problems = Problems::new();
    problems.name("/name", &name, NAME_MAX_CHARS);
    problems.require(
        role.belongs_to_partner(),
        "/role",
        "not_a_partner_role",
        "must be `partner_admin` or `partner_reader`",
    );
    problems.finish()?;
    let mut tx = context.db.begin(&scope).await?;
    storage::partners::get(&mut tx, &scope, partner_id).await?;
    let new = make(context, Some(partner_id), role, name);
    storage::api_keys::insert(&mut tx, &scope, &new.key, &new.presented.hash()).await?;
    let chain = request.actor.administrator_of(partner_id)?;
    audit::record(
        &mut tx,
        context,
        request,
        &chain,
        &created(&new.key),
        new.key.created_at,
    )
    .await?;
    tx.commit().await?;
    tracing::info!(key_id = %new.key.id, %partner_id, %role, "API key created");
    Ok(new)
}

/// Makes the first operator key; refused when there is one.
pub async fn bootstrap(context: &Context) -> Result<NewKey> {
    let scope = OperatorScope::command_line();
    let mut tx = context.db.begin(&scope).await?;
    if storage::api_keys::operator_exists(&mut tx, &scope).await? {
        return Err(Error::new(Code::NameTaken, "There is an operator key already."));
    }
    let new = make(context, None, Role::Operator, "bootstrap".to_owned());
    storage::api_keys::insert(&mut tx, &scope, &new.key, &new.presented.hash()).await?;
    let (author, entry) = (Author::COMMAND_LINE, created(&new.key));
    audit::record_by(&mut tx, context, author, &scope, &entry, new.key.created_at).await?;
    tx.commit().await?;
    Ok(new)
}

fn created(key: &ApiKey) -> AuditEntry {
    AuditEntry {
        tenant_id: None,
        resource_id: key.id.to_string(),
        action: AuditAction::KeyCreated,
        reason: String::new(),
        detail: json!({"name": key.name, "role": key.role, "prefix": key.prefix}),
    }
}

fn make(context: &Context, partner_id: Option<PartnerId>, role: Role, name: String) -> NewKey {
    let now = context.clock.now();
    let presented = PresentedKey::generate(&context.ids);
    let id = KeyId::generate(&context.ids, now);
    let key = ApiKey {
        id,
        partner_id,
        role,
        name,
        prefix: presented.prefix.clone(),
        created_at: now,
    };
    NewKey { key, presented }
}

/// Whose key this is. Unknown, wrong, expired and revoked keys get one and the same answer.
pub async fn authenticate(context: &Context, presented: &PresentedKey) -> Result<Actor> {
    let refused = || Error::new(Code::Unauthenticated, "The API key is not valid.");
    let mut tx = context.db.begin(&OperatorScope::authentication()).await?;
    let stored = storage::api_keys::find_by_prefix(&mut tx, &presented.prefix)
        .await?
        .ok_or_else(refused)?;
    let now = context.clock.now();
    let live = stored.revoked_at.is_none() && stored.expires_at.is_none_or(|expires_at| now < expires_at);
    if !presented.hash().matches(&stored.secret_hash) || !live {
        return Err(refused());
    }
    storage::api_keys::touch(&mut tx, stored.actor.key_id, now).await?;
    tx.commit().await?;
    Ok(stored.actor)
}
