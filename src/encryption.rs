//! Envelope encryption of the few secrets that the database must hold.
//!
//! Each secret is sealed with a data key of its own, and the data key with the installation's key (AES-256-GCM). The
//! installation's keys come from configuration, never from the database; each has an id derived from it, stored with
//! what it seals, so that a new key can be put in front while older ones still open what they sealed.

use crate::{Error, Result, ids::IdSource};
use base64::{Engine, prelude::BASE64_STANDARD};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::{Digest, Sha256};
use std::fmt;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;

/// The installation's keys. The first seals; every one opens.
#[derive(Debug, Default)]
pub struct EncryptionKeys(Vec<Key>);

struct Key {
    id: String,
    bytes: SecretBox<[u8; KEY_BYTES]>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.id).finish()
    }
}

/// A sealed secret, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Which of the installation's keys sealed the data key.
    pub key_id: String,
    /// Nonce and sealed data key.
    pub data_key: Vec<u8>,
    /// Nonce and sealed secret.
    pub secret: Vec<u8>,
}

/// The text is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not 32 bytes in base64")]
pub struct KeySyntaxError;

impl EncryptionKeys {
    /// Reads keys in base64, the one that seals first.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> std::result::Result<Self, KeySyntaxError> {
        let read = |text: &str| {
            let bytes = BASE64_STANDARD.decode(text.trim()).map_err(|_| KeySyntaxError)?;
            let bytes: [u8; KEY_BYTES] = bytes.try_into().map_err(|_| KeySyntaxError)?;
            let digest = Sha256::new()
                .chain_update(b"stepgate encryption key id\0")
                .chain_update(bytes)
                .finalize();
            Ok(Key {
                id: hex::encode(&digest[..8]),
                bytes: SecretBox::new(Box::new(bytes)),
            })
        };
        texts
            .into_iter()
            .map(read)
            .collect::<std::result::Result<_, _>>()
            .map(Self)
    }

    /// A new key in base64.
    pub fn generate(ids: &IdSource) -> SecretString {
        let mut bytes = [0_u8; KEY_BYTES];
        ids.fill(&mut bytes);
        BASE64_STANDARD.encode(bytes).into()
    }

    /// Whether there is a key to seal with.
    pub fn can_seal(&self) -> bool {
        !self.0.is_empty()
    }

    /// Id of the key that seals.
    pub fn current_id(&self) -> Option<&str> {
        self.0.first().map(|key| key.id.as_str())
    }

    /// Seals a secret that belongs to `owner` (an id): under another owner it does not open.
    pub fn seal(&self, ids: &IdSource, secret: &SecretString, owner: &str) -> Result<Sealed> {
        let key = self
            .0
            .first()
            .ok_or_else(|| failed("there is no encryption key"))?;
        let mut data_key = [0_u8; KEY_BYTES];
        ids.fill(&mut data_key);
        Ok(Sealed {
            key_id: key.id.clone(),
            secret: encrypt(ids, &data_key, secret.expose_secret().as_bytes(), owner)?,
            data_key: encrypt(ids, key.bytes.expose_secret(), &data_key, owner)?,
        })
    }

    /// Opens what was sealed for `owner`.
    pub fn open(&self, sealed: &Sealed, owner: &str) -> Result<SecretString> {
        let data_key = self.open_data_key(sealed, owner)?;
        let plain = decrypt(data_key.expose_secret(), &sealed.secret, owner)?;
        let text = String::from_utf8(plain).map_err(|_| failed("a sealed secret is not text"))?;
        Ok(text.into())
    }

    /// Seals the data key again with the key that seals now; `None` when it is sealed so already.
    pub fn reseal(&self, ids: &IdSource, sealed: &Sealed, owner: &str) -> Result<Option<Sealed>> {
        let key = self
            .0
            .first()
            .ok_or_else(|| failed("there is no encryption key"))?;
        if sealed.key_id == key.id {
            return Ok(None);
        }
        let data_key = self.open_data_key(sealed, owner)?;
        Ok(Some(Sealed {
            key_id: key.id.clone(),
            data_key: encrypt(ids, key.bytes.expose_secret(), data_key.expose_secret(), owner)?,
            secret: sealed.secret.clone(),
        }))
    }

    fn open_data_key(&self, sealed: &Sealed, owner: &str) -> Result<SecretBox<[u8; KEY_BYTES]>> {
        let key = self
            .0
            .iter()
            .find(|key| key.id == sealed.key_id)
            .ok_or_else(|| failed("a secret is sealed with an encryption key that is not configured"))?;
        let plain = decrypt(key.bytes.expose_secret(), &sealed.data_key, owner)?;
        let bytes = plain
            .try_into()
            .map_err(|_| failed("a data key has a wrong length"))?;
        Ok(SecretBox::new(Box::new(bytes)))
    }
}

