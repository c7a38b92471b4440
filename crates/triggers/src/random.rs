//! Randomness as a parameter: what *create* puts into a challenge must not be guessable, and tests hold it still.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::TryRngCore as _;

/// Bits of a token: the 256 that RFC 7636 recommends for a PKCE verifier serve `state` and `nonce` as well.
const TOKEN_BYTES: usize = 32;

/// The operating system had no random bytes to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct NoEntropy;

/// A cryptographically secure source of bytes.
pub trait Random: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy>;
}

/// The operating system's generator.
#[derive(Debug, Clone, Copy)]
pub struct OsRandom;

impl Random for OsRandom {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy> {
        rand::rngs::OsRng.try_fill_bytes(buffer).map_err(|_| NoEntropy)
    }
}

/// 32 random bytes, base64url without padding: 43 characters, valid as `state`, `nonce` and PKCE verifier.
pub fn token(random: &dyn Random) -> Result<String, NoEntropy> {
    let mut bytes = [0_u8; TOKEN_BYTES];
    random.fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// A new journey id: `jrn_` and a lower-case ULID (time, then 80 random bits).
pub fn journey_id(random: &dyn Random, now_unix_ms: i64) -> Result<String, NoEntropy> {
    let mut bytes = [0_u8; 16];
    random.fill(&mut bytes)?;
    let time = u64::try_from(now_unix_ms).unwrap_or(0);
    let ulid = ulid::Ulid::from_parts(time, u128::from_be_bytes(bytes));
    Ok(format!("jrn_{}", ulid.to_string().to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting;

    impl Random for Counting {
        fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy> {
            for (index, byte) in buffer.iter_mut().enumerate() {
                *byte = u8::try_from(index).unwrap_or(0);
            }
            Ok(())
        }
    }

    #[test]
    fn a_token_is_a_valid_pkce_verifier() {
        let token = token(&Counting).expect("tokens");
        assert_eq!(token.len(), 43);
        assert!(
            token
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        );
    }

    #[test]
    fn two_tokens_of_the_operating_system_differ() {
        assert_ne!(token(&OsRandom), token(&OsRandom));
    }

    #[test]
    fn a_journey_id_begins_with_its_time() {
        let id = journey_id(&Counting, 1_800_000_000_000).expect("id");
        assert_eq!(id.len(), 30);
        assert!(id.starts_with("jrn_01mc"), "{id}");
        assert_eq!(id, id.to_ascii_lowercase());
    }
}
