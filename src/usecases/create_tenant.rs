//! Creation of a tenant, in three phases.
//!
//! 1. A first transaction reserves id, cell and secret names; the tenant is `awaiting_secret`.
//! 2. `serve` writes the client secret into the cell's Secrets Manager. It is nowhere else: not in the
//!    database, not in a template, not in a log.
//! 3. A second transaction makes the tenant `active` and opens the operation the worker carries out.
//!
//! A crash after 1 or 2 leaves a reservation that a repeat of the request takes over and that the worker
//! sweeps when nobody repeats it ([`crate::storage::reservations`]).

use super::{Request, audit, idempotency::Once, operations};
use crate::{
    Context, Error, Result,
    domain::{
        actor::PartnerScope,
        audit::{AuditAction, AuditEntry},
        blockid::{BlockIdConnection, validate_client_secret},
        cell::{self, Cell},
        operation::OperationKind,
        pool::PoolSettings,
        tenant::{Labels, Reservation, Tenant, validate_external_id, validate_labels},
        validation::{NAME_MAX_CHARS, Problems},
    },
    error::Code,
    ids::CellId,
    storage::{self, reservations},
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

/// What a caller gives.
#[derive(Debug)]
pub struct NewTenant {
    /// Name, unique at the partner.
    pub name: String,
    /// Cell that was asked for; else the one with most head-room.
    pub cell_id: Option<CellId>,
    /// AWS region that was asked for.
    pub region: Option<String>,
    /// What the partner's own system calls it.
    pub external_id: Option<String>,
    /// Names and values to select tenants by.
    pub labels: Labels,
    /// BlockID connection.
    pub blockid: BlockIdConnection,
    /// OAuth client secret; passes through to the cell and is not kept.
    pub client_secret: SecretString,
    /// Pool settings.
    pub pool: PoolSettings,
    /// Whether it is for trying out.
    pub sandbox: bool,
}

/// Creates a tenant, or completes its abandoned creation.
#[tracing::instrument(target = "stepgate::trace", name = "create_tenant.create", skip_all)]
pub async fn create(
    context: &Context,
    request: &Request,
    new: NewTenant,
) -> Result<(Tenant, operations::Watched)> {
    create_once(context, request, new, &Once::never()).await
}

/// What a creation returns.
type Created = (Tenant, operations::Watched);

/// Creates a tenant once for all repeats of the request. A repeat goes on where a crashed one was, at once.
#[tracing::instrument(target = "stepgate::trace", name = "create_tenant.create_once", skip_all)]
pub async fn create_once(
    context: &Context,
    request: &Request,
    mut new: NewTenant,
    once: &Once<'_, Created>,
) -> Result<Created> {
    let scope = request.actor.partner_admin()?;
    let owner = once.reservation_owner(request);
    let (taken, cell) = reserve(context, &owner, &scope, &mut new).await?;
    let arn = match write_secret(context, &scope, &taken, &cell, &new).await {
        Ok(arn) => arn,
        Err(error) => {
            // The repeat that the caller will make must not wait for the lease to end.
            let mut tx = context.db.begin(&scope).await?;
            reservations::release(&mut tx, &scope, taken.reservation.id, &owner).await?;
            tx.commit().await?;
            return Err(error);
        }
    };
    activate(context, request, &scope, (&taken, &owner, &arn), once).await
}

async fn reserve(
    context: &Context,
    owner: &str,
    scope: &PartnerScope,
    new: &mut NewTenant,
) -> Result<(reservations::Taken, Cell)> {
    let mut tx = context.db.begin(scope).await?;
    let reserved = storage::cells::of_reservation(&mut tx, scope, &new.name).await?;
    let placed = if let Some(cell) = reserved {
        // It has its place already, whatever became of the cell meanwhile.
        Ok(cell)
    } else {
        let wish = cell::Wish {
            cell_id: new.cell_id,
            region: new.region.clone(),
        };
        cell::place(
            storage::cells::open_for_placement(&mut tx, context.clock.now()).await?,
            &wish,
        )
    };
    let mut problems = Problems::new();
    problems.name("/name", &new.name, NAME_MAX_CHARS);
    validate_external_id(new.external_id.as_deref(), &mut problems);
    validate_labels(&new.labels, &mut problems);
    problems.within("/blockid", |problems| {
        if let Ok(cell) = &placed {
            let policy = context.egress(cell.allowed_provider_networks.clone(), None);
            new.blockid.place(&policy, problems);
        }
        new.blockid.validate(problems);
        validate_client_secret(new.client_secret.expose_secret(), problems);
    });
    problems.within("/pool", |problems| new.pool.validate(problems));
    problems.finish()?;
    let cell = placed?;
    let now = context.clock.now();
    let taken = reservations::reserve(
        &mut tx,
        scope,
        reservations::NewTenant {
            reservation: Reservation::new(&context.ids, now),
            cell_id: cell.id,
            name: &new.name,
            external_id: new.external_id.as_deref(),
            labels: &new.labels,
            blockid: &new.blockid,
            pool: &new.pool,
            sandbox: new.sandbox,
            lease_owner: owner,
            lease_expires_at: now + LEASE,
            now,
        },
    )
    .await?;
    let elsewhere = new.cell_id.is_some_and(|asked| asked != taken.cell_id)
        || new.region.as_ref().is_some_and(|asked| *asked != cell.region);
    if elsewhere {
        return Err(Error::new(
            Code::NameTaken,
            "An unfinished tenant of this name is reserved in another cell.",
        ));
    }
    // Another request may have reserved the name while this one waited for its turn.
    let cell = if taken.cell_id == cell.id {
        cell
    } else {
        let reserved = storage::cells::of_reservation(&mut tx, scope, &new.name).await?;
        reserved.ok_or_else(|| Error::internal(anyhow::anyhow!("a reservation has no cell")))?
    };
    tx.commit().await?;
    Ok((taken, cell))
}

async fn write_secret(
    context: &Context,
    scope: &PartnerScope,
    taken: &reservations::Taken,
    cell: &Cell,
    new: &NewTenant,
) -> Result<String> {
    let credentials = new.blockid.credentials(&new.client_secret);
    let value = SecretString::from(serde_json::to_string(&credentials)?);
    let id = taken.reservation.id;
    let tags = [
        ("stepgate:tenant", id.to_string()),
        ("stepgate:cell", taken.cell_id.to_string()),
        ("stepgate:partner", scope.partner_id().to_string()),
    ];
    let idempotency = request_token(&taken.reservation, &value)?;
    let aws = context.aws.within(cell.access.as_ref()).await;
    let secrets = aws.secrets_manager(&cell.region);
    let name = &taken.reservation.credentials_secret_name;
    let unavailable = || {
        Error::new(
            Code::CellUnavailable,
            "The client secret could not be stored in the tenant's cell.",
        )
    };
    match tokio::time::timeout(
        SECRET_TIMEOUT,
        secrets.create_secret(name, value, &idempotency, &tags),
    )
    .await
    {
        Ok(written) => written.map_err(|error| unavailable().caused_by(error)),
        Err(elapsed) => Err(unavailable().caused_by(elapsed)),
    }
}

/// The same for a repeat with the same secret, another one for another secret: so a repeat writes nothing
/// twice, and a corrected secret is not mistaken for a repeat. Keyed, because AWS's trail shows tokens.
fn request_token(reservation: &Reservation, value: &SecretString) -> Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&reservation.event_hash_key).map_err(Error::internal)?;
    mac.update(reservation.id.to_string().as_bytes());
    mac.update(b"\0credentials\0");
    mac.update(value.expose_secret().as_bytes());
    Ok(hex::encode(mac.finalize().into_bytes()))
}

