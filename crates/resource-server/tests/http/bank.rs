//! The words of these tests: a `Bank` (the server under test), its pool's keys, and tokens.

use actix_web::{App, HttpResponse, HttpServer, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{CoreJsonWebKeySet, CoreJwsSigningAlgorithm, CoreRsaPrivateSigningKey};
use openidconnect::{JsonWebKeyId, PrivateSigningKey};
use resource_server::{
    Action, Clock, Confirmed, Freshness, Guard, HttpKeySource, InMemoryUsedTokens, KeyCache, KeyCacheLimits,
    Requirement, SteppedUp, Transaction, UserPool,
};
use rsa::pkcs1::{EncodeRsaPrivateKey, LineEnding};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicI64, AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, Once};

pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const CLIENT: &str = "4kq0client";

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Transfer {
    to: String,
    amount: String,
}

impl Action for Transfer {
    const NAME: &'static str = "transfer";
    const REQUIREMENT: Requirement = Requirement {
        max_age_s: 120,
        acr_values: &["liveID push", "fido2"],
    };

    fn transaction(&self) -> Transaction {
        transaction(&self.to, &self.amount)
    }
}

pub(crate) fn transaction(to: &str, amount: &str) -> Transaction {
    Transaction::new().field("to", to).field("amount", amount)
}

pub(crate) struct Recent;

impl Freshness for Recent {
    const REQUIREMENT: Requirement = Requirement {
        max_age_s: 900,
        acr_values: &[],
    };
}

#[derive(Clone)]
pub(crate) struct TestClock(Arc<AtomicI64>);

impl Clock for TestClock {
    fn now_unix_s(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// An RSA key; three are made once for the whole binary.
pub(crate) struct SigningKey {
    pub(crate) id: &'static str,
    pub(crate) pem: String,
}

pub(crate) static KEYS: LazyLock<[SigningKey; 3]> = LazyLock::new(|| {
    ["first", "second", "foreign"].map(|id| {
        let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
        SigningKey {
            id,
            pem: key.to_pkcs1_pem(LineEnding::LF).unwrap().to_string(),
        }
    })
});

impl SigningKey {
    pub(crate) fn signer(&self) -> CoreRsaPrivateSigningKey {
        CoreRsaPrivateSigningKey::from_pem(&self.pem, Some(JsonWebKeyId::new(self.id.to_owned()))).unwrap()
    }

    /// Signs `claims` as Cognito does.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_with_header(&json!({ "alg": "RS256", "kid": self.id }), claims)
    }

    /// Signs with RS256 whatever the header says.
    pub(crate) fn token_with_header(&self, header: &Value, claims: &Value) -> String {
        let signed = unsigned(header, claims);
        let algorithm = CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256;
        let signature = self.signer().sign(&algorithm, signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    )
}

/// What the key endpoint serves, and how often it was asked.
pub(crate) struct KeyEndpoint {
    pub(crate) body: Mutex<String>,
    pub(crate) status: AtomicU16,
    pub(crate) requests: AtomicUsize,
}

impl KeyEndpoint {
    pub(crate) fn publish(&self, keys: &[&SigningKey]) {
        let set = CoreJsonWebKeySet::new(
            keys.iter()
                .map(|key| key.signer().as_verification_key())
                .collect(),
        );
        *self.body.lock().unwrap() = serde_json::to_string(&set).unwrap();
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// A running resource server with its key endpoint.
pub(crate) struct Bank {
    pub(crate) keys: Arc<KeyEndpoint>,
    pub(crate) issuer: String,
    clock: TestClock,
    address: String,
    http: reqwest::Client,
    servers: Vec<actix_web::dev::ServerHandle>,
    /// Transfers carried out.
    pub(crate) done: Arc<AtomicUsize>,
}

impl Drop for Bank {
    fn drop(&mut self) {
        for server in &self.servers {
            drop(server.stop(false)); // the command is sent by the call, the future only waits
        }
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) www_authenticate: Option<String>,
    pub(crate) content_type: String,
    pub(crate) body: Value,
}

impl Answer {
    /// Asserts a refusal with this status and code, in the right form.
    #[track_caller]
    pub(crate) fn assert_refused(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status, self.body["code"].as_str()),
            (status, Some(code)),
            "{}",
            self.body
        );
        assert_eq!(self.content_type, "application/problem+json");
        assert_eq!(self.body["status"], status);
        assert_eq!(
            self.body["type"],
            format!("https://stepgate.dev/problems/{}", code.replace('_', "-"))
        );
        assert_eq!(
            self.www_authenticate.is_some(),
            status == 401 || code == "invalid_request"
        );
    }
}

impl Bank {
    pub(crate) fn open() -> Self {
        Self::open_with(1_000)
    }

    pub(crate) fn open_with(used_token_capacity: usize) -> Self {
        static TLS: Once = Once::new();
        TLS.call_once(|| {
            rustls::crypto::ring::default_provider()
                .install_default()
                .unwrap();
        });

        let keys = Arc::new(KeyEndpoint {
            body: Mutex::default(),
            status: AtomicU16::new(200),
            requests: AtomicUsize::new(0),
        });
        keys.publish(&[&KEYS[0]]);
        let (issuer, key_server) = serve_keys(&keys);

        let clock = TestClock(Arc::new(AtomicI64::new(NOW)));
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let pool = UserPool::with_issuer(&issuer, ["another-client", CLIENT]);
        let source = HttpKeySource::new(pool.jwks_url()).unwrap();
        let cache = KeyCache::new(source, KeyCacheLimits::default(), shared.clone());
        let used_tokens = InMemoryUsedTokens::with_capacity(used_token_capacity);
        let guard = web::Data::new(Guard::new(pool, cache, used_tokens, shared));

        let done = Arc::new(AtomicUsize::new(0));
        let count = web::Data::new(done.clone());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(guard.clone())
                .app_data(count.clone())
                .route("/transfers", web::post().to(transfer))
                .route("/balance", web::get().to(balance))
        })
        .workers(2)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .unwrap();
        let address = format!("http://{}", server.addrs()[0]);
        let server = server.run();
        let servers = vec![key_server, server.handle()];
        actix_web::rt::spawn(server);
        Self {
            keys,
            issuer,
            clock,
            address,
            http: reqwest::Client::new(),
            servers,
            done,
        }
    }

