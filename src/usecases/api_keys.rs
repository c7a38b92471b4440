//! API keys: made, rotated and revoked by operators and, for their own partner, by its administrators; and the keys of
//! operators and auditors themselves.
//!
//! Nobody gives away more than they have: a key that was limited makes and rotates keys within its own limits only.

use super::{Request, audit, idempotency::Once};
use crate::{
    Context, Error, Result,
    domain::{
        actor::{Actor, Grants, KeyScope, OperatorScope, ReadScope, Role},
        api_key::{ApiKey, PresentedKey},
        audit::{AuditAction, AuditEntry},
        validation::{NAME_MAX_CHARS, Problems},
    },
    error::Code,
    ids::KeyId,
    storage::{self, Page, PageRequest, api_keys::Owner, audit_log::Author},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

/// Longest time for which a replaced key works on, s.
pub const MAX_OVERLAP_S: u32 = 30 * 24 * 3600;
/// The same when nothing is asked, s.
pub const DEFAULT_OVERLAP_S: u32 = 24 * 3600;

/// How often it is noted that a key is used.
const NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);

/// What a caller gives.
#[derive(Debug, Clone)]
pub struct KeyRequest {
    /// Name for people.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// What of its role it may use; `None` is everything.
    pub scopes: Option<Vec<KeyScope>>,
    /// From when on it does not work.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A key that was just made: the only moment at which its secret is known.
#[derive(Debug)]
pub struct NewKey {
    /// The key as stored.
    pub key: ApiKey,
    /// The whole key, to be shown once.
    pub presented: PresentedKey,
}

/// A key that was put in the place of another.
#[derive(Debug)]
pub struct Rotated {
    /// The new one.
    pub new: NewKey,
    /// The old one, which works until it expires.
    pub replaced: ApiKey,
}

/// Makes a key of a partner, or of the installation.
#[tracing::instrument(target = "stepgate::trace", name = "api_keys.create", skip_all)]
pub async fn create(
    context: &Context,
    request: &Request,
    owner: Owner,
    asked: KeyRequest,
    once: &Once<'_, NewKey>,
) -> Result<NewKey> {
    let now = context.clock.now();
    let (mut tx, _) = begin(context, request, owner).await?;
    let grants = asked.scopes.map_or(Grants::All, Grants::Only);
    let mut problems = Problems::new();
    problems.name("/name", &asked.name, NAME_MAX_CHARS);
    match owner {
        Owner::Partner(_) => problems.require(
            asked.role.belongs_to_partner(),
            "/role",
            "not_a_partner_role",
            "must be `partner_admin` or `partner_reader`",
        ),
        Owner::Installation => problems.require(
            !asked.role.belongs_to_partner(),
            "/role",
            "not_an_installation_role",
            "must be `operator` or `auditor`",
        ),
    }
    check_expiry(asked.expires_at, now, &mut problems);
    check_scopes(&grants, request, &mut problems);
    problems.finish()?;
    let new = make(context, owner, asked.role, asked.name, grants, asked.expires_at);
    storage::api_keys::insert(&mut tx, &new.key, &new.presented.hash()).await?;
    let detail = json!({"role": new.key.role, "name": new.key.name, "expires_at": new.key.expires_at});
    let entry = entry(new.key.id, AuditAction::KeyCreated, detail);
    audit::record_of(&mut tx, context, request, owner.partner_id(), &entry, now).await?;
    once.record(&mut tx, &new).await?;
    tx.commit().await?;
    tracing::info!(key_id = %new.key.id, role = %new.key.role, "API key created");
    Ok(new)
}

/// One key.
#[tracing::instrument(target = "stepgate::trace", name = "api_keys.get", skip_all)]
pub async fn get(context: &Context, request: &Request, owner: Owner, id: KeyId) -> Result<ApiKey> {
    let scope = reads(request, owner)?;
    storage::api_keys::get(&mut *context.db.begin(&scope).await?, &scope, owner, id).await
}

/// Keys, oldest first; also those that no longer work.
#[tracing::instrument(target = "stepgate::trace", name = "api_keys.list", skip_all)]
pub async fn list(
    context: &Context,
    request: &Request,
    owner: Owner,
    page: &PageRequest,
) -> Result<Page<ApiKey>> {
    let scope = reads(request, owner)?;
    let mut db = context.db.begin(&scope).await?;
    if let Owner::Partner(id) = owner {
        // A foreign partner is not one without keys: it is not there.
        storage::partners::get(&mut db, &scope, id).await?;
    }
    storage::api_keys::list(&mut db, &scope, owner, page).await
}

/// Withdraws a key at once. Repeating it changes nothing.
#[tracing::instrument(target = "stepgate::trace", name = "api_keys.revoke", skip_all)]
pub async fn revoke(context: &Context, request: &Request, owner: Owner, id: KeyId) -> Result<ApiKey> {
    let now = context.clock.now();
    let (mut tx, scope) = begin(context, request, owner).await?;
    let key = storage::api_keys::lock(&mut tx, &scope, owner, id).await?;
    if key.revoked_at.is_some() {
        return Ok(key);
    }
    storage::api_keys::revoke(&mut tx, id, now).await?;
    let entry = entry(id, AuditAction::KeyRevoked, json!({}));
    audit::record_of(&mut tx, context, request, owner.partner_id(), &entry, now).await?;
    tx.commit().await?;
    tracing::info!(key_id = %id, "API key revoked");
    Ok(ApiKey {
        revoked_at: Some(now),
        ..key
    })
}

/// Puts a new key of the same role, name and scopes in the place of one, which works on for `overlap_s`.
#[tracing::instrument(target = "stepgate::trace", name = "api_keys.rotate", skip_all)]
pub async fn rotate(
    context: &Context,
    request: &Request,
    (owner, id): (Owner, KeyId),
    overlap_s: Option<u32>,
    expires_at: Option<DateTime<Utc>>,
    once: &Once<'_, Rotated>,
) -> Result<Rotated> {
    let now = context.clock.now();
    let (mut tx, scope) = begin(context, request, owner).await?;
    let old = storage::api_keys::lock(&mut tx, &scope, owner, id).await?;
    let overlap_s = overlap_s.unwrap_or(DEFAULT_OVERLAP_S);
    let mut problems = Problems::new();
    problems.range("/overlap_s", overlap_s, 0..=MAX_OVERLAP_S);
    check_expiry(expires_at, now, &mut problems);
    problems.finish()?;
    if !request.actor.grants.cover(&old.grants) {
        return Err(Error::new(Code::Forbidden, "This key may do more than yours."));
    }
    if !old.is_live(now) || old.replaced_by.is_some() {
        let detail = "The key is revoked, expired or replaced already; make a new one.";
        return Err(Error::new(Code::KeyState, detail));
    }
    let new = make(
        context,
        owner,
        old.role,
        old.name.clone(),
        old.grants.clone(),
        expires_at,
    );
    storage::api_keys::insert(&mut tx, &new.key, &new.presented.hash()).await?;
    let ends_at = now + TimeDelta::seconds(overlap_s.into());
    let ends_at = old
        .expires_at
        .map_or(ends_at, |expires_at| expires_at.min(ends_at));
    storage::api_keys::replace(&mut tx, id, new.key.id, ends_at).await?;
    let detail = json!({"replaced_by": new.key.id, "old_key_expires_at": ends_at});
    let entry = entry(id, AuditAction::KeyRotated, detail);
    audit::record_of(&mut tx, context, request, owner.partner_id(), &entry, now).await?;
    let replaced = ApiKey {
        expires_at: Some(ends_at),
        replaced_by: Some(new.key.id),
        ..old
    };
    let rotated = Rotated { new, replaced };
    once.record(&mut tx, &rotated).await?;
    tx.commit().await?;
    tracing::info!(key_id = %id, replaced_by = %rotated.new.key.id, "API key rotated");
    Ok(rotated)
}

/// Makes the first operator key; refused when there is one that works.
#[tracing::instrument(target = "stepgate::trace", name = "api_keys.bootstrap", skip_all)]
pub async fn bootstrap(context: &Context) -> Result<NewKey> {
    let scope = OperatorScope::command_line();
    let mut tx = context.db.begin(&scope).await?;
    if storage::api_keys::operator_exists(&mut tx, &scope, context.clock.now()).await? {
        return Err(Error::new(Code::NameTaken, "There is an operator key already."));
    }
    let name = "bootstrap".to_owned();
    let new = make(
        context,
        Owner::Installation,
        Role::Operator,
        name,
        Grants::All,
        None,
    );
    storage::api_keys::insert(&mut tx, &new.key, &new.presented.hash()).await?;
    let detail = json!({"role": new.key.role, "name": new.key.name});
    let entry = entry(new.key.id, AuditAction::KeyCreated, detail);
    audit::record_by(
        &mut tx,
        context,
        Author::COMMAND_LINE,
        None,
        &entry,
        new.key.created_at,
    )
    .await?;
    tx.commit().await?;
    Ok(new)
}

/// Whose key this is. Unknown, wrong, expired and revoked keys get one and the same answer.
#[tracing::instrument(target = "stepgate::trace", name = "api_keys.authenticate", skip_all)]
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
    // A busy key must not cost a write per request.
    if stored
        .last_used_at
        .is_none_or(|used_at| now - used_at >= NOTED_EVERY)
    {
        storage::api_keys::touch(&mut tx, stored.id, now).await?;
        tx.commit().await?;
    }
    Ok(stored.actor)
}

