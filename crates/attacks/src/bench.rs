//! Users, apps and sign-ins on a target: the vocabulary of the rows.

use crate::aws::Aws;
use crate::cognito::{Challenge, Cognito, SignIn, Step, Tokens};
use crate::provider::{Posted, Provider, StepUp};
use crate::stepgate::{Stepgate, any_method_policy};
use crate::target::{Capability, TargetFile};
use anyhow::Context as _;
use aws_credential_types::Credentials;
use rand::Rng as _;
use serde_json::{Value, json};
use std::collections::HashMap;
use tokio::sync::{Mutex, OnceCell};
use url::Url;

/// A target made ready.
pub struct Bench {
    /// What is known about it.
    pub target: TargetFile,
    /// The app's side.
    pub cognito: Cognito,
    aws: Option<Aws>,
    provider: Option<Provider>,
    api: Option<Stepgate>,
    apps: Mutex<HashMap<&'static str, App>>,
    pub(crate) hash_key: OnceCell<Vec<u8>>,
    pub(crate) strong: OnceCell<()>,
}

/// An app of the tenant.
#[derive(Debug, Clone)]
pub struct App {
    /// `app_…`; empty for a client that somebody made by hand.
    pub id: String,
    /// App client id.
    pub client_id: String,
}

/// A user of the pool.
#[derive(Debug, Clone)]
pub struct User {
    /// User name.
    pub name: String,
    /// Password.
    pub password: String,
    /// Cognito's `sub`.
    pub sub: String,
}

impl Bench {
    /// Makes a target ready.
    pub fn new(target: TargetFile) -> anyhow::Result<Self> {
        let http = crate::http::client()?;
        let cognito_endpoint = match &target.aws_endpoint_url {
            Some(endpoint) => endpoint.clone(),
            None => Url::parse(&format!(
                "https://cognito-idp.{}.amazonaws.com/",
                target.aws_region
            ))?,
        };
        let emulator_account = target
            .aws_endpoint_url
            .as_ref()
            .and(target.aws_access_key_id.clone());
        let credentials = target
            .aws_access_key_id
            .clone()
            .zip(target.aws_secret_access_key.clone());
        let aws = credentials.map(|(id, secret)| {
            let token = target.aws_session_token.clone();
            let credentials = Credentials::new(id, secret, token, None, "target");
            Aws::new(
                http.clone(),
                target.aws_endpoint_url.clone(),
                &target.aws_region,
                credentials,
            )
        });
        let api = target.api_url.clone().zip(target.api_key.clone());
        Ok(Self {
            cognito: Cognito::new(http.clone(), cognito_endpoint, emulator_account),
            aws,
            provider: target
                .blockid_url
                .clone()
                .map(|base| Provider::new(http.clone(), base)),
            api: api.map(|(base, key)| Stepgate::new(http, base, key)),
            apps: Mutex::default(),
            hash_key: OnceCell::new(),
            strong: OnceCell::new(),
            target,
        })
    }

    /// The account; rows that use it declare [`Capability::AwsAdmin`].
    pub fn aws(&self) -> anyhow::Result<&Aws> {
        self.aws.as_ref().context(Capability::AwsAdmin.missing())
    }

    /// The simulator; rows that use it declare [`Capability::ProviderFaults`].
    pub fn provider(&self) -> anyhow::Result<&Provider> {
        self.provider
            .as_ref()
            .context(Capability::ProviderFaults.missing())
    }

    /// The API; rows that use it declare [`Capability::Api`].
    pub fn api(&self) -> anyhow::Result<&Stepgate> {
        self.api.as_ref().context(Capability::Api.missing())
    }

    /// The API as another partner calls it; rows that use it declare [`Capability::OtherPartner`].
    pub fn other_partner(&self) -> anyhow::Result<Stepgate> {
        let key = self.target.other_partner_api_key.clone();
        let key = key.context(Capability::OtherPartner.missing())?;
        Ok(self.api()?.with_key(key))
    }

    /// The app the target names: any shipped method satisfies its policy.
    pub fn main_app(&self) -> App {
        App {
            id: self.target.app_id.clone().unwrap_or_default(),
            client_id: self.target.client_id.clone(),
        }
    }

    /// An app of its own with these settings over the defaults; made at first use.
    pub async fn app(&self, name: &'static str, settings: Value) -> anyhow::Result<App> {
        let mut apps = self.apps.lock().await;
        if let Some(app) = apps.get(name) {
            return Ok(app.clone());
        }
        let mut body =
            json!({ "name": format!("Attack {name} {}", random_letters(8)), "policy": any_method_policy() });
        for (key, value) in settings.as_object().cloned().unwrap_or_default() {
            body[key] = value;
        }
        let made = self.api()?.make_app(&self.target.tenant_id, &body).await?;
        let text = |key: &str| {
            made[key]
                .as_str()
                .map(str::to_owned)
                .with_context(|| format!("app without {key}"))
        };
        let app = App {
            id: text("id")?,
            client_id: text("client_id")?,
        };
        apps.insert(name, app.clone());
        Ok(app)
    }

