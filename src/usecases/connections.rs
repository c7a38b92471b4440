//! Changing a tenant's BlockID connection: another secret, another client, another provider.
//!
//! As in a creation, a first transaction reserves the change, then the client secret goes into the cell, where it
//! waits beside the one in force, and a second transaction hands the change to the worker. A repeat of the request
//! takes over what a crash left. What makes links void is done only when it is asked for twice.

use super::{Request, audit, operations, require_as_read};
use crate::{
    Context, Error, Result,
    domain::{
        actor::PartnerScope,
        audit::{AuditAction, AuditEntry, REASON_MAX_CHARS},
        blockid::{BlockIdConnection, validate_client_secret},
        connection_change::{self, ConnectionChange},
        operation::OperationKind,
        tenant::{Tenant, TenantState},
        validation::Problems,
    },
    error::Code,
    ids::{ChangeId, OperationId, TenantId},
    storage::{self, connection_changes},
};
use chrono::TimeDelta;
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::Sha256;
use std::time::Duration;

/// How long a reservation belongs to the request that made it. Longer than [`SECRET_TIMEOUT`].
const LEASE: TimeDelta = TimeDelta::seconds(60);
/// How long the cell may take to accept the secret.
const SECRET_TIMEOUT: Duration = Duration::from_secs(40);
/// Longest issuer.
const ISSUER_MAX_BYTES: usize = 2048;

/// A tenant's connection: what is in force, what is known of it, and the newest change.
#[derive(Debug)]
pub struct Connection {
    /// The tenant.
    pub tenant: Tenant,
    /// The provider's issuer, once it was read.
    pub issuer: Option<String>,
    /// The newest change.
    pub change: Option<ConnectionChange>,
}

