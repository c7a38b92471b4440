//! What a running service holds: handed to use cases and jobs by reference.

use crate::{aws::Aws, clock::Clock, config::Config, ids::IdSource, storage::Database, trust::Trust};
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
