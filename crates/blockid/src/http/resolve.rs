//! Names to addresses that may be connected to.

use super::HttpError;
use crate::egress::EgressPolicy;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

/// Addresses to come.
pub type Addresses = Pin<Box<dyn Future<Output = std::io::Result<Vec<IpAddr>>> + Send>>;

/// Where addresses of names come from.
pub trait Lookup: Send + Sync {
    /// Every address of `name`, as known now.
    fn addresses(&self, name: String) -> Addresses;
}

/// The system's resolver.
#[derive(Debug, Clone, Copy)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn addresses(&self, name: String) -> Addresses {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Hands out permitted addresses only.
pub(super) struct GuardedResolver {
    pub(super) policy: Arc<EgressPolicy>,
    pub(super) lookup: Arc<dyn Lookup>,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, lookup) = (Arc::clone(&self.policy), Arc::clone(&self.lookup));
        Box::pin(async move {
            let addresses = resolve_permitted(name.as_str(), &policy, &*lookup).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

pub(super) async fn resolve_permitted(
    name: &str,
    policy: &EgressPolicy,
    lookup: &dyn Lookup,
) -> Result<Vec<SocketAddr>, HttpError> {
    let found = lookup
        .addresses(name.to_owned())
        .await
        .map_err(|_| HttpError::NameNotFound)?;
    if found.is_empty() {
        return Err(HttpError::NameNotFound);
    }
    let permitted: Vec<SocketAddr> = found
        .into_iter()
        .filter(|address| policy.permits(*address))
        .map(|address| SocketAddr::new(address, 0))
        .collect();
    if permitted.is_empty() {
        Err(HttpError::AddressRefused)
    } else {
        Ok(permitted)
    }
}