/// What a caller asks for.
#[derive(Debug)]
pub struct Wanted {
    /// The connection.
    pub blockid: BlockIdConnection,
    /// Its secret; `None` keeps the one in the cell.
    pub client_secret: Option<SecretString>,
    /// Issuer that the provider names from now on, when it is another one.
    pub issuer: Option<String>,
    /// What was told as `confirmation`.
    pub confirm: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// A tenant's connection.
#[tracing::instrument(target = "stepgate::trace", name = "connections.get", skip_all)]
pub async fn get(context: &Context, request: &Request, id: TenantId) -> Result<Connection> {
    let scope = request.actor.reader()?;
    let mut db = context.db.begin(&scope).await?;
    let tenant = storage::tenants::get(&mut db, &scope, id).await?;
    let ground = connection_changes::ground(&mut db, &scope, id).await?;
    Ok(Connection {
        issuer: ground.observed.provider.map(|provider| provider.metadata.issuer),
        change: connection_changes::latest(&mut db, &scope, id, false).await?,
        tenant,
    })
}

/// What goes to the second transaction.
struct Reserved {
    change: ChangeId,
    tenant: Tenant,
    key: Vec<u8>,
    action: AuditAction,
    voids_links: bool,
    issuer: Option<String>,
    reason: Option<String>,
}

/// Changes the connection of a tenant that is at generation `replaces`; it is in force once the operation has succeeded.
///
/// The generation grows in the second transaction, so a repeat of what a crash left names the same; until then the
/// reservation keeps other changes of the connection out.
#[tracing::instrument(target = "stepgate::trace", name = "connections.put", skip_all)]
pub async fn put(
    context: &Context,
    request: &Request,
    id: TenantId,
    replaces: i64,
    mut wanted: Wanted,
) -> Result<(Connection, operations::Watched)> {
    let scope = request.actor.partner_admin()?;
    let mut tx = context.db.begin(&scope).await?;
    let tenant = storage::tenants::lock(&mut tx, &scope, id).await?;
    require_as_read("tenant", tenant.generation, replaces)?;
    let ground = connection_changes::ground(&mut tx, &scope.into(), id).await?;
    let mut problems = Problems::new();
    let egress = context.egress(ground.allowed_networks.clone(), None);
    wanted.blockid.place(&egress, &mut problems);
    validate(&tenant.blockid, &wanted, &mut problems);
    problems.finish()?;
    let arn = credentials_arn(&tenant)?;
    let reserved = Asked {
        action: AuditAction::ConnectionChanged,
        to: &wanted.blockid,
        issuer: wanted.issuer.clone(),
        confirm: wanted.confirm.as_deref(),
        reason: wanted.reason.take(),
    }
    .reserve(&mut tx, context, request, &scope, (tenant, ground.event_hash_key))
    .await?;
    tx.commit().await?;

    let mut version_id = None;
    if let Some(client_secret) = &wanted.client_secret {
        match write_secret(context, &reserved, &arn, &wanted.blockid, client_secret).await {
            Ok(version) => version_id = Some(version),
            Err(error) => {
                // The repeat that the caller will make must not wait for the lease to end.
                let mut tx = context.db.begin(&scope).await?;
                connection_changes::release(&mut tx, &scope, reserved.change, &request.id).await?;
                tx.commit().await?;
                return Err(error);
            }
        }
    }
    stage(context, request, &scope, reserved, version_id).await
}

/// Goes back to the connection and the secret that were in force before the last change.
#[tracing::instrument(target = "stepgate::trace", name = "connections.revert", skip_all)]
pub async fn revert(
    context: &Context,
    request: &Request,
    id: TenantId,
    confirm: Option<String>,
    reason: Option<String>,
) -> Result<(Connection, operations::Watched)> {
    let scope = request.actor.partner_admin()?;
    let mut tx = context.db.begin(&scope).await?;
    let tenant = storage::tenants::lock(&mut tx, &scope, id).await?;
    let ground = connection_changes::ground(&mut tx, &scope.into(), id).await?;
    let mut problems = Problems::new();
    check_reason(reason.as_deref(), &mut problems);
    problems.finish()?;
    let arn = credentials_arn(&tenant)?;
    let nothing = || Error::new(Code::NothingToRevert, "The connection was never changed.");
    let last = connection_changes::latest(&mut tx, &scope.into(), id, true).await?;
    let last = last.ok_or_else(nothing)?;
    // An issuer that was accepted goes back as well: in the same place the earlier one is unknown here.
    let reserved = Asked {
        action: AuditAction::ConnectionReverted,
        to: &last.previous,
        issuer: None,
        confirm: confirm.as_deref(),
        reason,
    }
    .reserve(&mut tx, context, request, &scope, (tenant, ground.event_hash_key))
    .await?;
    tx.commit().await?;
    let version_id = if last.version_id.is_none() {
        None
    } else {
        let aws = context.aws.within(reserved.tenant.access.as_ref()).await;
        let secrets = aws.secrets_manager(&reserved.tenant.region);
        let versions = secrets.versions(&arn).await;
        let previous = versions.map(|versions| versions.previous);
        match previous {
            Ok(Some(previous)) => Some(previous),
            unusable => {
                let mut tx = context.db.begin(&scope).await?;
                connection_changes::release(&mut tx, &scope, reserved.change, &request.id).await?;
                tx.commit().await?;
                return Err(match unusable {
                    Err(error) => unavailable().caused_by(error),
                    _ => nothing(),
                });
            }
        }
    };
    stage(context, request, &scope, reserved, version_id).await
}

fn validate(present: &BlockIdConnection, wanted: &Wanted, problems: &mut Problems) {
    let to = &wanted.blockid;
    to.validate(problems);
    check_reason(wanted.reason.as_deref(), problems);
    if let Some(secret) = &wanted.client_secret {
        validate_client_secret(secret.expose_secret(), problems);
    } else if connection_change::needs_secret(present, to) {
        problems.add(
            "/client_secret",
            "missing",
            "must come with another place or client id: a secret is sent to no other provider than it was given by",
        );
    }
    if let Some(issuer) = &wanted.issuer {
        problems.require(
            issuer.len() <= ISSUER_MAX_BYTES
                && (issuer.starts_with("https://") || issuer.starts_with("http://")),
            "/issuer",
            "invalid",
            "must be the provider's new issuer, an https URL",
        );
    }
    problems.require(
        wanted.client_secret.is_some() || wanted.issuer.is_some() || present != to,
        "",
        "unchanged",
        "is the connection in force",
    );
}

fn check_reason(reason: Option<&str>, problems: &mut Problems) {
    if let Some(reason) = reason {
        problems.name("/reason", reason, REASON_MAX_CHARS);
    }
}

fn credentials_arn(tenant: &Tenant) -> Result<String> {
    tenant.require_active()?;
    match &tenant.state {
        TenantState::Active {
            credentials_secret_arn,
        } => Ok(credentials_secret_arn.clone()),
        _ => Err(Error::new(Code::TenantState, "The tenant is not active.")),
    }
}

/// A change that was asked for and found acceptable.
struct Asked<'a> {
    action: AuditAction,
    to: &'a BlockIdConnection,
    issuer: Option<String>,
    confirm: Option<&'a str>,
    reason: Option<String>,
}