fn encrypt(ids: &IdSource, key: &[u8; KEY_BYTES], plain: &[u8], owner: &str) -> Result<Vec<u8>> {
    let mut nonce = [0_u8; NONCE_BYTES];
    ids.fill(&mut nonce);
    let mut text = plain.to_vec();
    cipher(key)?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(owner.as_bytes()),
            &mut text,
        )
        .map_err(|_| failed("a secret could not be sealed"))?;
    Ok([&nonce[..], &text].concat())
}

fn decrypt(key: &[u8; KEY_BYTES], sealed: &[u8], owner: &str) -> Result<Vec<u8>> {
    let broken = || failed("a sealed secret does not open: it was changed, or belongs to something else");
    let (nonce, text) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or_else(broken)?;
    let mut text = text.to_vec();
    let opened = cipher(key)?
        .open_in_place(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(owner.as_bytes()),
            &mut text,
        )
        .map_err(|_| broken())?;
    Ok(opened.to_vec())
}

fn cipher(key: &[u8; KEY_BYTES]) -> Result<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key)
        .map(LessSafeKey::new)
        .map_err(|_| failed("an encryption key is not usable"))
}

fn failed(what: &'static str) -> Error {
    Error::internal(anyhow::anyhow!(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(texts: &[&SecretString]) -> EncryptionKeys {
        EncryptionKeys::parse(texts.iter().map(|text| text.expose_secret())).unwrap()
    }

    #[test]
    fn a_secret_opens_for_its_owner_with_its_key_and_not_otherwise() {
        let ids = IdSource::seeded(5);
        let (old, new) = (EncryptionKeys::generate(&ids), EncryptionKeys::generate(&ids));
        let before = keys(&[&old]);
        let sealed = before.seal(&ids, &"hunter2".into(), "whk_1").unwrap();
        assert_eq!(before.open(&sealed, "whk_1").unwrap().expose_secret(), "hunter2");
        assert!(before.open(&sealed, "whk_2").is_err(), "another owner");
        assert!(keys(&[&new]).open(&sealed, "whk_1").is_err(), "another key");
        for part in [0, 1] {
            let mut changed = sealed.clone();
            let bytes = if part == 0 {
                &mut changed.secret
            } else {
                &mut changed.data_key
            };
            *bytes.last_mut().unwrap() ^= 1;
            assert!(before.open(&changed, "whk_1").is_err());
        }
        let rotated = keys(&[&new, &old]);
        assert_eq!(rotated.open(&sealed, "whk_1").unwrap().expose_secret(), "hunter2");
        let resealed = rotated.reseal(&ids, &sealed, "whk_1").unwrap().unwrap();
        assert_eq!(
            keys(&[&new]).open(&resealed, "whk_1").unwrap().expose_secret(),
            "hunter2"
        );
        assert_eq!(rotated.reseal(&ids, &resealed, "whk_1").unwrap(), None);
    }

    #[test]
    fn keys_are_32_bytes_in_base64_and_are_not_printed() {
        for bad in [
            "",
            "x",
            "AAAA",
            &BASE64_STANDARD.encode([0; 31]),
            &BASE64_STANDARD.encode([0; 33]),
        ] {
            assert_eq!(EncryptionKeys::parse([bad]).unwrap_err(), KeySyntaxError, "{bad}");
        }
        let text = BASE64_STANDARD.encode([7; 32]);
        let keys = EncryptionKeys::parse([text.as_str()]).unwrap();
        assert!(keys.can_seal() && !EncryptionKeys::default().can_seal());
        let printed = format!("{keys:?}");
        assert!(!printed.contains("7, 7") && !printed.contains(&text), "{printed}");
    }
}