async fn activate(
    context: &Context,
    request: &Request,
    scope: &PartnerScope,
    (taken, owner, arn): (&reservations::Taken, &str, &str),
    once: &Once<'_, Created>,
) -> Result<Created> {
    let id = taken.reservation.id;
    let now = context.clock.now();
    let mut tx = context.db.begin(scope).await?;
    let target_generation = reservations::activate(&mut tx, scope, id, owner, arn, now).await?;
    let subject = operations::Subject {
        kind: OperationKind::CreateTenant,
        tenant_id: id,
        resource_id: id.to_string(),
        target_generation,
        now,
    };
    let operation = operations::open(&mut tx, context, request, scope, subject).await?;
    let tenant = storage::tenants::get(&mut tx, &(*scope).into(), id).await?;
    let entry = AuditEntry {
        tenant_id: Some(id),
        resource_id: id.to_string(),
        action: AuditAction::TenantCreated,
        reason: String::new(),
        detail: json!({"name": tenant.name, "cell_id": tenant.cell_id, "blockid": tenant.blockid, "pool": tenant.pool}),
    };
    audit::record(&mut tx, context, request, scope, &entry, now).await?;
    let created = (tenant, operation);
    once.record(&mut tx, &created).await?;
    tx.commit().await?;
    tracing::info!(tenant_id = %id, cell_id = %taken.cell_id, "tenant created");
    Ok(created)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::IdSource;

    #[test]
    fn a_repeat_has_the_same_token_and_another_secret_another_one() {
        let ids = IdSource::seeded(1);
        let now = chrono::DateTime::from_timestamp(0, 0).unwrap();
        let (a, b) = (Reservation::new(&ids, now), Reservation::new(&ids, now));
        let token = |reservation, value: &str| request_token(reservation, &value.into()).unwrap();
        assert_eq!(token(&a, "s"), token(&a, "s"));
        assert_ne!(token(&a, "s"), token(&a, "t"));
        assert_ne!(token(&a, "s"), token(&b, "s"));
        assert!(
            (32..=64).contains(&token(&a, "s").len()),
            "Secrets Manager's bounds of a token"
        );
    }
}
