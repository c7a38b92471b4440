//! Stand-ins for everything outside: they keep the promises of the traits and can be told to fail.

use crate::world::SECRET;
use async_trait::async_trait;
use blockid::{ExchangeError, JwksError, Probe};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::time::Instant;
use step_up::event::StepUpEvent;
use step_up::policy_item::PolicyItem;
use step_up::settings::{Credentials, ProviderMetadata, TenantSettings};
use triggers::clock::Clock;
use triggers::events::{Note, Sink};
use triggers::outcome::SourceError;
use triggers::policy_cache::Policies;
use triggers::random::{NoEntropy, Random};
use triggers::settings_cache::Secrets;
use triggers::verify::provider::Provider;
use triggers::verify::users::Users;

#[derive(Default)]
pub(crate) struct TestClock(pub(crate) AtomicI64);

impl Clock for TestClock {
    fn now_unix_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Bytes that differ from call to call.
#[derive(Default)]
pub(crate) struct Counting(AtomicU8);

impl Random for Counting {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy> {
        buffer.fill(self.0.fetch_add(1, Ordering::Relaxed));
        Ok(())
    }
}

#[derive(Default)]
pub(crate) struct TestSecrets {
    pub(crate) texts: Mutex<HashMap<(&'static str, &'static str), String>>,
    pub(crate) reads: Mutex<Vec<(String, String)>>,
    pub(crate) broken: Mutex<bool>,
}

#[async_trait]
impl Secrets for TestSecrets {
    async fn read(&self, arn: &str, stage: &str) -> Result<SecretString, SourceError> {
        self.reads
            .lock()
            .unwrap()
            .push((arn.to_owned(), stage.to_owned()));
        if *self.broken.lock().unwrap() {
            return Err(SourceError::malformed("AccessDeniedException"));
        }
        let texts = self.texts.lock().unwrap();
        let found = texts
            .iter()
            .find(|((a, s), _)| *a == arn && *s == stage)
            .map(|(_, text)| text.clone());
        found
            .map(SecretString::from)
            .ok_or_else(|| SourceError::malformed("ResourceNotFoundException"))
    }
}

#[derive(Default)]
pub(crate) struct TestPolicies {
    pub(crate) item: Mutex<Option<PolicyItem>>,
    pub(crate) broken: Mutex<bool>,
    pub(crate) reads: AtomicI64,
}

#[async_trait]
impl Policies for TestPolicies {
    async fn read(&self, client_id: &str) -> Result<Option<PolicyItem>, SourceError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        if *self.broken.lock().unwrap() {
            return Err(SourceError::malformed("ProvisionedThroughputExceededException"));
        }
        Ok(self
            .item
            .lock()
            .unwrap()
            .clone()
            .filter(|item| item.client_id == client_id))
    }
}

/// What the provider does with a code.
pub(crate) type Exchange = dyn Fn(&Credentials, &str, Option<&str>) -> Result<String, ExchangeError> + Send;

#[derive(Default)]
pub(crate) struct TestProvider {
    pub(crate) exchange: Mutex<Option<Box<Exchange>>>,
    pub(crate) exchanges: AtomicI64,
    pub(crate) hangs: Mutex<bool>,
    pub(crate) keys: Mutex<Option<Value>>,
    pub(crate) key_fetches: AtomicI64,
    /// `redirect_uri` of each exchange.
    pub(crate) redirect_uris: Mutex<Vec<String>>,
}

#[async_trait]
impl Provider for TestProvider {
    async fn exchange(
        &self,
        _: &TenantSettings,
        provider: &ProviderMetadata,
        credentials: &Credentials,
        code: &SecretString,
        pkce_verifier: Option<&str>,
        _: Instant,
    ) -> Result<SecretString, ExchangeError> {
        self.exchanges.fetch_add(1, Ordering::Relaxed);
        self.redirect_uris
            .lock()
            .unwrap()
            .push(provider.redirect_uri.clone());
        if *self.hangs.lock().unwrap() {
            std::future::pending::<()>().await;
        }
        let exchange = self.exchange.lock().unwrap();
        let exchange = exchange.as_ref().ok_or(ExchangeError::CodeRejected)?;
        exchange(credentials, code.expose_secret(), pkce_verifier).map(SecretString::from)
    }

    async fn keys(&self, _: &TenantSettings, _: &ProviderMetadata, _: Instant) -> Result<Value, JwksError> {
        self.key_fetches.fetch_add(1, Ordering::Relaxed);
        self.keys.lock().unwrap().clone().ok_or(JwksError::NoUsableKey)
    }

    async fn probe(
        &self,
        _: &TenantSettings,
        _: &ProviderMetadata,
        credentials: &Credentials,
        _: Instant,
    ) -> Probe {
        if credentials.client_secret == SECRET {
            Probe::Accepted
        } else {
            Probe::Rejected
        }
    }
}

#[derive(Default)]
pub(crate) struct TestUsers {
    pub(crate) sub: Mutex<Option<String>>,
    pub(crate) asked: AtomicI64,
    pub(crate) made_at_unix_s: AtomicI64,
    pub(crate) keys: Mutex<Value>,
}

#[async_trait]
impl Users for TestUsers {
    async fn sub_of(&self, _: &SecretString) -> Result<Option<String>, SourceError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(self.sub.lock().unwrap().clone())
    }

    async fn made_at_unix_s(&self, _: &str, _: &str) -> Result<i64, SourceError> {
        match self.made_at_unix_s.load(Ordering::Relaxed) {
            0 => Err(SourceError::malformed("AccessDeniedException")),
            made_at => Ok(made_at),
        }
    }

    async fn pool_keys(&self, _: &str, _: Instant) -> Result<Value, SourceError> {
        Ok(self.keys.lock().unwrap().clone())
    }
}

#[derive(Default)]
pub(crate) struct Collected {
    pub(crate) events: Mutex<Vec<StepUpEvent>>,
    pub(crate) notes: Mutex<Vec<Note>>,
}

impl Sink for Collected {
    fn event(&self, event: &StepUpEvent) {
        self.events.lock().unwrap().push(event.clone());
    }

    fn note(&self, note: &Note) {
        self.notes.lock().unwrap().push(note.clone());
    }
}
