//! The function `challenge`: *define*, *create*, the gate and what follows a password reset behind one handler.

use crate::clock::Clock;
use crate::cognito_event::CognitoEvent;
use crate::events::{Reporter, Sink};
use crate::outcome::RefusedTokens;
use crate::policy_cache::{Policies, PolicyCache};
use crate::random::Random;
use crate::records::Records;
use crate::settings_cache::{Secrets, SettingsCache};
use crate::{create, define, gate, reset};
use serde_json::Value;
use std::sync::Arc;

/// `triggerSource` of *define*.
pub const DEFINE: &str = "DefineAuthChallenge_Authentication";
/// `triggerSource` of *create*.
pub const CREATE: &str = "CreateAuthChallenge_Authentication";

/// `triggerSource` after a user has set a new password with a code from the mailbox.
pub const PASSWORD_RESET: &str = "PostConfirmation_ConfirmForgotPassword";
/// `triggerSource` after a user who signed up has confirmed the address.
pub const SIGNED_UP: &str = "PostConfirmation_ConfirmSignUp";

/// Everything outside that the function works with.
pub struct Outside {
    /// Secrets Manager.
    pub secrets: Arc<dyn Secrets>,
    /// The policies table.
    pub policies: Arc<dyn Policies>,
    /// The records table.
    pub records: Arc<dyn Records>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Where events go.
    pub sink: Arc<dyn Sink>,
}

/// The function, with what it remembers between invocations.
pub struct Challenge {
    pub(crate) settings: SettingsCache,
    pub(crate) policies: PolicyCache,
    pub(crate) records: Arc<dyn Records>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    reporter: Reporter,
}

impl Challenge {
    /// A cold function of a tenant.
    pub fn new(tenant_id: &str, settings_secret_arn: &str, outside: Outside) -> Self {
        Self {
            settings: SettingsCache::new(
                outside.secrets,
                settings_secret_arn.to_owned(),
                tenant_id.to_owned(),
            ),
            policies: PolicyCache::new(outside.policies),
            records: outside.records,
            clock: Arc::clone(&outside.clock),
            random: outside.random,
            reporter: Reporter::new(outside.sink, outside.clock, tenant_id.to_owned()),
        }
    }

    /// Reads the settings while Lambda still starts the function. What fails here is tried again, and
    /// reported, with the first event.
    pub async fn warm_up(&self) {
        let _ = self.settings.get(&*self.clock).await;
    }

    /// Answers one event. Whatever is not known otherwise is taken for a question for tokens, so
    /// that a source that does not exist yet is refused.
    pub async fn handle(&self, request_id: &str, received: Value) -> Result<Value, RefusedTokens> {
        let event = CognitoEvent::read(&received);
        let invocation = self.reporter.invocation(request_id, &event.trigger_source);
        match event.trigger_source.as_str() {
            DEFINE => Ok(define::handle(self, &invocation, &event, received).await),
            CREATE => Ok(create::handle(self, &invocation, &event, received).await),
            PASSWORD_RESET => reset::handle(self, &invocation, &event, received).await,
            // A new account has nothing that could be deleted.
            SIGNED_UP => Ok(received),
            _ => gate::handle(self, &invocation, &event, received).await,
        }
    }
}