    /// A new confirmed user whose e-mail address is verified.
    pub async fn user(&self) -> anyhow::Result<User> {
        let name = format!("attack-{}", random_letters(12));
        self.user_named(&name, &json!([])).await
    }

    /// A new confirmed user of this name, with further attributes.
    pub async fn user_named(&self, name: &str, attributes: &Value) -> anyhow::Result<User> {
        let user = self.invited(name, attributes).await?;
        let body = json!({
            "UserPoolId": self.target.user_pool_id, "Username": name, "Password": user.password, "Permanent": true
        });
        self.aws()?
            .must("cognito-idp", "AdminSetUserPassword", &body)
            .await?;
        Ok(user)
    }

    /// A new user who has yet to change the temporary password.
    pub async fn invited(&self, name: &str, attributes: &Value) -> anyhow::Result<User> {
        let password = format!("Aa1!{}", random_letters(20));
        let mut all = vec![
            json!({ "Name": "email", "Value": format!("{}@example.com", random_letters(16)) }),
            json!({ "Name": "email_verified", "Value": "true" }),
        ];
        for given in attributes.as_array().into_iter().flatten() {
            all.retain(|attribute| attribute["Name"] != given["Name"]);
            all.push(given.clone());
        }
        let body = json!({
            "UserPoolId": self.target.user_pool_id, "Username": name, "TemporaryPassword": password,
            "MessageAction": "SUPPRESS", "UserAttributes": all
        });
        let made = self.aws()?.must("cognito-idp", "AdminCreateUser", &body).await?;
        let sub = made["User"]["Attributes"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|attribute| attribute["Name"] == "sub")
            .and_then(|attribute| attribute["Value"].as_str())
            .context("a user without sub")?;
        Ok(User {
            name: name.to_owned(),
            password,
            sub: sub.to_owned(),
        })
    }

    /// Where and as whom to sign in.
    pub fn who<'a>(&'a self, app: &'a App, user: &'a User) -> SignIn<'a> {
        SignIn {
            pool_id: &self.target.user_pool_id,
            client_id: &app.client_id,
            username: &user.name,
            password: &user.password,
        }
    }

    /// Signs in up to the step-up.
    pub async fn challenge(&self, app: &App, user: &User) -> anyhow::Result<Challenge> {
        let challenge = self
            .cognito
            .password("CUSTOM_AUTH", &self.who(app, user))
            .await?
            .challenge()?;
        anyhow::ensure!(
            challenge.name == "CUSTOM_CHALLENGE",
            "expected a step-up, got {}",
            challenge.name
        );
        Ok(challenge)
    }

    /// What the provider's page posts after an honest step-up for this challenge.
    pub async fn posted(&self, challenge: &Challenge) -> anyhow::Result<Posted> {
        self.provider()?
            .step_up(&StepUp::honest(authorize_url(challenge)?))
            .await
    }

    /// Answers a challenge.
    pub async fn answer(
        &self,
        app: &App,
        user: &User,
        challenge: &Challenge,
        answer: &str,
    ) -> anyhow::Result<Step> {
        self.cognito
            .answer(&self.who(app, user), challenge.session.as_deref(), answer, None)
            .await
    }

    /// A whole honest sign-in: the control of a row, and the beginning of others.
    pub async fn sign_in(&self, app: &App, user: &User) -> anyhow::Result<Tokens> {
        let challenge = self.challenge(app, user).await?;
        let posted = self.posted(&challenge).await?;
        self.answer(app, user, &challenge, &posted.answer())
            .await?
            .tokens()
            .context("an honest sign-in failed")
    }
}

/// The challenge's authorize URL.
pub fn authorize_url(challenge: &Challenge) -> anyhow::Result<&str> {
    challenge
        .parameters
        .get("authorize_url")
        .map(String::as_str)
        .context("a step-up without authorize_url")
}

/// Milliseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "an attacker looks at the real clock")]
pub fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

/// Letters and digits by chance.
#[expect(
    clippy::disallowed_methods,
    reason = "names and passwords of throw-away users"
)]
pub fn random_letters(length: usize) -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut rng = rand::rng();
    (0..length)
        .map(|_| char::from(LETTERS[rng.random_range(0..LETTERS.len())]))
        .collect()
}
