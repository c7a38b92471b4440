//! Help for users of a tenant: found in its pool, looked at, signed out. Nothing of them is kept here.

use super::{Request, audit};
use crate::{
    Context, Error, Result,
    aws::{AwsError, cognito::Cognito, records::Records},
    domain::{
        actor::{PartnerScope, ReadScope},
        audit::{AuditAction, AuditEntry, REASON_MAX_CHARS},
        exemption::Exemption,
        user::{User, UserSub, Wanted},
        validation::Problems,
    },
    error::Code,
    ids::TenantId,
    reporting::journeys::{self, Journey},
    storage,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use std::time::Duration;
use step_up::{event::user_hash, link::Link, settings::EventHashKey};

/// How long AWS may take for one request of a caller.
const AWS_TIMEOUT: Duration = Duration::from_secs(20);

/// A user with what concerns the step-up.
pub struct UserDetails {
    /// The user.
    pub user: User,
    /// Links to BlockID subjects, one a provider.
    pub links: Vec<Link>,
    /// Exemptions in force, the user's own and those of whole apps.
    pub exemptions: Vec<Exemption>,
    /// The user as events name it.
    pub user_hash: Option<String>,
    /// The last journeys, newest first.
    pub journeys: Vec<Journey>,
}

/// Users of a tenant that are exactly what is looked for.
#[tracing::instrument(target = "stepgate::trace", name = "users.find", skip_all)]
pub async fn find(
    context: &Context,
    request: &Request,
    tenant_id: TenantId,
    wanted: &Wanted,
) -> Result<Vec<User>> {
    let scope = request.actor.reader()?;
    let place = place(context, &scope, tenant_id).await?;
    asked(place.cognito.find_users(&place.pool_id, wanted)).await
}

/// One user.
#[tracing::instrument(target = "stepgate::trace", name = "users.get", skip_all)]
pub async fn get(
    context: &Context,
    request: &Request,
    tenant_id: TenantId,
    sub: &UserSub,
) -> Result<UserDetails> {
    let scope = request.actor.reader()?;
    let place = place(context, &scope, tenant_id).await?;
    let user = place.user(sub).await?.ok_or_else(|| Error::not_found("user"))?;
    let links = asked(place.records.links(sub.as_str())).await?;
    let now = context.clock.now();
    let mut db = context.db.begin(&scope).await?;
    let exemptions = storage::exemptions::in_force_for(&mut db, &scope, tenant_id, sub, now).await?;
    let key = storage::tenants::event_hash_key(&mut db, &scope, tenant_id).await?;
    let user_hash = user_hash(&EventHashKey(BASE64_STANDARD.encode(key)), sub.as_str());
    let events = match &user_hash {
        Some(hash) => {
            let limit = journeys::EVENTS_READ;
            storage::user_journeys::events(&mut db, &scope, tenant_id, hash, limit).await?
        }
        None => Vec::new(),
    };
    Ok(UserDetails {
        user,
        links,
        exemptions,
        user_hash,
        journeys: journeys::newest(events),
    })
}

/// Signs a user out everywhere: sessions end, and no step-up that was made opens anything any more. The entry in the
/// audit log is made first, so that nobody is signed out unrecorded; after a failure the request may be repeated.
#[tracing::instrument(target = "stepgate::trace", name = "users.sign_out", skip_all)]
pub async fn sign_out(
    context: &Context,
    request: &Request,
    tenant_id: TenantId,
    sub: &UserSub,
    reason: String,
) -> Result<()> {
    let (place, scope) = administered(context, request, tenant_id, &reason).await?;
    let user = place.user(sub).await?.ok_or_else(|| Error::not_found("user"))?;
    write_down(
        context,
        request,
        &scope,
        entry(tenant_id, sub, AuditAction::UserSignedOut, reason, json!({})),
    )
    .await?;
    place.end_sessions(sub, Some(&user)).await?;
    tracing::info!(tenant_id = %tenant_id, user_sub = %sub, "a user was signed out everywhere");
    Ok(())
}

/// Where a tenant's users and their records are.
pub(super) struct Place {
    pub(super) cognito: Cognito,
    pub(super) records: Records,
    pub(super) pool_id: String,
    /// `iss` of its provider.
    pub(super) issuer: String,
    /// Community of its connection.
    pub(super) community: String,
}

impl Place {
    /// The user with this `sub`.
    pub(super) async fn user(&self, sub: &UserSub) -> Result<Option<User>> {
        let found = asked(self.cognito.find_users(&self.pool_id, &Wanted::Sub(sub.clone()))).await?;
        Ok(found.into_iter().next())
    }

    /// Revokes what Cognito issued, and deletes what a refresh would rest on: where one fails the other still holds.
    pub(super) async fn end_sessions(&self, sub: &UserSub, user: Option<&User>) -> Result<()> {
        let forgotten = asked(self.records.forget_step_ups(sub.as_str())).await;
        if let Some(user) = user {
            asked(self.cognito.sign_out(&self.pool_id, &user.username)).await?;
        }
        forgotten.map(drop)
    }
}

/// Finds a tenant's pool and tables; refuses while there are none.
pub(super) async fn place(context: &Context, scope: &ReadScope, tenant_id: TenantId) -> Result<Place> {
    let mut db = context.db.begin(scope).await?;
    let tenant = storage::tenants::get(&mut db, scope, tenant_id).await?;
    let observed = storage::tenants::observed(&mut db, scope, tenant_id).await?;
    drop(db);
    tenant.require_active()?;
    let (Some(pool_id), Some(stack), Some(provider)) =
        (observed.user_pool_id, observed.stack, observed.provider)
    else {
        return Err(Error::new(
            Code::TenantState,
            "The tenant has no user pool yet: wait for the operation that creates it.",
        ));
    };
    let aws = context.aws.within(tenant.access.as_ref()).await;
    Ok(Place {
        cognito: aws.cognito(&tenant.region),
        records: aws.records(&tenant.region, stack.records_table),
        pool_id,
        issuer: provider.metadata.issuer,
        community: tenant.blockid.community,
    })
}

/// The same for an administrator of the tenant, with a reason that may be written down.
pub(super) async fn administered(
    context: &Context,
    request: &Request,
    tenant_id: TenantId,
    reason: &str,
) -> Result<(Place, PartnerScope)> {
    let reads = request.actor.administrator()?;
    let partner_id = {
        let mut db = context.db.begin(&reads).await?;
        storage::tenants::get(&mut db, &reads, tenant_id)
            .await?
            .partner_id
    };
    let scope = request.actor.administrator_of(partner_id)?;
    let mut problems = Problems::new();
    problems.name("/reason", reason, REASON_MAX_CHARS);
    problems.finish()?;
    Ok((place(context, &reads, tenant_id).await?, scope))
}

/// An entry about a user. The `sub` says nothing outside the pool; names, addresses and subjects stay out.
pub(super) fn entry(
    tenant_id: TenantId,
    sub: &UserSub,
    action: AuditAction,
    reason: String,
    detail: Value,
) -> AuditEntry {
    AuditEntry {
        tenant_id: Some(tenant_id),
        resource_id: sub.to_string(),
        action,
        reason,
        detail,
    }
}

/// Makes an entry before what it tells is done.
pub(super) async fn write_down(
    context: &Context,
    request: &Request,
    scope: &PartnerScope,
    entry: AuditEntry,
) -> Result<()> {
    let mut tx = context.db.begin(scope).await?;
    audit::record(&mut tx, context, request, scope, &entry, context.clock.now()).await?;
    tx.commit().await?;
    Ok(())
}

/// Waits for AWS, and not for longer than a caller would.
pub(super) async fn asked<T>(work: impl Future<Output = Result<T, AwsError>>) -> Result<T> {
    let unavailable = || {
        Error::new(
            Code::CellUnavailable,
            "The tenant's cell did not do what was needed.",
        )
    };
    match tokio::time::timeout(AWS_TIMEOUT, work).await {
        Ok(done) => done.map_err(|error| unavailable().caused_by(error)),
        Err(elapsed) => Err(unavailable().caused_by(elapsed)),
    }
}
