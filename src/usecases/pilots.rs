//! Pilot step-ups: what a tenant's provider returns for a method, learned without reading the client secret.
//!
//! An administrator opens the authorize URL and hands in what the provider's page posts. The code goes to the
//! tenant's function *verify*, which alone may read the client secret, and is stored nowhere. What *verify* tells
//! goes into the tenant's map; the worker tells the triggers.

use super::{Request, audit, idempotency::Once, operations};
use crate::{
    Context, Error, Result,
    domain::{
        actor::PartnerScope,
        audit::{AuditAction, AuditEntry},
        operation::OperationKind,
        pilot::{
            CODE_MAX_BYTES, OPEN_FOR, Pilot, PilotOutcome, PilotRefusal, PilotSecrets, STATE_MAX_BYTES,
            hash_of,
        },
        provisioning::Observed,
        tenant::Tenant,
        validation::Problems,
    },
    error::Code,
    ids::{PilotId, TenantId},
    storage,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use sqlx::PgConnection;
use step_up::{
    challenge::{AuthorizeRequest, authorize_url},
    pilot::{PILOT_EVENT, PilotOutcome as Verified, PilotRequest, ToldMethod},
    settings::ProviderMetadata,
};

/// Longest name by which BlockID is asked for the administrator, characters.
const USERNAME_MAX_CHARS: usize = 256;

/// What a caller asks for.
#[derive(Debug)]
pub struct NewPilot {
    /// ACR value of the method.
    pub method: String,
    /// Name by which BlockID knows the person who will step up; goes into the URL and nowhere else.
    pub username: String,
}

/// Begins a pilot; returns it with the URL that the administrator opens.
#[tracing::instrument(target = "stepgate::trace", name = "pilots.start", skip_all)]
pub async fn start(
    context: &Context,
    request: &Request,
    tenant_id: TenantId,
    new: NewPilot,
    once: &Once<'_, (Pilot, String)>,
) -> Result<(Pilot, String)> {
    let scope = request.actor.partner_admin()?;
    let mut tx = context.db.begin(&scope).await?;
    let tenant = storage::tenants::lock(&mut tx, &scope, tenant_id).await?;
    let mut problems = Problems::new();
    problems.name("/username", &new.username, USERNAME_MAX_CHARS);
    let known = tenant.methods.find(&new.method).is_some();
    problems.require(known, "/method", "unknown", "is not a method of this tenant");
    problems.finish()?;
    let (observed, key) = storage::tenants::found(&mut tx, &scope, tenant_id).await?;
    let (_, provider) = reachable(&tenant, &observed)?;

    let now = context.clock.now();
    let mut bytes = [0_u8; 32];
    context.ids.fill(&mut bytes);
    let state = BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let pilot = Pilot {
        id: PilotId::generate(&context.ids, now),
        tenant_id,
        partner_id: scope.partner_id(),
        method: new.method,
        state_hash: hash_of(&state),
        pkce: provider.pkce_s256,
        connection: tenant.blockid,
        created_at: now,
        expires_at: now + OPEN_FOR,
        taken_at: None,
        outcome: None,
    };
    let secrets = PilotSecrets::derive(&key, pilot.id, &state)?;
    let url = authorize_url(&AuthorizeRequest {
        authorization_endpoint: &provider.authorization_endpoint,
        client_id: &pilot.connection.client_id,
        redirect_uri: &provider.redirect_uri,
        username: &new.username,
        methods: std::slice::from_ref(&pilot.method),
        state: &state,
        nonce: Some(&secrets.nonce),
        pkce_verifier: pilot.pkce.then_some(&secrets.pkce_verifier),
        min_ial: None,
    });
    storage::pilots::insert(&mut tx, &scope, &pilot).await?;
    let entry = entry(&pilot, AuditAction::PilotStarted);
    audit::record(&mut tx, context, request, &scope, &entry, now).await?;
    let started = (pilot, url);
    once.record(&mut tx, &started).await?;
    tx.commit().await?;
    Ok(started)
}

/// One pilot.
#[tracing::instrument(target = "stepgate::trace", name = "pilots.get", skip_all)]
pub async fn get(context: &Context, request: &Request, ids: (TenantId, PilotId)) -> Result<Pilot> {
    let scope = request.actor.reader()?;
    storage::pilots::get(&mut *context.db.begin(&scope).await?, &scope, ids).await
}

/// What the provider's page posted.
#[derive(Debug)]
pub struct Posted {
    /// Authorization code.
    pub code: SecretString,
    /// OAuth `state`.
    pub state: String,
}

/// Takes the answer to a pilot: has *verify* exchange the code, enters what it tells into the tenant's map, and opens
/// the operation that tells the triggers.
#[tracing::instrument(target = "stepgate::trace", name = "pilots.complete", skip_all)]
pub async fn complete(
    context: &Context,
    request: &Request,
    ids: (TenantId, PilotId),
    posted: Posted,
) -> Result<(Pilot, operations::Watched)> {
    let scope = request.actor.partner_admin()?;
    let (tenant, function_arn, asked) = take(context, &scope, ids, posted).await?;
    let aws = context.aws.within(tenant.access.as_ref()).await;
    let lambda = aws.lambda(&tenant.region);
    let answer = lambda.invoke(&function_arn, &json!({ PILOT_EVENT: asked })).await;
    let told = answer.map_err(|error| {
        tracing::warn!(tenant = %ids.0, pilot = %ids.1, %error, "verify could not be asked about a pilot");
        refusal(
            "function_unavailable",
            "The tenant's function could not be invoked.",
        )
    });
    let told = told.and_then(
        |answer| match serde_json::from_value(answer.unwrap_or_default()) {
            Ok(Verified::Told(told)) => Ok(told),
            Ok(Verified::Refused { reason }) => Err(refusal(reason.code(), reason.meaning().trim())),
            Err(_) => Err(refusal(
                "function_unavailable",
                "The tenant's function is of an older version that knows no pilots.",
            )),
        },
    );
    conclude(context, request, &scope, ids, told).await
}

/// Takes the answer, once, and says what *verify* is to be asked. Committed before it is asked: a code is good for
/// one exchange, whatever becomes of this process.
async fn take(
    context: &Context,
    scope: &PartnerScope,
    ids: (TenantId, PilotId),
    posted: Posted,
) -> Result<(Tenant, String, PilotRequest)> {
    let mut tx = context.db.begin(scope).await?;
    let tenant = storage::tenants::lock(&mut tx, scope, ids.0).await?;
    let pilot = storage::pilots::get(&mut tx, &(*scope).into(), ids).await?;
    let mut problems = Problems::new();
    let code = posted.code.expose_secret();
    for (pointer, text, max_bytes) in [
        ("/code", code, CODE_MAX_BYTES),
        ("/state", posted.state.as_str(), STATE_MAX_BYTES),
    ] {
        // RFC 6749, appendix A.5 and A.11.
        let sound = !text.is_empty()
            && text.len() <= max_bytes
            && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        let detail = format!("must have 1 to {max_bytes} printable ASCII characters");
        problems.require(sound, pointer, "invalid", detail);
    }
    problems.finish()?;
    let now = context.clock.now();
    pilot.require_open(&posted.state, now)?;
    let (observed, key) = storage::tenants::found(&mut tx, scope, ids.0).await?;
    let (function_arn, _) = reachable(&tenant, &observed)?;
    let secrets = PilotSecrets::derive(&key, pilot.id, &posted.state)?;
    let asked = PilotRequest {
        code: code.to_owned(),
        nonce: secrets.nonce,
        pkce_verifier: pilot.pkce.then_some(secrets.pkce_verifier),
        issued_at_unix_s: pilot.created_at.timestamp(),
    };
    storage::pilots::take(&mut tx, scope, pilot.id, now).await?;
    tx.commit().await?;
    Ok((tenant, function_arn, asked))
}

/// Writes down how the pilot ended and, when it taught something, what.
async fn conclude(
    context: &Context,
    request: &Request,
    scope: &PartnerScope,
    ids: (TenantId, PilotId),
    told: std::result::Result<ToldMethod, PilotRefusal>,
) -> Result<(Pilot, operations::Watched)> {
    let mut tx = context.db.begin(scope).await?;
    let tenant = storage::tenants::lock(&mut tx, scope, ids.0).await?;
    let pilot = storage::pilots::get(&mut tx, &(*scope).into(), ids).await?;
    let now = context.clock.now();
    let observed = match told.and_then(|told| learned(&tenant, &pilot, &told, now.timestamp())) {
        Ok(observed) => observed,
        Err(refused) => {
            let (code, message) = (Code::PilotFailed, refused.message.clone());
            let entry = AuditEntry {
                detail: json!({ "method": pilot.method, "reason": refused.reason }),
                ..entry(&pilot, AuditAction::PilotRefused)
            };
            storage::pilots::end(&mut tx, scope, pilot.id, &PilotOutcome::Refused(refused)).await?;
            audit::record(&mut tx, context, request, scope, &entry, now).await?;
            tx.commit().await?;
            return Err(Error::new(code, format!("Nothing was learned: {message}")));
        }
    };
    let mut methods = tenant.methods.clone();
    methods.learn(&tenant.blockid, &pilot.method, observed.clone());
    storage::tenants::set_methods(&mut tx, scope, ids.0, &methods).await?;
    let outcome = PilotOutcome::Learned(observed);
    storage::pilots::end(&mut tx, scope, pilot.id, &outcome).await?;
    let entry = entry(&pilot, AuditAction::PilotLearned);
    audit::record(&mut tx, context, request, scope, &entry, now).await?;
    let operation = tell_triggers(
        &mut tx,
        context,
        request,
        scope,
        &tenant,
        OperationKind::RecordPilot,
    )
    .await?;
    tx.commit().await?;
    let pilot = Pilot {
        outcome: Some(outcome),
        ..pilot
    };
    Ok((pilot, operation))
}

/// What was told, as an entry of the map; or why it is none.
fn learned(
    tenant: &Tenant,
    pilot: &Pilot,
    told: &ToldMethod,
    now_unix_s: i64,
) -> std::result::Result<step_up::settings::ObservedMethod, PilotRefusal> {
    if tenant.blockid != pilot.connection {
        let message = "The tenant's BlockID connection was changed meanwhile.";
        return Err(refusal("connection_changed", message));
    }
    let catalogue = tenant.methods.catalogue();
    let Some(method) = catalogue.iter().find(|method| method.acr == pilot.method) else {
        return Err(refusal("method_unknown", "The method was removed meanwhile."));
    };
    told.observed(method, &catalogue, now_unix_s)
        .map_err(|error| refusal("method_not_told", &format!("{error}.")))
}

/// Has the worker tell the triggers of changed methods.
pub(super) async fn tell_triggers(
    tx: &mut PgConnection,
    context: &Context,
    request: &Request,
    scope: &PartnerScope,
    tenant: &Tenant,
    kind: OperationKind,
) -> Result<operations::Watched> {
    let now = context.clock.now();
    let target_generation = storage::tenants::bump_generation(tx, scope, tenant.id, now).await?;
    let subject = operations::Subject {
        kind,
        tenant_id: tenant.id,
        resource_id: tenant.id.to_string(),
        target_generation,
        now,
    };
    operations::open(tx, context, request, scope, subject).await
}

/// *verify* and the provider, once the tenant has them.
fn reachable<'a>(tenant: &Tenant, observed: &'a Observed) -> Result<(String, &'a ProviderMetadata)> {
    tenant.require_active()?;
    let provider = observed.provider.as_ref().filter(|provider| {
        provider.tenant_dns == tenant.blockid.tenant_dns && provider.community == tenant.blockid.community
    });
    observed
        .stack
        .as_ref()
        .map(|stack| stack.verify_function_arn.clone())
        .zip(provider.map(|provider| &provider.metadata))
        .ok_or_else(|| {
            Error::new(
                Code::TenantState,
                "The tenant is not provisioned yet: wait for its operation.",
            )
        })
}

fn refusal(reason: &str, message: &str) -> PilotRefusal {
    PilotRefusal {
        reason: reason.to_owned(),
        message: message.to_owned(),
    }
}

fn entry(pilot: &Pilot, action: AuditAction) -> AuditEntry {
    AuditEntry {
        tenant_id: Some(pilot.tenant_id),
        resource_id: pilot.id.to_string(),
        action,
        reason: format!("pilot step-up with `{}`", pilot.method),
        detail: json!({ "method": pilot.method }),
    }
}
