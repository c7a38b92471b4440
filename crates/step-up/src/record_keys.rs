//! Keys of the `records` table: written by *verify*, read by the gate, and by the control plane when it
//! lists or removes links and evidence. One place, so that the two sides cannot drift apart.
//!
//! Everything of a user hangs on the Cognito `sub`, never on a user name, which can be given to someone else.

use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// Attribute DynamoDB's TTL deletes by. Deletion is late by up to days: readers compare it themselves.
pub const EXPIRES_AT: &str = "expires_at_unix_s";
/// Prefix of the sort keys of grants.
pub const GRANT_PREFIX: &str = "grant#";
/// Prefix of the sort keys of all evidence.
pub const EVIDENCE_PREFIX: &str = "evidence#";
/// Prefix of the sort keys of a user's links.
pub const LINK_PREFIX: &str = "link#";
/// Sort key of the item that counts a journey's answers.
pub const JOURNEY_ATTEMPTS: &str = "attempts";
/// Sort key of the item that ties a BlockID subject to a user.
pub const SUBJECT_LINK: &str = "link";

/// Partition of a user: grants, evidence, links, attempt counters.
pub fn user(sub: &str) -> String {
    format!("user#{sub}")
}

/// Partition of a journey: round claims and the attempt count.
pub fn journey(journey: &str) -> String {
    format!("journey#{journey}")
}

/// Partition of a BlockID subject: the link back to its user.
pub fn subject(issuer: &str, subject: &str) -> String {
    format!(
        "subject#{}",
        sha256_hex(&[issuer.as_bytes(), b"\0", subject.as_bytes()])
    )
}

/// Sort key of a journey's grant.
pub fn grant(journey: &str) -> String {
    format!("{GRANT_PREFIX}{journey}")
}

/// Prefix of the sort keys of a user's evidence for one app client.
pub fn evidence_prefix(client_id: &str) -> String {
    format!("{EVIDENCE_PREFIX}{client_id}#")
}

/// Sort key of the evidence that a journey left for one app client.
pub fn evidence(client_id: &str, journey: &str) -> String {
    format!("{EVIDENCE_PREFIX}{client_id}#{journey}")
}

/// Names a user's link to the provider with this issuer: a user has one at most.
pub fn link_id(issuer: &str) -> String {
    sha256_hex(&[issuer.as_bytes()])
}

/// Sort key of a user's link to the provider with this issuer.
pub fn link(issuer: &str) -> String {
    format!("{LINK_PREFIX}{}", link_id(issuer))
}

/// Sort key of a user's attempt counter of one time window.
pub fn attempts(window: &str) -> String {
    format!("attempts#{window}")
}

/// Sort key of the claim of a journey's round.
pub fn round(round: u8) -> String {
    format!("round#{round}")
}

fn sha256_hex(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuer_and_subject_cannot_be_shifted_into_each_other() {
        assert_ne!(subject("https://a", "bc"), subject("https://ab", "c"));
    }

    #[test]
    fn a_clients_prefix_does_not_cover_another_client() {
        assert!(evidence("abc", "jrn_1").starts_with(&evidence_prefix("abc")));
        assert!(!evidence("abcd", "jrn_1").starts_with(&evidence_prefix("abc")));
        assert!(evidence_prefix("abc").starts_with(EVIDENCE_PREFIX));
    }
}
