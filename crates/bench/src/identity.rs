//! What the provider of the stage signs with, and the id_token it gives for every code.

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, PublicKeyComponents};
use ring::signature::RSA_PKCS1_SHA256;
use serde_json::{Value, json};

/// A 2048-bit RSA key that is known to everybody: it protects nothing.
const KEY: &str = include_str!("../../triggers/tests/fixtures/keys/pool-rs256.pem");
const KEY_ID: &str = "bench-key";

/// The provider's key.
pub(crate) struct Signer(KeyPair);

impl Signer {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let lines: String = KEY.lines().filter(|line| !line.starts_with("-----")).collect();
        let key = KeyPair::from_der(&STANDARD.decode(lines)?);
        Ok(Self(key.map_err(|error| {
            anyhow::anyhow!("the key cannot be read: {error}")
        })?))
    }

    /// Its public half as a JWK Set (RFC 7517).
    pub(crate) fn jwks(&self) -> Value {
        let public: PublicKeyComponents<Vec<u8>> = self.0.public().into();
        json!({"keys": [{
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID,
            "n": URL_SAFE_NO_PAD.encode(public.n), "e": URL_SAFE_NO_PAD.encode(public.e),
        }]})
    }

    /// A token with these claims (RFC 7515).
    pub(crate) fn sign(&self, claims: &Value) -> anyhow::Result<String> {
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": KEY_ID}).to_string();
        let text = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let mut signature = vec![0; self.0.public().modulus_len()];
        self.0
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                text.as_bytes(),
                &mut signature,
            )
            .ok()
            .context("the token cannot be signed")?;
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