/// May read an owner's keys; a foreign partner is not there.
fn reads(request: &Request, owner: Owner) -> Result<ReadScope> {
    match owner {
        Owner::Installation => Ok(ReadScope::Installation(request.actor.installation_reader()?)),
        Owner::Partner(id) => {
            let scope = request.actor.reader()?;
            match scope.partner_id() {
                Some(own) if own != id => Err(Error::not_found("partner")),
                _ => Ok(scope),
            }
        }
    }
}

/// A transaction in which an owner's keys may be changed.
async fn begin(context: &Context, request: &Request, owner: Owner) -> Result<(storage::Tx, ReadScope)> {
    request.actor.require(KeyScope::KeysWrite)?;
    let scope = match owner {
        Owner::Installation => ReadScope::Installation(request.actor.operator()?),
        Owner::Partner(id) => {
            request.actor.administrator_of(id)?;
            request.actor.administrator()?
        }
    };
    let mut tx = context.db.begin(&scope).await?;
    if let Owner::Partner(id) = owner {
        storage::partners::get(&mut tx, &scope, id).await?;
    }
    Ok((tx, scope))
}

fn check_expiry(expires_at: Option<DateTime<Utc>>, now: DateTime<Utc>, problems: &mut Problems) {
    let ahead = expires_at.is_none_or(|expires_at| expires_at > now);
    problems.require(ahead, "/expires_at", "in_the_past", "must lie in the future");
}

