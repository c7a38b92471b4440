//! Settings of webhooks: the installation's encryption keys, and where messages may go beside the public internet.

use super::{Settings, variable};
use crate::encryption::EncryptionKeys;
use ipnet::IpNet;
use std::sync::Arc;

impl Settings<'_> {
    /// The key that seals and the older ones that only open. Values are never repeated in a problem.
    pub(super) fn encryption_keys(&mut self) -> Arc<EncryptionKeys> {
        let of = |key| self.raw(key).filter(|text| !text.trim().is_empty());
        let (current, older) = (of("encryption_key"), of("encryption_keys_old"));
        if current.is_none() && older.is_some() {
            self.problems.push(format!(
                "{} (`encryption_keys_old`) is set without {}",
                variable("encryption_keys_old"),
                variable("encryption_key")
            ));
        }
        let older = older.unwrap_or_default();
        let older = older.split(',').filter(|text| !text.trim().is_empty());
        let Some(current) = current else {
            return Arc::default();
        };
        match EncryptionKeys::parse(std::iter::once(current.as_str()).chain(older)) {
            Ok(keys) => Arc::new(keys),
            Err(error) => {
                self.problems.push(format!(
                    "{} or {} is {error}; `stepgate keys generate-encryption-key` prints a usable one",
                    variable("encryption_key"),
                    variable("encryption_keys_old")
                ));
                Arc::default()
            }
        }
    }

    /// Networks in CIDR notation, with commas between them.
    pub(super) fn allowed_webhook_networks(&mut self) -> Vec<IpNet> {
        const KEY: &str = "allowed_webhook_networks";
        let text = self.raw(KEY).unwrap_or_default();
        let networks = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let mut allowed = Vec::new();
        for network in networks {
            match network.parse() {
                Ok(network) => allowed.push(network),
                Err(_) => self.problems.push(format!(
                    "{} (`{KEY}`): `{network}` is not a network in CIDR notation",
                    variable(KEY)
                )),
            }
        }
        allowed
    }
}
