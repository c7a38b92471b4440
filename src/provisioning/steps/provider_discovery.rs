//! Reads the provider's metadata and keys, which the triggers take from the settings.

use super::super::{
    failure::{StepError, StepFailure},
    pass::{Done, Pass},
};
use crate::domain::provisioning::DiscoveredProvider;
use blockid::{DiscoveryError, EgressPolicy, HttpClient, TenantDns, discover};
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
    match ask(pass, now_unix_s).await {
        Ok(metadata) => {
            let issuer = metadata.issuer.clone();
            pass.desired.observed.provider = Some(DiscoveredProvider {
                tenant_dns: pass.desired.connection.tenant_dns.clone(),
                community: pass.desired.connection.community.clone(),
                metadata,
            });
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

async fn ask(pass: &Pass<'_>, now_unix_s: i64) -> Result<step_up::settings::ProviderMetadata, StepFailure> {
    let egress = EgressPolicy {
        allowed_networks: pass.desired.cell.allowed_provider_networks.clone(),
        insecure_loopback: pass.context.config.dev_insecure_loopback,
        extra_ca_pem: None,
    };
    let connection = &pass.desired.connection;
    let dns = TenantDns::parse(&connection.tenant_dns, &egress).map_err(|error| {
        StepFailure::lasting(
            "provider_address",
            format!("The tenant DNS {error}."),
            Some(HINT_CONNECTION),
        )
    })?;
    let client = HttpClient::new(egress)
        .map_err(|error| StepFailure::lasting("provider_client", format!("{error}."), None))?;
    discover(&client, &dns, &connection.community, now_unix_s)
        .await
        .map_err(|error| failure(&error))
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