impl Asked<'_> {
    /// Reserves it, once it is confirmed where it must be.
    async fn reserve(
        self,
        tx: &mut sqlx::PgConnection,
        context: &Context,
        request: &Request,
        scope: &PartnerScope,
        (tenant, key): (Tenant, Vec<u8>),
    ) -> Result<Reserved> {
        let now = context.clock.now();
        let issuer = self.issuer.as_deref();
        let voids_links = connection_change::voids_links(&tenant.blockid, self.to, issuer);
        // Without a pool there are no users, and no links.
        if voids_links && tenant.user_pool_id.is_some() {
            let confirmation = connection_change::Confirmation {
                key: &key,
                tenant_id: tenant.id,
                from: &tenant.blockid,
                to: self.to,
                issuer,
            };
            if !self.confirm.is_some_and(|given| confirmation.accepts(given, now)) {
                return Err(confirmation.required(self.confirm, now));
            }
        }
        let new = connection_changes::NewChange {
            id: ChangeId::generate(&context.ids, now),
            tenant_id: tenant.id,
            connection: self.to,
            previous: &tenant.blockid,
            issuer,
            lease_owner: &request.id,
            lease_expires_at: now + LEASE,
            now,
        };
        let change = connection_changes::reserve(tx, scope, new).await?;
        Ok(Reserved {
            change,
            key,
            action: self.action,
            voids_links,
            issuer: self.issuer,
            reason: self.reason,
            tenant,
        })
    }
}

fn unavailable() -> Error {
    Error::new(
        Code::CellUnavailable,
        "The client secret could not be stored in the tenant's cell.",
    )
}

/// Writes the secret where it waits; returns its version.
async fn write_secret(
    context: &Context,
    reserved: &Reserved,
    arn: &str,
    connection: &BlockIdConnection,
    client_secret: &SecretString,
) -> Result<String> {
    let value = SecretString::from(serde_json::to_string(&connection.credentials(client_secret))?);
    // The same for a repeat with the same secret, another one for another secret or change. Keyed, because AWS's
    // trail shows tokens.
    let mut mac = Hmac::<Sha256>::new_from_slice(&reserved.key).map_err(Error::internal)?;
    mac.update(format!("{}\0{}\0rotation\0", reserved.tenant.id, reserved.change).as_bytes());
    mac.update(value.expose_secret().as_bytes());
    let token = hex::encode(mac.finalize().into_bytes());
    let aws = context.aws.within(reserved.tenant.access.as_ref()).await;
    let secrets = aws.secrets_manager(&reserved.tenant.region);
    match tokio::time::timeout(SECRET_TIMEOUT, secrets.stage_value(arn, &value, &token)).await {
        Ok(written) => written.map_err(|error| unavailable().caused_by(error)),
        Err(elapsed) => Err(unavailable().caused_by(elapsed)),
    }
}

async fn stage(
    context: &Context,
    request: &Request,
    scope: &PartnerScope,
    reserved: Reserved,
    version_id: Option<String>,
) -> Result<(Connection, operations::Watched)> {
    let id = reserved.tenant.id;
    let now = context.clock.now();
    let mut tx = context.db.begin(scope).await?;
    storage::tenants::lock(&mut tx, scope, id)
        .await?
        .require_active()?;
    let target_generation = storage::tenants::bump_generation(&mut tx, scope, id, now).await?;
    let subject = operations::Subject {
        kind: OperationKind::ChangeConnection,
        tenant_id: id,
        resource_id: id.to_string(),
        target_generation,
        now,
    };
    let operation = operations::open(&mut tx, context, request, scope, subject).await?;
    let operation_id: OperationId = operation.0.id;
    let staged = connection_changes::Staged {
        id: reserved.change,
        lease_owner: &request.id,
        version_id: version_id.as_deref(),
        operation_id,
        now,
    };
    connection_changes::stage(&mut tx, scope, staged).await?;
    storage::conditions::settle(&mut tx, id, now).await?;
    let change = connection_changes::latest(&mut tx, &(*scope).into(), id, false).await?;
    let shown = |connection: &BlockIdConnection| {
        json!({
            "tenant_dns": connection.tenant_dns, "community": connection.community,
            "client_id": connection.client_id, "extra_ca": connection.extra_ca_pem.is_some(),
        })
    };
    let entry = AuditEntry {
        tenant_id: Some(id),
        resource_id: id.to_string(),
        action: reserved.action,
        reason: reserved.reason.unwrap_or_default(),
        detail: json!({
            "from": shown(&reserved.tenant.blockid),
            "to": change.as_ref().map(|change| shown(&change.connection)),
            "issuer": reserved.issuer,
            "new_secret": version_id.is_some(),
            "voids_links": reserved.voids_links,
            "operation_id": operation_id,
        }),
    };
    audit::record(&mut tx, context, request, scope, &entry, now).await?;
    let tenant = storage::tenants::get(&mut tx, &(*scope).into(), id).await?;
    let ground = connection_changes::ground(&mut tx, &(*scope).into(), id).await?;
    tx.commit().await?;
    let issuer = ground.observed.provider.map(|provider| provider.metadata.issuer);
    Ok((
        Connection {
            tenant,
            issuer,
            change,
        },
        operation,
    ))
}
