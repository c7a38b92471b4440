//! The preflight of a BlockID connection: before there is a tenant, and of the connection in force.
//!
//! Before there is a tenant the caller gives the client secret, and it is tried from here. The secret of a tenant is
//! read by nobody but `verify`: the function tries it and tells one word.

use super::{Request, audit};
use crate::{
    Context, Error, Result,
    domain::{
        audit::{AuditAction, AuditEntry},
        blockid::{BlockIdConnection, validate_client_secret},
        cell,
        connection_check::ConnectionReport,
        tenant::Tenant,
        validation::Problems,
    },
    error::FieldError,
    ids::{CellId, TenantId},
    storage::{self, connection_changes},
};
use blockid::{
    ClientCredentials, EgressPolicy, HttpClient, Probe, TenantDns,
    preflight::{self, Check, Finding, Preflight, Verdict},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use std::time::Duration;

/// Longest that the function may take to try a secret.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection that no tenant has yet.
#[derive(Debug)]
pub struct NewConnection {
    /// Cell whose rules apply; by default the one that a new tenant would go to.
    pub cell_id: Option<CellId>,
    /// The connection.
    pub blockid: BlockIdConnection,
    /// Its secret; tried and forgotten.
    pub client_secret: SecretString,
}

/// Checks a connection that no tenant has yet.
#[tracing::instrument(target = "stepgate::trace", name = "connection_checks.check_new", skip_all)]
pub async fn check_new(
    context: &Context,
    request: &Request,
    mut new: NewConnection,
) -> Result<ConnectionReport> {
    let scope = request.actor.partner_admin()?;
    let cell = {
        let mut tx = context.db.begin(&scope).await?;
        let wish = cell::Wish {
            cell_id: new.cell_id,
            region: None,
        };
        cell::place(
            storage::cells::open_for_placement(&mut tx, context.clock.now()).await?,
            &wish,
        )
    };
    let mut problems = Problems::new();
    if let Ok(cell) = &cell {
        let policy = context.egress(cell.allowed_provider_networks.clone(), None);
        new.blockid.place(&policy, &mut problems);
    }
    new.blockid.validate(&mut problems);
    validate_client_secret(new.client_secret.expose_secret(), &mut problems);
    problems.finish()?;
    let egress = context.egress(cell?.allowed_provider_networks, new.blockid.extra_ca_pem.clone());
    let credentials = ClientCredentials {
        client_id: new.blockid.client_id.clone(),
        client_secret: new.client_secret,
    };
    let found = run(context, egress, &new.blockid, Some(&credentials)).await?;
    Ok(ConnectionReport::new(&new.blockid, found, context.clock.now()))
}

/// Checks the connection that a tenant has, and stores what was found.
#[tracing::instrument(target = "stepgate::trace", name = "connection_checks.check", skip_all)]
pub async fn check(context: &Context, request: &Request, id: TenantId) -> Result<ConnectionReport> {
    let reads = request.actor.administrator()?;
    let mut tx = context.db.begin(&reads).await?;
    let tenant = storage::tenants::get(&mut tx, &reads, id).await?;
    let ground = connection_changes::ground(&mut tx, &reads, id).await?;
    // The provider may take its time: no connection is held meanwhile.
    drop(tx);
    let scope = request.actor.administrator_of(tenant.partner_id)?;
    tenant.require_active()?;
    let egress = context.egress(ground.allowed_networks, tenant.blockid.extra_ca_pem.clone());
    let mut found = run(context, egress, &tenant.blockid, None).await?;
    let function = ground.observed.stack.map(|stack| stack.verify_function_arn);
    found.replace(match function {
        Some(function) => try_secret(context, &tenant, &function).await,
        None => Finding::new(
            Check::ClientSecret,
            Verdict::Skipped,
            "it is tried by the tenant's functions, which are not there yet",
        ),
    });
    let now = context.clock.now();
    let report = ConnectionReport::new(&tenant.blockid, found, now);
    let mut tx = context.db.begin(&scope).await?;
    connection_changes::store_check(&mut tx, &scope, id, &report).await?;
    let entry = AuditEntry {
        tenant_id: Some(id),
        resource_id: id.to_string(),
        action: AuditAction::ConnectionChecked,
        reason: String::new(),
        detail: json!({ "usable": report.usable, "frame_ancestors": report.frame_ancestors }),
    };
    audit::record(&mut tx, context, request, &scope, &entry, now).await?;
    tx.commit().await?;
    Ok(report)
}

async fn run(
    context: &Context,
    egress: EgressPolicy,
    connection: &BlockIdConnection,
    credentials: Option<&ClientCredentials>,
) -> Result<Preflight> {
    let tenant_dns = TenantDns::parse(&connection.tenant_dns, &egress).map_err(|error| {
        // The cell's rules have changed since the tenant was made.
        Error::invalid(vec![FieldError::new(
            "/tenant_dns",
            error.code(),
            error.to_string(),
        )])
    })?;
    let client = HttpClient::new(egress).map_err(Error::internal)?;
    let subject = preflight::Subject {
        tenant_dns: &tenant_dns,
        community: &connection.community,
        client_id: &connection.client_id,
        credentials,
    };
    Ok(preflight::run(&client, subject, context.clock.now().timestamp()).await)
}

async fn try_secret(context: &Context, tenant: &Tenant, function: &str) -> Finding {
    let event = json!({ "stepgate_probe": { "version_stage": "AWSCURRENT" } });
    let aws = context.aws.within(tenant.access.as_ref()).await;
    let lambda = aws.lambda(&tenant.region);
    let unknown = |detail: &str| Finding::new(Check::ClientSecret, Verdict::Unknown, detail);
    let answer = match tokio::time::timeout(PROBE_TIMEOUT, lambda.invoke(function, &event)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => {
            tracing::warn!(%error, "the function that tries the client secret cannot be called");
            return unknown("the tenant's function cannot be called");
        }
        Err(_) => return unknown("the tenant's function did not answer in time"),
    };
    match answer.as_ref().and_then(|answer| answer["outcome"].as_str()) {
        Some("invalid_grant") => preflight::judge_probe(Probe::Accepted),
        Some("invalid_client") => preflight::judge_probe(Probe::Rejected),
        Some("unreachable") => unknown("the token endpoint did not answer the tenant's function"),
        Some("address_refused") => Finding::new(
            Check::ClientSecret,
            Verdict::Failed,
            "the token endpoint is at an address that may not be connected to",
        ),
        Some("settings_unavailable" | "credentials_unavailable" | "credentials_mismatch") => {
            unknown("the tenant's function has no settings or secret to try yet")
        }
        _ => {
            unknown("the token endpoint answered neither invalid_grant nor invalid_client to a made-up code")
        }
    }
}
