//! Reads the provider's metadata and keys, which the triggers take from the settings.

use super::super::{
    failure::{StepError, StepFailure},
    pass::{Done, Pass},
};
use crate::domain::{blockid::BlockIdConnection, provisioning::DiscoveredProvider};
use blockid::{DiscoveryError, HttpClient, TenantDns, discover};
use step_up::reason::Reason;

/// How old metadata may be before it is read again, s. The triggers refetch keys by themselves.
const FRESH_S: i64 = 3600;

pub(super) async fn run(pass: &mut Pass<'_>) -> Result<Done, StepError> {
    let now_unix_s = pass.context.clock.now().timestamp();
    let connection = &pass.desired.connection;
    let known = pass.desired.observed.provider.as_ref().filter(|provider| {
        provider.tenant_dns == connection.tenant_dns && provider.community == connection.community
    });
    if known.is_some_and(|provider| now_unix_s - provider.metadata.fetched_at_unix_s < FRESH_S) {
        return Ok(Done::already("the provider's metadata is fresh"));
    }
    match ask(pass, connection, now_unix_s).await {
        Ok(found) => {
            if let Some(known) = known
                && known.metadata.issuer != found.metadata.issuer
            {
                return Err(issuer_changed(&known.metadata.issuer, &found.metadata.issuer).into());
            }
            let issuer = found.metadata.issuer.clone();
            pass.desired.observed.provider = Some(found);
            Ok(Done::with(format!("issuer {issuer}"), None))
        }
        // An outage of the provider does not keep a tenant from changing its policies.
        Err(failure) if failure.passes_by_itself && known.is_some() => Ok(Done::already(format!(
            "the provider does not answer, its earlier metadata is kept: {}",
            failure.message
        ))),
        Err(failure) => Err(failure.into()),
    }
}

/// Asks the provider of a connection, which may be one that is not in force.
pub(super) async fn ask(
    pass: &Pass<'_>,
    connection: &BlockIdConnection,
    now_unix_s: i64,
) -> Result<DiscoveredProvider, StepFailure> {
    let networks = pass.desired.cell.allowed_provider_networks.clone();
    let egress = pass.context.egress(networks, connection.extra_ca_pem.clone());
    let dns = TenantDns::parse(&connection.tenant_dns, &egress).map_err(|error| {
        StepFailure::lasting(
            "provider_address",
            format!("The tenant DNS {error}."),
            Some(HINT_CONNECTION),
        )
    })?;
    let client = HttpClient::new(egress)
        .map_err(|error| StepFailure::lasting("provider_client", format!("{error}."), None))?;
    let metadata = discover(&client, &dns, &connection.community, now_unix_s)
        .await
        .map_err(|error| failure(&error))?;
    Ok(DiscoveredProvider {
        tenant_dns: connection.tenant_dns.clone(),
        community: connection.community.clone(),
        metadata,
    })
}

/// An issuer is who vouches for users. Another one under the same name is not taken silently.
pub(super) fn issuer_changed(known: &str, found: &str) -> StepFailure {
    StepFailure::lasting(
        "issuer_changed",
        format!("The provider's issuer was {known} and now is {found}."),
        Some(
            "If 1Kosmos confirms the new issuer, change the connection with `issuer` naming it; links and evidence of the old one are void then.",
        ),
    )
}

const HINT_CONNECTION: &str = "Check `blockid.tenant_dns` and `blockid.community` with 1Kosmos. The tenant is tried \
    again every quarter of an hour.";

fn failure(error: &DiscoveryError) -> StepFailure {
    let message = format!("The BlockID provider could not be read: {error}.");
    if error.reason() == Reason::ProviderUnavailable {
        StepFailure::passing("provider_unavailable", message)
    } else {
        StepFailure::lasting("provider_unusable", message, Some(HINT_CONNECTION))
    }
}
