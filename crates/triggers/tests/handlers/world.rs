//! A tenant with one app and one user, and the two functions that serve it.

use crate::memory_records::MemoryRecords;
use crate::stand_ins::{Collected, Counting, TestClock, TestPolicies, TestProvider, TestSecrets, TestUsers};
use openidconnect::core::{CoreEdDsaPrivateSigningKey, CoreJwsSigningAlgorithm};
use openidconnect::{JsonWebKeyId, PrivateSigningKey as _};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use step_up::challenge::PrivateChallenge;
use step_up::event::{EventType, StepUpEvent};
use step_up::policy_item::PolicyItem;
use step_up::reason::Reason;
use triggers::challenge::{self, Challenge};
use triggers::clock::Clock;
use triggers::outcome::RefusedTokens;
use triggers::verify::{self, Verify};

pub(crate) const TENANT: &str = "tnt_01j8example0000000000000000";
pub(crate) const CLIENT: &str = "4kq7example2client9id0abc1";
pub(crate) const SUB: &str = "f3b5a1c2-7d4e-4f60-9a1b-2c3d4e5f6071";
pub(crate) const ISSUER: &str = "https://acme.1kosmos.example/oauth2/community/default/v1";
pub(crate) const SECRET: &str = "canary-client-secret";
pub(crate) const NOW_MS: i64 = 1_800_000_000_000;
/// The example key of RFC 8410, section 10.3: known to everybody.
const SIGNING_KEY: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";

/// The tenant, everything around it, and its functions.
pub(crate) struct World {
    pub(crate) clock: Arc<TestClock>,
    pub(crate) secrets: Arc<TestSecrets>,
    pub(crate) policies: Arc<TestPolicies>,
    pub(crate) records: Arc<MemoryRecords>,
    pub(crate) provider: Arc<TestProvider>,
    pub(crate) users: Arc<TestUsers>,
    pub(crate) sink: Arc<Collected>,
    pub(crate) challenge: Challenge,
    pub(crate) verify: Verify,
}

/// A challenge as *create* made it.
#[derive(Clone)]
pub(crate) struct Offered {
    pub(crate) public: Value,
    pub(crate) private: PrivateChallenge,
    pub(crate) private_text: String,
    pub(crate) metadata: String,
}

impl Offered {
    pub(crate) fn answer(&self) -> String {
        json!({"code": "code-1", "state": self.private.state}).to_string()
    }

    /// The verify event for an answer to this challenge.
    pub(crate) fn answered(&self, answer: &str) -> Value {
        let mut event = fixture("verify");
        event["request"]["privateChallengeParameters"]["stepgate"] = json!(self.private_text);
        event["request"]["challengeAnswer"] = json!(answer);
        event
    }

    /// The round in a later event's session.
    pub(crate) fn as_round(&self, passed: bool) -> Value {
        json!({"challengeName": "CUSTOM_CHALLENGE", "challengeResult": passed, "challengeMetadata": self.metadata})
    }
}

impl World {
    /// With a policy that accepts any method.
    pub(crate) fn new() -> Self {
        Self::with_policy(&any_method())
    }

    pub(crate) fn with_policy(policy: &Value) -> Self {
        let clock = Arc::new(TestClock(AtomicI64::new(NOW_MS)));
        let secrets = Arc::new(TestSecrets::default());
        let policies = Arc::new(TestPolicies::default());
        let records = Arc::new(MemoryRecords::default());
        let provider = Arc::new(TestProvider::default());
        let users = Arc::new(TestUsers::default());
        let sink = Arc::new(Collected::default());
        let challenge = Challenge::new(
            TENANT,
            "settings",
            challenge::Outside {
                secrets: secrets.clone(),
                policies: policies.clone(),
                records: records.clone(),
                clock: clock.clone(),
                random: Arc::new(Counting::default()),
                sink: sink.clone(),
            },
        );
        let verify = Verify::new(
            TENANT,
            "settings",
            "credentials",
            verify::Outside {
                secrets: secrets.clone(),
                records: records.clone(),
                provider: provider.clone(),
                users: users.clone(),
                clock: clock.clone(),
                sink: sink.clone(),
            },
        );
        let world = Self {
            clock,
            secrets,
            policies,
            records,
            provider,
            users,
            sink,
            challenge,
            verify,
        };
        world.set_settings(&settings());
        world.set_credentials("AWSCURRENT", SECRET);
        world.set_item(item(policy));
        world
    }

    pub(crate) fn set_settings(&self, settings: &Value) {
        self.secrets
            .texts
            .lock()
            .unwrap()
            .insert(("settings", "AWSCURRENT"), settings.to_string());
    }

    pub(crate) fn set_credentials(&self, stage: &'static str, secret: &str) {
        let text = json!({"client_id": "acme-client", "client_secret": secret}).to_string();
        self.secrets
            .texts
            .lock()
            .unwrap()
            .insert(("credentials", stage), text);
    }

    pub(crate) fn set_item(&self, item: Value) {
        *self.policies.item.lock().unwrap() = Some(serde_json::from_value(item).expect("policy item"));
    }

    pub(crate) fn change_item(&self, change: impl FnOnce(&mut PolicyItem)) {
        let mut item = self.policies.item.lock().unwrap();
        let item = item.as_mut().expect("an item");
        item.generation += 1;
        change(item);
    }

    /// Lets time pass.
    pub(crate) fn pass_ms(&self, ms: i64) {
        self.clock.0.fetch_add(ms, Ordering::Relaxed);
    }

    pub(crate) fn now_s(&self) -> i64 {
        self.clock.now_unix_s()
    }

