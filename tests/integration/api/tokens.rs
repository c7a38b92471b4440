//! Tokens of trusted issuers: who is recognised by them, and who is not.

use crate::support::{Answer, TestApp};
use actix_web::{App, HttpResponse, HttpServer, web};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use blockid_sim::keys::{Algorithm, KeyRing, SigningKey};
use chrono::TimeDelta;
use serde_json::{Value, json};
use std::{
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};
use stepgate::{
    clock::Clock,
    domain::actor::Role,
    trust::{
        issuer::{Belongs, TrustedIssuer},
        keys::MIN_FETCH_INTERVAL_S,
    },
};

const AUDIENCE: &str = "https://stepgate.example";

/// An issuer on loopback: discovery and keys.
pub(super) struct Issuer {
    name: &'static str,
    url: String,
    keys: Arc<KeyRing>,
    fetches: Arc<AtomicU32>,
    server: actix_web::dev::ServerHandle,
}

impl Drop for Issuer {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

impl Issuer {
    pub(super) fn start(name: &'static str) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let keys = Arc::new(KeyRing::new(Algorithm::ES256).unwrap());
        let fetches = Arc::new(AtomicU32::new(0));
        let (published, asked, base) = (Arc::clone(&keys), Arc::clone(&fetches), url.clone());
        let server = HttpServer::new(move || {
            let (published, asked, base) = (Arc::clone(&published), Arc::clone(&asked), base.clone());
            App::new()
                .route(
                    "/.well-known/openid-configuration",
                    web::get().to(move || {
                        let document = json!({"issuer": base, "jwks_uri": format!("{base}/keys")});
                        async move { HttpResponse::Ok().json(document) }
                    }),
                )
                .route(
                    "/keys",
                    web::get().to(move || {
                        asked.fetch_add(1, Ordering::SeqCst);
                        let set = published.jwks();
                        async move { HttpResponse::Ok().json(set) }
                    }),
                )
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
            keys,
            fetches,
            server: handle,
        }
    }

    fn entry(&self, belongs: Belongs, roles: [(&str, Role); 2]) -> TrustedIssuer {
        TrustedIssuer {
            name: self.name.into(),
            issuer: self.url.clone(),
            audience: AUDIENCE.into(),
            jwks_url: None,
            allowed_networks: vec!["127.0.0.1/32".parse().unwrap()],
            belongs,
            role_claim: "scope".into(),
            roles: roles.map(|(word, role)| (word.to_owned(), role)).into(),
            login: None,
        }
    }

    /// As the installation's own issuer.
    pub(super) fn installation(&self) -> TrustedIssuer {
        let roles = [("ops", Role::Operator), ("look", Role::Auditor)];
        self.entry(Belongs::Installation, roles)
    }

    /// As a partner's issuer.
    pub(super) fn bound_to(&self, partner_id: &str) -> TrustedIssuer {
        let roles = [("write", Role::PartnerAdmin), ("read", Role::PartnerReader)];
        self.entry(Belongs::Partner(partner_id.parse().unwrap()), roles)
    }

    /// Claims that are accepted.
    fn claims(&self, app: &TestApp, scope: &str) -> Value {
        let now = app.clock.now().timestamp();
        json!({"iss": self.url, "aud": AUDIENCE, "sub": "portal-1", "scope": scope, "iat": now, "exp": now + 600})
    }

    /// A token that is accepted.
    pub(super) fn token(&self, app: &TestApp, scope: &str) -> String {
        self.sign(&self.claims(app, scope))
    }

    fn sign(&self, claims: &Value) -> String {
        let key = self.keys.current().unwrap();
        let header = json!({"alg": key.algorithm().name(), "kid": key.kid(), "typ": "at+jwt"});
        signed(&key, &header, claims)
    }
}

fn signed(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let input = format!("{}.{}", part(header), part(claims));
    let signature = key.sign(input.as_bytes()).unwrap();
    format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// A TestApp that trusts one issuer for a partner `acme`, and the partner's id.
async fn trusting(issuer: &Issuer) -> (TestApp, String) {
    let id = "ptn_01jd7v0p3h8s5k2m4n6q9r1t0w";
    let app = TestApp::start_with(|config| config.trusted_issuers = vec![issuer.bound_to(id)]).await;
    app.add_cell("eu-central-1").await;
    let acme = app.partner("acme").await;
    app.rename_partner(&acme.id, id).await;
    (app, id.to_owned())
}

async fn ask(app: &TestApp, token: String) -> Answer {
    app.anybody().with_key(Some(token)).get("/v1/tenants").await
}

#[tokio::test]
async fn a_partners_portal_calls_with_its_own_tokens_and_is_named_in_what_it_did() {
    let issuer = Issuer::start("acme");
    let (app, id) = trusting(&issuer).await;
    let portal = app.anybody().with_key(Some(issuer.token(&app, "openid write")));
    let made = portal
        .post("/v1/tenants", crate::support::examples::tenant("customers"))
        .await
        .expect(202);
    assert_eq!(made["tenant"]["partner_id"], json!(id));
    let tenant_id = made["tenant"]["id"].as_str().unwrap();
    let path = format!("/v1/tenants/{tenant_id}/apps");
    let app_id = portal.post(&path, json!({"name": "Portal"})).await.expect(202)["app"]["id"].take();
    let policy = format!("{path}/{}/policy", app_id.as_str().unwrap());
    assert_eq!(
        portal.get(&policy).await.expect(200)["author"],
        json!("acme:portal-1")
    );
    let suspend = format!("/v1/tenants/{tenant_id}:suspend");
    portal
        .post(&suspend, json!({"reason": "drill"}))
        .await
        .expect(202);
    let actor: String = sqlx::query_scalar("SELECT actor FROM audit_log WHERE action = 'tenant_suspended'")
        .fetch_one(&app.owner)
        .await
        .unwrap();
    assert_eq!(actor, "acme:portal-1");
    // The weaker role of the same issuer reads and no more; the strongest of several counts.
    let reader = app.anybody().with_key(Some(issuer.token(&app, "read")));
    reader.get(&format!("/v1/tenants/{tenant_id}")).await.expect(200);
    reader
        .post(&suspend, json!({"reason": "drill"}))
        .await
        .problem(403, "forbidden");
    let both = app.anybody().with_key(Some(issuer.token(&app, "read write")));
    both.post(&suspend, json!({"reason": "drill"})).await.expect(202);
}

#[tokio::test]
async fn tokens_that_are_not_meant_for_us_or_not_alive_are_refused_alike() {
    let issuer = Issuer::start("acme");
    let (app, _) = trusting(&issuer).await;
    let now = app.clock.now().timestamp();
    ask(&app, issuer.token(&app, "read")).await.expect(200);
    let mut answers = std::collections::BTreeSet::new();
    for (claim, value) in [
        ("iss", json!("https://elsewhere.example")),
        ("iss", json!(format!("{}/", issuer.url))),
        ("iss", Value::Null),
        ("aud", json!("https://other.example")),
        ("aud", json!(["https://other.example"])),
        ("aud", Value::Null),
        ("exp", json!(now)),
        ("exp", json!(now + 100_000)),
        ("exp", json!("soon")),
        ("exp", Value::Null),
        ("nbf", json!(now + 61)),
        ("iat", json!(now + 61)),
        ("sub", json!("")),
        ("sub", json!("two words")),
        ("sub", Value::Null),
        ("scope", json!("openid")),
        ("scope", json!({"write": true})),
        // What a partner's issuer says of itself does not make it the installation's.
        ("scope", json!("ops operator")),
        ("scope", json!(["operator", "auditor"])),
    ] {
        let mut claims = issuer.claims(&app, "read");
        claims[claim] = value.clone();
        let problem = ask(&app, issuer.sign(&claims))
            .await
            .problem(401, "unauthenticated");
        answers.insert(problem.body["detail"].to_string());
        println!("{claim} = {value}: refused");
    }
    assert_eq!(answers.len(), 1, "the answer must not tell why: {answers:?}");
    // Several audiences, ours among them, are fine; so is a clock that is a little ahead.
    let mut claims = issuer.claims(&app, "read");
    claims["aud"] = json!(["https://other.example", AUDIENCE]);
    claims["iat"] = json!(now + 59);
    let token = issuer.sign(&claims);
    ask(&app, token.clone()).await.expect(200);
    app.clock.advance(TimeDelta::seconds(600));
    ask(&app, token).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn no_algorithm_but_the_keys_own_is_taken() {
    let issuer = Issuer::start("acme");
    let (app, _) = trusting(&issuer).await;
    let claims = issuer.claims(&app, "write");
    let key = issuer.keys.current().unwrap();
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = |alg: &str| {
        format!(
            "{}.{}.",
            part(&json!({"alg": alg, "kid": key.kid()})),
            part(&claims)
        )
    };
    let hmac = |secret: &[u8]| {
        use hmac::Mac;
        let input = format!(
            "{}.{}",
            part(&json!({"alg": "HS256", "kid": key.kid()})),
            part(&claims)
        );
        let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(secret).unwrap();
        mac.update(input.as_bytes());
        format!(
            "{input}.{}",
            BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
        )
    };
    let stranger = SigningKey::generate(Algorithm::ES256).unwrap();
    let other = signed(&stranger, &json!({"alg": "ES256", "kid": key.kid()}), &claims);
    let mislabelled = signed(&key, &json!({"alg": "RS256", "kid": key.kid()}), &claims);
    let nameless = signed(&key, &json!({"alg": "ES256"}), &claims);
    let critical = signed(
        &key,
        &json!({"alg": "ES256", "kid": key.kid(), "crit": ["b64"]}),
        &claims,
    );
    let logout = signed(
        &key,
        &json!({"alg": "ES256", "kid": key.kid(), "typ": "logout+jwt"}),
        &claims,
    );
    let good = issuer.sign(&claims);
    let (input, signature) = good.rsplit_once('.').unwrap();
    let ambitious = issuer.claims(&app, "write operator");
    let moved = format!(
        "{}.{}.{signature}",
        input.split('.').next().unwrap(),
        part(&ambitious)
    );
    for token in [
        unsigned("none"),
        unsigned("NONE"),
        unsigned("HS256"),
        hmac(key.public_text().as_bytes()),
        hmac(b""),
        other,
        mislabelled,
        nameless,
        critical,
        logout,
        moved,
        format!("{input}."),
        format!("{good}.x"),
        "a.b.c".to_owned(),
        "..".to_owned(),
        "x".repeat(20_000) + ".b.c",
    ] {
        ask(&app, token).await.problem(401, "unauthenticated");
    }
    ask(&app, good).await.expect(200);
}

#[tokio::test]
async fn a_new_key_is_fetched_when_it_is_first_seen_and_invented_ones_cost_one_fetch() {
    let issuer = Issuer::start("acme");
    let (app, _) = trusting(&issuer).await;
    ask(&app, issuer.token(&app, "read")).await.expect(200);
    ask(&app, issuer.token(&app, "read")).await.expect(200);
    let fetches = || issuer.fetches.load(Ordering::SeqCst);
    assert_eq!(fetches(), 1);
    issuer.keys.rotate(true).unwrap();
    let token = issuer.token(&app, "read");
    ask(&app, token.clone()).await.problem(401, "unauthenticated");
    assert_eq!(fetches(), 1, "not again so soon");
    app.clock.advance(TimeDelta::seconds(MIN_FETCH_INTERVAL_S));
    ask(&app, token).await.expect(200);
    assert_eq!(fetches(), 2);
    app.clock.advance(TimeDelta::seconds(MIN_FETCH_INTERVAL_S));
    let invented = SigningKey::generate(Algorithm::ES256).unwrap();
    for number in 0..20 {
        let header = json!({"alg": "ES256", "kid": format!("invented-{number}")});
        let token = signed(&invented, &header, &issuer.claims(&app, "write"));
        ask(&app, token).await.problem(401, "unauthenticated");
    }
    assert_eq!(fetches(), 3);
    // An issuer that is down keeps its callers for a while.
    issuer.server.stop(false).await;
    app.clock.advance(TimeDelta::hours(2));
    ask(&app, issuer.token(&app, "read")).await.expect(200);
    app.clock.advance(TimeDelta::hours(23));
    ask(&app, issuer.token(&app, "read"))
        .await
        .problem(401, "unauthenticated");
}

#[tokio::test]
async fn an_issuer_of_several_partners_names_one_of_its_own() {
    let issuer = Issuer::start("shared");
    let id = "ptn_01jd7v0p3h8s5k2m4n6q9r1t0w";
    let mut entry = issuer.bound_to(id);
    let missing = "ptn_01jd7v0p3h8s5k2m4n6q9r1t0x";
    entry.belongs = Belongs::PartnerByClaim {
        claim: "/org/name".into(),
        partners: [
            ("acme".to_owned(), id.parse().unwrap()),
            ("gone".to_owned(), missing.parse().unwrap()),
        ]
        .into(),
    };
    let app = TestApp::start_with(|config| config.trusted_issuers = vec![entry]).await;
    let acme = app.partner("acme").await;
    app.rename_partner(&acme.id, id).await;
    let token = |org: Value| {
        let mut claims = issuer.claims(&app, "write");
        claims["org"] = json!({"name": org});
        issuer.sign(&claims)
    };
    let own = app.anybody().with_key(Some(token(json!("acme"))));
    own.get(&format!("/v1/partners/{id}")).await.expect(200);
    for org in [
        json!("other"),
        json!("gone"),
        json!("acme gone"),
        json!(["acme", "other"]),
        Value::Null,
    ] {
        ask(&app, token(org)).await.problem(401, "unauthenticated");
    }
}
