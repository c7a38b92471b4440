//! The tenant's functions seen from the account: what they reported, how they are configured, and what they
//! answer to an event that is handed to them.

use crate::aws::Invoked;
use crate::bench::{App, Bench, User};
use crate::cognito::Step;
use crate::recorded::Scene;
use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::time::Duration;
use step_up::event::StepUpEvent;
use step_up::reason::Reason;

/// Looks at the log before giving up, and the pause between two: CloudWatch shows lines late.
const LOG_LOOKS: u32 = 100;
const LOG_PAUSE: Duration = Duration::from_millis(300);

/// Which of the tenant's triggers said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// *define*
    Define,
    /// *create*
    Create,
    /// *verify*
    Verify,
    /// The pre-token gate.
    Gate,
}

impl Trigger {
    fn source_prefix(self) -> &'static str {
        match self {
            Self::Define => "DefineAuthChallenge",
            Self::Create => "CreateAuthChallenge",
            Self::Verify => "VerifyAuthChallengeResponse",
            Self::Gate => "TokenGeneration",
        }
    }

    /// Name of the function that holds it, after the tenant's prefix.
    fn function(self) -> &'static str {
        if self == Self::Verify {
            "verify"
        } else {
            "challenge"
        }
    }
}

impl Bench {
    /// Why a trigger refused this step; `None` when tokens came out after all.
    pub async fn reason(
        &self,
        step: &Step,
        trigger: Trigger,
        user: &User,
        since_ms: i64,
    ) -> anyhow::Result<Option<Reason>> {
        match step {
            Step::Tokens(_) => Ok(None),
            _ => Ok(self.refusal(trigger, user, since_ms).await?.reason),
        }
    }

    /// The first refusal that a trigger reported about a user since a moment.
    pub async fn refusal(&self, trigger: Trigger, user: &User, since_ms: i64) -> anyhow::Result<StepUpEvent> {
        for _ in 0..LOG_LOOKS {
            let found = self.events(user, since_ms).await?.into_iter().find(|event| {
                let source = event.source.as_deref().unwrap_or_default();
                event.reason.is_some() && source.starts_with(trigger.source_prefix())
            });
            if let Some(event) = found {
                return Ok(event);
            }
            tokio::time::sleep(LOG_PAUSE).await;
        }
        anyhow::bail!("{trigger:?} reported no refusal of {}", user.name)
    }

    /// Events about a user since a moment, oldest first.
    pub async fn events(&self, user: &User, since_ms: i64) -> anyhow::Result<Vec<StepUpEvent>> {
        let hash = self.user_hash(&user.sub).await?;
        let messages = self
            .aws()?
            .log_messages(&self.log_group().await?, since_ms)
            .await?;
        let mut events: Vec<StepUpEvent> = messages
            .iter()
            .filter_map(|message| serde_json::from_str(message).ok())
            .collect();
        events.retain(|event| event.user_hash.as_deref() == Some(&hash));
        Ok(events)
    }

    /// Log group of the tenant's functions.
    pub async fn log_group(&self) -> anyhow::Result<String> {
        if let Some(group) = &self.target.log_group {
            return Ok(group.clone());
        }
        let configuration = self.function(Trigger::Verify).await?;
        let group = configuration["LoggingConfig"]["LogGroup"].as_str();
        group
            .map(str::to_owned)
            .context("the function names no log group")
    }

    /// Configuration of the function that holds a trigger.
    pub async fn function(&self, trigger: Trigger) -> anyhow::Result<Value> {
        let path = format!(
            "/2015-03-31/functions/{}/configuration",
            self.function_name(trigger)
        );
        self.aws()?
            .lambda_get(&path)
            .await?
            .map_err(|error| anyhow::anyhow!("{error}"))
    }

    /// Name of the function that holds a trigger.
    pub fn function_name(&self, trigger: Trigger) -> String {
        format!("stepgate-{}-{}", self.target.ulid(), trigger.function())
    }

    /// A variable of the function's environment, for example `STEPGATE_SETTINGS_SECRET_ARN`.
    pub async fn function_variable(&self, trigger: Trigger, name: &str) -> anyhow::Result<String> {
        let configuration = self.function(trigger).await?;
        let value = configuration["Environment"]["Variables"][name].as_str();
        value
            .map(str::to_owned)
            .with_context(|| format!("the function has no {name}"))
    }

    /// Hands an event to the deployed trigger, as Cognito does.
    pub async fn invoke(&self, trigger: Trigger, event: &Value) -> anyhow::Result<Invoked> {
        let invoked = self.aws()?.invoke(&self.function_name(trigger), event).await?;
        invoked.map_err(|error| anyhow::anyhow!("the function cannot be invoked: {error}"))
    }

    /// Like [`Bench::invoke`]; the events it printed come along.
    pub async fn invoke_with_events(
        &self,
        trigger: Trigger,
        event: &Value,
    ) -> anyhow::Result<(Invoked, Vec<StepUpEvent>)> {
        let invoked = self.invoke(trigger, event).await?;
        let events = invoked
            .log
            .iter()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        Ok((invoked, events))
    }

    /// A recorded event's scene about a user of the pool.
    pub fn scene(&self, app: &App, user: &User) -> Scene {
        Scene {
            pool_id: self.target.user_pool_id.clone(),
            client_id: app.client_id.clone(),
            user_name: user.name.clone(),
            attributes: Some(json!({
                "sub": user.sub, "email": format!("{}@example.com", user.name), "email_verified": "true"
            })),
        }
    }

    /// The tenant's settings document.
    pub async fn settings(&self) -> anyhow::Result<Value> {
        let arn = self
            .function_variable(Trigger::Define, "STEPGATE_SETTINGS_SECRET_ARN")
            .await?;
        let body = json!({ "SecretId": arn });
        let secret = self
            .aws()?
            .must("secretsmanager", "GetSecretValue", &body)
            .await?;
        serde_json::from_str(secret["SecretString"].as_str().context("no text")?).context("not JSON")
    }

    async fn user_hash(&self, sub: &str) -> anyhow::Result<String> {
        let key = self
            .hash_key
            .get_or_try_init(|| async {
                let settings = self.settings().await?;
                let key = settings["event_hash_key"]
                    .as_str()
                    .context("settings without key")?;
                STANDARD.decode(key).context("the key is not base64")
            })
            .await?;
        let mut mac = Hmac::<Sha256>::new_from_slice(key)?;
        mac.update(sub.as_bytes());
        Ok(hex::encode(mac.finalize().into_bytes())[..32].to_owned())
    }
}