    pub(crate) async fn ask(&self, event: Value) -> Result<Value, RefusedTokens> {
        self.challenge.handle("request-1", event).await
    }

    pub(crate) async fn define(&self, event: Value) -> Value {
        self.ask(event).await.expect("define never refuses by error")["response"].take()
    }

    pub(crate) async fn create(&self, event: Value) -> Offered {
        let mut response = self.ask(event).await.expect("create never refuses by error")["response"].take();
        let private_text = response["privateChallengeParameters"]["stepgate"]
            .as_str()
            .expect("private");
        Offered {
            private: serde_json::from_str(private_text).expect("private challenge"),
            private_text: private_text.to_owned(),
            metadata: response["challengeMetadata"]
                .as_str()
                .expect("metadata")
                .to_owned(),
            public: response["publicChallengeParameters"].take(),
        }
    }

    /// *create* right after the password.
    pub(crate) async fn offered(&self) -> Offered {
        self.create(fixture("create_after_password")).await
    }

    pub(crate) async fn judge(&self, event: Value) -> bool {
        let answer = self.verify.handle("request-2", event).await;
        answer["response"]["answerCorrect"]
            .as_bool()
            .expect("answerCorrect")
    }

    /// The provider answers with this id_token, whatever the code.
    pub(crate) fn provider_says(&self, id_token: String) {
        *self.provider.exchange.lock().unwrap() = Some(Box::new(move |_, _, _| Ok(id_token.clone())));
    }

    /// What the provider says after a step-up by the right user for this challenge.
    pub(crate) fn good_claims(&self, offered: &Offered) -> Value {
        json!({
            "iss": ISSUER, "sub": "blockid-ada", "aud": "acme-client", "nonce": offered.private.nonce,
            "iat": self.now_s(), "exp": self.now_s() + 300, "username": "ada",
            "acr": "liveID push", "amr": ["liveID push"], "email": "ada@example.com", "email_verified": true,
        })
    }

    /// A whole step-up with changed claims; the answer and the challenge.
    pub(crate) async fn step_up(&self, change: impl FnOnce(&mut Value)) -> (bool, Offered) {
        let offered = self.offered().await;
        let mut claims = self.good_claims(&offered);
        change(&mut claims);
        self.provider_says(signed(&claims));
        let passed = self.judge(offered.answered(&offered.answer())).await;
        (passed, offered)
    }

    /// The reason of the last refusal.
    pub(crate) fn reason(&self) -> Option<Reason> {
        let events = self.sink.events.lock().unwrap();
        events.iter().rev().find_map(|event| event.reason)
    }

    pub(crate) fn types(&self) -> Vec<EventType> {
        self.sink
            .events
            .lock()
            .unwrap()
            .iter()
            .map(|event| event.event_type)
            .collect()
    }

    pub(crate) fn last_event(&self) -> StepUpEvent {
        self.sink.events.lock().unwrap().last().expect("an event").clone()
    }
}

pub(crate) fn fixture(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(&path).expect(&path)).expect(&path)
}

pub(crate) fn settings() -> Value {
    json!({
        "schema_version": 1, "generation": 1, "tenant_id": TENANT, "user_pool_id": "eu-central-1_Ab3dEfGh1",
        "connection": {"tenant_dns": "acme.1kosmos.example", "community": "default", "client_id": "acme-client"},
        "provider": {
            "issuer": ISSUER,
            "authorization_endpoint": format!("{ISSUER}/authorize"),
            "token_endpoint": format!("{ISSUER}/token"),
            "jwks_uri": format!("{ISSUER}/jwks"),
            "redirect_uri": "https://acme.1kosmos.example/admin/default/post_stepup",
            "id_token_signing_algorithms": ["EdDSA"],
            "pkce_s256": true,
            "jwks": jwks("key-1"),
            "fetched_at_unix_s": NOW_MS / 1_000 - 3_600,
        },
        "event_hash_key": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
    })
}

pub(crate) fn item(policy: &Value) -> Value {
    json!({
        "generation": 1, "app_id": "app_1", "client_id": CLIENT, "policy_version": 3, "policy": policy,
        "session_validity_s": 180, "refresh_validity_s": 28_800,
    })
}

pub(crate) fn any_method() -> Value {
    json!({"schema_version": 1, "default":
        {"step_up": "required", "methods": ["liveID push", "otp sms", "otp email", "otp"], "attempts": 2}})
}

pub(crate) fn not_required() -> Value {
    json!({"schema_version": 1, "default": {"step_up": "not_required", "reason": "pilot"}})
}

/// The public half of the signing key under a key id (RFC 8410, section 10.1).
pub(crate) fn jwks(kid: &str) -> Value {
    let x = "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE";
    json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid, "x": x}]})
}

/// An id_token with these claims.
pub(crate) fn signed(claims: &Value) -> String {
    signed_as(claims, "key-1")
}

pub(crate) fn signed_as(claims: &Value, kid: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64};
    let key =
        CoreEdDsaPrivateSigningKey::from_ed25519_pem(SIGNING_KEY, Some(JsonWebKeyId::new(kid.to_owned())))
            .expect("key");
    let header = json!({"alg": "EdDSA", "typ": "JWT", "kid": kid}).to_string();
    let signed = format!("{}.{}", B64.encode(header), B64.encode(claims.to_string()));
    let signature = key
        .sign(&CoreJwsSigningAlgorithm::EdDsa, signed.as_bytes())
        .expect("signature");
    format!("{signed}.{}", B64.encode(signature))
}