    pub(crate) fn advance_s(&self, by_s: i64) {
        self.clock.0.fetch_add(by_s, Ordering::SeqCst);
    }

    /// Claims of an access token without a step-up.
    pub(crate) fn session(&self) -> Value {
        json!({
            "iss": self.issuer, "sub": "user-1", "client_id": CLIENT, "token_use": "access", "jti": unique_jti(),
            "iat": NOW, "exp": NOW + 900, "auth_time": NOW, "origin_jti": "o", "version": 2,
            "scope": "aws.cognito.signin.user.admin", "username": "ada",
        })
    }

    /// Claims of an access token whose sign-in had a step-up now.
    pub(crate) fn stepped_up(&self) -> Value {
        let mut claims = self.session();
        claims["stepup_acr"] = json!("liveID push");
        claims["stepup_at"] = json!(NOW);
        claims
    }

    /// Claims of an access token for the transfer of `amount` to `to`.
    pub(crate) fn for_transfer(&self, to: &str, amount: &str) -> Value {
        let mut claims = self.stepped_up();
        claims["stepup_action"] = json!("transfer");
        claims["action_ref"] = json!(transaction(to, amount).action_ref());
        claims
    }

    pub(crate) async fn transfer(&self, authorization: &[&str], body: &str) -> Answer {
        let mut request = self
            .http
            .post(format!("{}/transfers", self.address))
            .header("content-type", "application/json")
            .body(body.to_owned());
        for value in authorization {
            request = request.header("authorization", *value);
        }
        answer(request).await
    }

    /// A transfer of 12.50 to DE02 with this token.
    pub(crate) async fn pay(&self, token: &str) -> Answer {
        self.transfer(&[&format!("Bearer {token}")], r#"{"to":"DE02","amount":"12.50"}"#)
            .await
    }

    pub(crate) async fn balance(&self, token: &str) -> Answer {
        answer(
            self.http
                .get(format!("{}/balance", self.address))
                .bearer_auth(token),
        )
        .await
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let header = |name: &str| {
        response
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    Answer {
        status: response.status().as_u16(),
        www_authenticate: header("www-authenticate"),
        content_type: header("content-type").unwrap_or_default(),
        body: response.json().await.unwrap(),
    }
}

fn unique_jti() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("jti-{}", NEXT.fetch_add(1, Ordering::SeqCst))
}

async fn transfer(order: Confirmed<Transfer>, done: web::Data<Arc<AtomicUsize>>) -> HttpResponse {
    done.fetch_add(1, Ordering::SeqCst);
    HttpResponse::Created().json(json!({ "by": order.token.user_sub, "amount": order.request.amount }))
}

async fn balance(session: SteppedUp<Recent>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "of": session.token.user_sub }))
}

fn serve_keys(keys: &Arc<KeyEndpoint>) -> (String, actix_web::dev::ServerHandle) {
    let keys = web::Data::from(keys.clone());
    let server = HttpServer::new(move || {
        App::new().app_data(keys.clone()).route(
            "/pool/.well-known/jwks.json",
            web::get().to(|keys: web::Data<KeyEndpoint>| async move {
                keys.requests.fetch_add(1, Ordering::SeqCst);
                let status = keys.status.load(Ordering::SeqCst);
                let status = actix_web::http::StatusCode::from_u16(status).unwrap();
                HttpResponse::build(status)
                    .insert_header(("location", "/elsewhere"))
                    .content_type("application/json")
                    .body(keys.body.lock().unwrap().clone())
            }),
        )
    })
    .workers(1)
    .disable_signals()
    .bind(("127.0.0.1", 0))
    .unwrap();
    let issuer = format!("http://{}/pool", server.addrs()[0]);
    let server = server.run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    (issuer, handle)
}
