//! Signing keys of communities.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{CoreJwsSigningAlgorithm, CoreRsaPrivateSigningKey};
use openidconnect::{JsonWebKeyId, PrivateSigningKey as _};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use rsa::pkcs1::{EncodeRsaPrivateKey as _, LineEnding};
use rsa::pkcs8::EncodePublicKey as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// How a community signs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256, what most providers use.
    #[default]
    RS256,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// ECDSA on P-256.
    ES256,
}

impl Algorithm {
    /// The name in a JOSE header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::PS256 => "PS256",
            Self::ES256 => "ES256",
        }
    }
}

/// A key could not be made or used.
#[derive(Debug, thiserror::Error)]
#[error("signing key: {0}")]
pub struct KeyError(String);

enum Material {
    Rsa(CoreRsaPrivateSigningKey),
    P256(EcdsaKeyPair),
}

/// A private signing key with its id.
pub struct SigningKey {
    algorithm: Algorithm,
    kid: String,
    jwk: Value,
    /// What "the public key" is to somebody who uses it as an HMAC secret.
    public_text: String,
    material: Material,
}

impl SigningKey {
    /// Makes a key.
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        let kid = format!("sim-{}", &crate::chance::token()[..12]);
        match algorithm {
            Algorithm::RS256 | Algorithm::PS256 => Self::generate_rsa(algorithm, kid),
            Algorithm::ES256 => Self::generate_p256(kid),
        }
    }

    fn generate_rsa(algorithm: Algorithm, kid: String) -> Result<Self, KeyError> {
        let fail = |error: &dyn std::fmt::Display| KeyError(error.to_string());
        let private = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).map_err(|e| fail(&e))?;
        let public_text = private
            .to_public_key()
            .to_public_key_pem(LineEnding::LF)
            .map_err(|e| fail(&e))?;
        let pem = private.to_pkcs1_pem(LineEnding::LF).map_err(|e| fail(&e))?;
        let key = CoreRsaPrivateSigningKey::from_pem(&pem, Some(JsonWebKeyId::new(kid.clone())))
            .map_err(KeyError)?;
        let mut jwk = serde_json::to_value(key.as_verification_key()).map_err(|e| fail(&e))?;
        jwk["alg"] = algorithm.name().into();
        Ok(Self {
            algorithm,
            kid,
            jwk,
            public_text,
            material: Material::Rsa(key),
        })
    }

    fn generate_p256(kid: String) -> Result<Self, KeyError> {
        let random = ring::rand::SystemRandom::new();
        let fail = |what: &str| KeyError(format!("P-256: {what}"));
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            .map_err(|_| fail("not generated"))?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random)
            .map_err(|_| fail("not read"))?;
        // Uncompressed point: 0x04, x, y.
        let point = pair.public_key().as_ref();
        let jwk = json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": kid,
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..65]),
        });
        let public_text = jwk.to_string();
        Ok(Self {
            algorithm: Algorithm::ES256,
            kid,
            jwk,
            public_text,
            material: Material::P256(pair),
        })
    }

    /// Key id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Public key as JWK.
    pub fn jwk(&self) -> &Value {
        &self.jwk
    }

    /// Algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Public key as text.
    pub fn public_text(&self) -> &str {
        &self.public_text
    }

    /// Signature over `message`, as a JWS has it.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match &self.material {
            Material::Rsa(key) => {
                let algorithm = match self.algorithm {
                    Algorithm::PS256 => CoreJwsSigningAlgorithm::RsaSsaPssSha256,
                    Algorithm::RS256 | Algorithm::ES256 => CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
                };
                key.sign(&algorithm, message)
                    .map_err(|error| KeyError(error.to_string()))
            }
            Material::P256(pair) => pair
                .sign(&ring::rand::SystemRandom::new(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| KeyError("P-256: not signed".into())),
        }
    }
}

/// The keys of a community: the one that signs, and old ones that are still published.
pub struct KeyRing {
    algorithm: Algorithm,
    keys: Mutex<Vec<Arc<SigningKey>>>,
}

impl KeyRing {
    /// A ring with a new key.
    pub fn new(algorithm: Algorithm) -> Result<Self, KeyError> {
        Ok(Self {
            algorithm,
            keys: Mutex::new(vec![Arc::new(SigningKey::generate(algorithm)?)]),
        })
    }

    /// Algorithm of the ring.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key that signs.
    pub fn current(&self) -> Result<Arc<SigningKey>, KeyError> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.last()
            .cloned()
            .ok_or_else(|| KeyError("the ring is empty".into()))
    }

    /// Makes a new key and signs with it from now on.
    pub fn rotate(&self, keep_old: bool) -> Result<Arc<SigningKey>, KeyError> {
        let fresh = Arc::new(SigningKey::generate(self.algorithm)?);
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if !keep_old {
            keys.clear();
        }
        keys.push(Arc::clone(&fresh));
        Ok(fresh)
    }

    /// JWK Set.
    pub fn jwks(&self) -> Value {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        json!({ "keys": keys.iter().map(|key| key.jwk().clone()).collect::<Vec<_>>() })
    }
}

/// A key of a community that is not configured, for [`crate::behaviour::Fault::ForeignKey`] when a tenant
/// has one community only. Made when first asked for.
pub fn stranger(algorithm: Algorithm) -> Result<&'static SigningKey, KeyError> {
    static RSA: OnceLock<Result<SigningKey, KeyError>> = OnceLock::new();
    static PSS: OnceLock<Result<SigningKey, KeyError>> = OnceLock::new();
    static P256: OnceLock<Result<SigningKey, KeyError>> = OnceLock::new();
    let cell = match algorithm {
        Algorithm::RS256 => &RSA,
        Algorithm::PS256 => &PSS,
        Algorithm::ES256 => &P256,
    };
    cell.get_or_init(|| SigningKey::generate(algorithm))
        .as_ref()
        .map_err(|error| KeyError(error.0.clone()))
}
