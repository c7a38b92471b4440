//! A simulator, a client of it, and the vocabulary of the tests.

use blockid::{
    Claims, ClientCredentials, EgressPolicy, ExchangeError, Expectation, HttpClient, TenantDns, VerifyError,
    discover, exchange_code, verify_id_token,
};
use blockid_sim::config::Config;
use blockid_sim::{Options, Simulator};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use step_up::challenge::{AuthorizeRequest, authorize_url};
use step_up::reason::Reason;
use step_up::settings::ProviderMetadata;

pub(crate) const SECRET: &str = "canary-secret:+/=&";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const NONCE: &str = "nonce-of-this-challenge";
pub(crate) const STATE: &str = "state-of-this-challenge";

/// What became of a sign-in's provider part.
#[derive(Debug, PartialEq)]
pub(crate) enum Refusal {
    Exchange(ExchangeError),
    Verify(VerifyError),
}

impl Refusal {
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Exchange(error) => error.reason(),
            Self::Verify(error) => error.reason(),
        }
    }
}

pub(crate) struct Rig {
    pub(crate) simulator: Simulator,
    pub(crate) client: HttpClient,
    pub(crate) tenant: TenantDns,
    pub(crate) raw: reqwest::Client,
    pub(crate) url: String,
}

/// reqwest wants a process-wide provider for a client that is not given one.
fn install_crypto() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| drop(rustls::crypto::ring::default_provider().install_default()));
}

pub(crate) fn loopback(insecure: bool, ca: Option<String>) -> EgressPolicy {
    EgressPolicy::new(&["127.0.0.1/32"], insecure, ca).unwrap()
}

pub(crate) fn seconds(count: u64) -> Instant {
    Instant::now() + Duration::from_secs(count)
}

impl Rig {
    pub(crate) fn over_http() -> Self {
        Self::with(Config::seeded(SECRET))
    }

    pub(crate) fn with(config: Config) -> Self {
        install_crypto();
        let options = Options {
            config,
            http: Some("127.0.0.1:0".parse().unwrap()),
            tls: None,
        };
        let simulator = Simulator::start(&options).unwrap();
        let address = simulator.http_address().unwrap();
        let policy = loopback(true, None);
        let tenant = TenantDns::parse(&address.to_string(), &policy).unwrap();
        let client = HttpClient::new(policy).unwrap();
        let raw = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            simulator,
            client,
            tenant,
            raw,
            url: format!("http://{address}"),
        }
    }

    pub(crate) async fn provider(&self) -> ProviderMetadata {
        discover(
            &self.client,
            &self.tenant,
            "default",
            blockid_sim::chance::now_unix_s(),
        )
        .await
        .unwrap()
    }

    pub(crate) fn credentials() -> ClientCredentials {
        ClientCredentials {
            client_id: "demo-client".into(),
            client_secret: SECRET.to_owned().into(),
        }
    }

    /// An authorize URL for `username`.
    pub(crate) fn authorize(provider: &ProviderMetadata, username: &str, methods: &[&str]) -> String {
        let methods: Vec<String> = methods.iter().map(|&method| method.to_owned()).collect();
        authorize_url(&AuthorizeRequest {
            authorization_endpoint: &provider.authorization_endpoint,
            client_id: "demo-client",
            redirect_uri: &provider.redirect_uri,
            username,
            methods: &methods,
            state: STATE,
            nonce: Some(NONCE),
            pkce_verifier: provider.pkce_s256.then_some(VERIFIER),
            min_ial: None,
        })
    }

    /// Completes a step-up by the development endpoint.
    pub(crate) async fn step_up(&self, body: Value) -> Value {
        self.post("/sim/step-ups", body).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self
            .raw
            .post(format!("{}{path}", self.url))
            .json(&body)
            .send()
            .await
            .unwrap();
        answer.json().await.unwrap_or(Value::Null)
    }

    pub(crate) async fn behave(&self, behaviour: Value) {
        let url = format!("{}/sim/communities/default/behaviour", self.url);
        let answer = self.raw.put(url).json(&behaviour).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    }

    pub(crate) async fn requests(&self) -> Value {
        self.raw
            .get(format!("{}/sim/requests", self.url))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    /// A code for alice with faults.
    pub(crate) async fn code(&self, provider: &ProviderMetadata, faults: Value) -> String {
        let url = Self::authorize(provider, "alice", &["liveID push", "otp email"]);
        let answer = self
            .step_up(json!({ "authorize_url": url, "faults": faults }))
            .await;
        answer["code"]
            .as_str()
            .unwrap_or_else(|| panic!("no code: {answer}"))
            .to_owned()
    }

    pub(crate) async fn exchange(
        &self,
        provider: &ProviderMetadata,
        code: &str,
        deadline: Instant,
    ) -> Result<String, ExchangeError> {
        let verifier = provider.pkce_s256.then_some(VERIFIER);
        exchange_code(
            &self.client,
            provider,
            &Self::credentials(),
            code,
            verifier,
            deadline,
        )
        .await
        .map(|tokens| tokens.id_token.expose_secret().to_owned())
    }

    /// Exchange and verification of a code, as *verify* does them.
    pub(crate) async fn redeem(&self, provider: &ProviderMetadata, code: &str) -> Result<Claims, Refusal> {
        let id_token = self
            .exchange(provider, code, seconds(10))
            .await
            .map_err(Refusal::Exchange)?;
        Self::verify(provider, &id_token).map_err(Refusal::Verify)
    }

    pub(crate) fn verify(provider: &ProviderMetadata, id_token: &str) -> Result<Claims, VerifyError> {
        let now = blockid_sim::chance::now_unix_s();
        let expected = Expectation {
            nonce: Some(NONCE),
            issued_not_before_unix_s: now,
            now_unix_s: now,
            leeway_s: 60,
        };
        verify_id_token(provider, "demo-client", id_token, &expected)
    }

    /// The whole of it with faults in the code.
    pub(crate) async fn sign_in(
        &self,
        provider: &ProviderMetadata,
        faults: Value,
    ) -> Result<Claims, Refusal> {
        let code = self.code(provider, faults).await;
        self.redeem(provider, &code).await
    }
}