fn check_scopes(grants: &Grants, request: &Request, problems: &mut Problems) {
    if let Grants::Only(scopes) = grants {
        let detail = "name at least one scope; leave `scopes` out for everything that the role may do";
        problems.require(!scopes.is_empty(), "/scopes", "empty", detail);
    }
    let detail = "a key cannot make one that may do more than itself";
    problems.require(
        request.actor.grants.cover(grants),
        "/scopes",
        "exceeds_own",
        detail,
    );
}

fn make(
    context: &Context,
    owner: Owner,
    role: Role,
    name: String,
    grants: Grants,
    expires_at: Option<DateTime<Utc>>,
) -> NewKey {
    let now = context.clock.now();
    let presented = PresentedKey::generate(&context.ids);
    let key = ApiKey {
        id: KeyId::generate(&context.ids, now),
        partner_id: owner.partner_id(),
        role,
        name,
        grants,
        prefix: presented.prefix.clone(),
        created_at: now,
        // As the database keeps it.
        expires_at: expires_at.map(crate::clock::to_microseconds),
        revoked_at: None,
        last_used_at: None,
        replaced_by: None,
    };
    NewKey { key, presented }
}

fn entry(id: KeyId, action: AuditAction, detail: serde_json::Value) -> AuditEntry {
    AuditEntry {
        tenant_id: None,
        resource_id: id.to_string(),
        action,
        reason: String::new(),
        detail,
    }
}
