//! The tenant's settings and credentials, from Secrets Manager.

use crate::cache::{LastReading, Served};
use crate::clock::Clock;
use crate::outcome::SourceError;
use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use std::sync::Arc;
use step_up::settings::{Connection, Credentials, TenantSettings};
use tokio::sync::Mutex;

/// Where secrets come from.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The text of a secret at a version stage.
    async fn read(&self, secret_arn: &str, version_stage: &str) -> Result<SecretString, SourceError>;
}

/// AWS Secrets Manager.
pub struct SecretsManager(pub aws_sdk_secretsmanager::Client);

#[async_trait]
impl Secrets for SecretsManager {
    async fn read(&self, secret_arn: &str, version_stage: &str) -> Result<SecretString, SourceError> {
        let output = self
            .0
            .get_secret_value()
            .secret_id(secret_arn)
            .version_stage(version_stage)
            .send()
            .await
            .map_err(|error| SourceError::aws(&error))?;
        let text = output
            .secret_string
            .ok_or_else(|| SourceError::malformed("SecretWithoutText"))?;
        Ok(SecretString::from(text))
    }
}

/// The stage whose value holds.
pub(crate) const CURRENT: &str = "AWSCURRENT";
/// The stage of the value that held before.
const PREVIOUS: &str = "AWSPREVIOUS";
/// The stage of a value that is being tried out before it holds.
pub const PENDING: &str = "AWSPENDING";

/// The settings, warm for 30 s.
pub struct SettingsCache {
    secrets: Arc<dyn Secrets>,
    secret_arn: String,
    tenant_id: String,
    last: LastReading<TenantSettings>,
}

impl SettingsCache {
    /// A cold cache over one secret of one tenant.
    pub fn new(secrets: Arc<dyn Secrets>, secret_arn: String, tenant_id: String) -> Self {
        Self {
            secrets,
            secret_arn,
            tenant_id,
            last: LastReading::default(),
        }
    }

    /// The settings, read again when older than 30 s. The error comes with what may still serve.
    pub async fn get(&self, clock: &dyn Clock) -> Result<Served<TenantSettings>, SourceError> {
        if let Some(served) = self.last.fresh(clock.now_unix_ms()) {
            return Ok(served);
        }
        match self.read().await {
            Ok(settings) => {
                let generation = settings.generation;
                Ok(self.last.store(settings, generation, clock.now_unix_ms()))
            }
            Err(error) => self.last.stale(clock.now_unix_ms()).ok_or(error),
        }
    }

    async fn read(&self) -> Result<TenantSettings, SourceError> {
        let text = self.secrets.read(&self.secret_arn, CURRENT).await?;
        let settings: TenantSettings = serde_json::from_str(text.expose_secret())
            .map_err(|_| SourceError::malformed("SettingsNotReadable"))?;
        if settings.tenant_id == self.tenant_id {
            Ok(settings)
        } else {
            Err(SourceError::malformed("SettingsOfAnotherTenant"))
        }
    }
}

/// The client credentials, kept until BlockID refuses them.
pub struct CredentialsCache {
    secrets: Arc<dyn Secrets>,
    secret_arn: String,
    held: Mutex<Option<Arc<Credentials>>>,
}

impl CredentialsCache {
    /// A cold cache over one secret.
    pub fn new(secrets: Arc<dyn Secrets>, secret_arn: String) -> Self {
        Self {
            secrets,
            secret_arn,
            held: Mutex::new(None),
        }
    }

    /// The credentials in force, as last read.
    pub async fn get(&self) -> Result<Arc<Credentials>, SourceError> {
        let mut held = self.held.lock().await;
        if let Some(credentials) = held.as_ref() {
            return Ok(Arc::clone(credentials));
        }
        let credentials = Arc::new(self.read(CURRENT).await?);
        *held = Some(Arc::clone(&credentials));
        Ok(credentials)
    }

    /// The credentials of a connection. While it is being changed, the settings at hand and the credentials in
    /// force may be of two connections: then those that were in force before are the right ones.
    pub async fn fitting(&self, connection: &Connection) -> Result<Arc<Credentials>, SourceError> {
        let mut held = self.held.lock().await;
        if let Some(credentials) = held.as_ref().filter(|held| held.fits(connection)) {
            return Ok(Arc::clone(credentials));
        }
        let mut credentials = Arc::new(self.read(CURRENT).await?);
        if !credentials.fits(connection) {
            credentials = Arc::new(self.read(PREVIOUS).await?);
        }
        if !credentials.fits(connection) {
            return Err(SourceError::malformed("CredentialsOfAnotherConnection"));
        }
        *held = Some(Arc::clone(&credentials));
        Ok(credentials)
    }

    /// Reads them again; `None` when they are those that were just refused, or of another connection.
    pub async fn refetch(
        &self,
        refused: &Credentials,
        connection: &Connection,
    ) -> Result<Option<Arc<Credentials>>, SourceError> {
        let credentials = Arc::new(self.read(CURRENT).await?);
        let changed =
            credentials.client_id != refused.client_id || credentials.client_secret != refused.client_secret;
        if !changed || !credentials.fits(connection) {
            return Ok(None);
        }
        *self.held.lock().await = Some(Arc::clone(&credentials));
        Ok(Some(credentials))
    }

    /// The credentials in force, read now.
    pub async fn current(&self) -> Result<Credentials, SourceError> {
        self.read(CURRENT).await
    }

    /// The credentials that wait to be promoted.
    pub async fn pending(&self) -> Result<Credentials, SourceError> {
        self.read(PENDING).await
    }

    async fn read(&self, stage: &str) -> Result<Credentials, SourceError> {
        let text = self.secrets.read(&self.secret_arn, stage).await?;
        serde_json::from_str(text.expose_secret())
            .map_err(|_| SourceError::malformed("CredentialsNotReadable"))
    }
}
