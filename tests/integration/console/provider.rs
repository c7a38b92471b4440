//! An OpenID Connect issuer for people: code flow with PKCE, and id_tokens that say what a test wants.

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use blockid_sim::keys::{Algorithm, KeyRing};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, HashMap},
    net::TcpListener,
    sync::{Arc, Mutex},
};
use stepgate::{
    domain::actor::Role,
    trust::issuer::{Belongs, ConsoleClient, TrustedIssuer},
};

const CLIENT: &str = "stepgate-console";
const SECRET: &str = "s3cr:t of the console";

/// A running issuer.
pub(crate) struct Provider {
    pub(crate) name: &'static str,
    pub(crate) url: String,
    belongs: Belongs,
    roles: BTreeMap<String, Role>,
    state: Arc<State>,
    server: actix_web::dev::ServerHandle,
}

struct State {
    url: String,
    keys: KeyRing,
    foreign_keys: KeyRing,
    claims: Mutex<Value>,
    header: Mutex<Value>,
    signed_by_another: Mutex<bool>,
    codes: Mutex<HashMap<String, HashMap<String, String>>>,
    asked: Mutex<Vec<HashMap<String, String>>>,
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

impl Provider {
    pub(crate) fn start(name: &'static str, belongs: Belongs, roles: [(&str, Role); 2]) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            url: url.clone(),
            keys: KeyRing::new(Algorithm::ES256).unwrap(),
            foreign_keys: KeyRing::new(Algorithm::ES256).unwrap(),
            claims: Mutex::new(json!({})),
            header: Mutex::new(json!({})),
            signed_by_another: Mutex::default(),
            codes: Mutex::default(),
            asked: Mutex::default(),
        });
        let shared = web::Data::from(Arc::clone(&state));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .route("/.well-known/openid-configuration", web::get().to(discovery))
                .route("/keys", web::get().to(keys))
                .route("/authorize", web::get().to(authorize))
                .route("/token", web::post().to(token))
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .unwrap()
        .run();
        let handle = server.handle();
        tokio::spawn(server);
        Self {
            name,
            url,
            belongs,
            roles: roles.map(|(word, role)| (word.to_owned(), role)).into(),
            state,
            server: handle,
        }
    }

    /// As the operator's file has it.
    pub(crate) fn trusted(&self) -> TrustedIssuer {
        let file = std::env::temp_dir().join(format!("stepgate-login-{}-{}", std::process::id(), self.name));
        std::fs::write(&file, format!("{SECRET}\n")).unwrap();
        TrustedIssuer {
            name: self.name.into(),
            issuer: self.url.clone(),
            audience: "https://stepgate.example".into(),
            jwks_url: None,
            allowed_networks: vec!["127.0.0.1/32".parse().unwrap()],
            belongs: self.belongs.clone(),
            role_claim: "groups".into(),
            roles: self.roles.clone(),
            login: Some(ConsoleClient {
                client_id: CLIENT.into(),
                client_secret_file: file.display().to_string(),
                scope: None,
            }),
        }
    }

    /// What the next id_tokens say beside, or instead of, what they should; `null` takes a claim away.
    pub(crate) fn answers_with(&self, claims: Value) {
        *self.state.claims.lock().unwrap() = claims;
        *self.state.header.lock().unwrap() = json!({});
        *self.state.signed_by_another.lock().unwrap() = false;
    }

    /// What the header of the next id_tokens says instead.
    pub(crate) fn signs_as(&self, header: Value) {
        *self.state.header.lock().unwrap() = header;
    }

    /// The next id_tokens are signed by a key of somebody else, under this one's id.
    pub(crate) fn signs_with_anothers_key(&self) {
        *self.state.signed_by_another.lock().unwrap() = true;
    }

    /// Ends it.
    pub(crate) async fn stop(&self) {
        self.server.stop(false).await;
    }

    /// What the last browser was sent with.
    pub(crate) fn last_asked(&self) -> HashMap<String, String> {
        self.state.asked.lock().unwrap().last().unwrap().clone()
    }
}

async fn discovery(state: web::Data<State>) -> HttpResponse {
    let url = &state.url;
    HttpResponse::Ok().json(json!({
        "issuer": url, "jwks_uri": format!("{url}/keys"), "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
    }))
}

async fn keys(state: web::Data<State>) -> HttpResponse {
    HttpResponse::Ok().json(state.keys.jwks())
}

async fn authorize(state: web::Data<State>, query: web::Query<HashMap<String, String>>) -> HttpResponse {
    let asked = query.into_inner();
    let code = format!("code-{}-{}", state.codes.lock().unwrap().len(), asked["nonce"]);
    let back = url::Url::parse_with_params(
        &asked["redirect_uri"],
        [("code", code.as_str()), ("state", asked["state"].as_str())],
    )
    .unwrap();
    state.asked.lock().unwrap().push(asked.clone());
    state.codes.lock().unwrap().insert(code, asked);
    HttpResponse::Found()
        .insert_header(("location", back.as_str()))
        .finish()
}

async fn token(
    state: web::Data<State>,
    request: HttpRequest,
    form: web::Form<HashMap<String, String>>,
) -> HttpResponse {
    let refused = |error: &str| HttpResponse::BadRequest().json(json!({"error": error}));
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let expected = format!(
        "Basic {}",
        BASE64_STANDARD.encode(format!("{}:{}", encode(CLIENT), encode(SECRET)))
    );
    if request
        .headers()
        .get("authorization")
        .map(actix_web::http::header::HeaderValue::as_bytes)
        != Some(expected.as_bytes())
    {
        return refused("invalid_client");
    }
    // A code works once.
    let Some(asked) = state.codes.lock().unwrap().remove(&form["code"]) else {
        return refused("invalid_grant");
    };
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]));
    if asked["code_challenge_method"] != "S256"
        || asked["code_challenge"] != challenge
        || asked["redirect_uri"] != form["redirect_uri"]
    {
        return refused("invalid_grant");
    }
    // The clock of the tests stands still.
    let now = 1_767_607_200;
    let mut claims = json!({
        "iss": state.url, "aud": CLIENT, "sub": "ada", "nonce": asked["nonce"], "iat": now, "exp": now + 86_000,
    });
    for (name, value) in state.claims.lock().unwrap().as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    let key = state.keys.current().unwrap();
    let mut header = json!({"alg": key.algorithm().name(), "kid": key.kid(), "typ": "JWT"});
    for (name, value) in state.header.lock().unwrap().as_object().unwrap() {
        header[name] = value.clone();
    }
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let input = format!("{}.{}", part(&header), part(&claims));
    let signer = if *state.signed_by_another.lock().unwrap() {
        state.foreign_keys.current().unwrap()
    } else {
        key
    };
    let signature = signer.sign(input.as_bytes()).unwrap();
    let id_token = format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature));
    HttpResponse::Ok().json(json!({"access_token": "unused", "token_type": "Bearer", "id_token": id_token}))
}
