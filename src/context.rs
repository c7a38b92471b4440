//! What a running service holds: handed to use cases and jobs by reference.

use crate::{
    aws::Aws, clock::Clock, config::Config, domain::cell::CellAccess, ids::IdSource, storage::Database,
    trust::Trust,
};
use blockid::EgressPolicy;
use ipnet::IpNet;
use std::sync::Arc;

/// Everything with which use cases and worker jobs touch the world. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Context {
    /// The control plane's database.
    pub db: Database,
    /// AWS clients, per region.
    pub aws: Arc<Aws>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of ids and randomness.
    pub ids: Arc<IdSource>,
    /// Issuers whose tokens are accepted.
    pub trust: Arc<Trust>,
    /// Configuration, as validated at start.
    pub config: Arc<Config>,
}

impl Context {
    /// The same, with AWS as seen from the account of a cell.
    pub async fn in_cell(&self, access: Option<&CellAccess>) -> Self {
        Self {
            aws: self.aws.within(access).await,
            ..self.clone()
        }
    }

    /// What a provider of a cell with these networks may be connected at.
    pub fn egress(&self, allowed_networks: Vec<IpNet>, extra_ca_pem: Option<String>) -> EgressPolicy {
        EgressPolicy {
            allowed_networks,
            insecure_loopback: self.config.dev_insecure_loopback,
            extra_ca_pem,
        }
    }

    /// Connects to the database and prepares the AWS clients as `config` says, with the real clock and randomness.
    pub async fn connect(config: Config) -> anyhow::Result<Self> {
        let trust = Trust::new(config.trusted_issuers.clone(), config.dev_insecure_loopback)?;
        Ok(Self {
            trust: Arc::new(trust),
            db: Database::connect(&config.database).await?,
            aws: Arc::new(Aws::load().await),
            clock: Arc::new(crate::clock::SystemClock),
            ids: Arc::new(IdSource::from_os()),
            config: Arc::new(config),
        })
    }
}
