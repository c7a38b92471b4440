//! A release: the trigger artifacts and the template that tenants of a cell can run together.

use super::Artifacts;
use crate::ids::{CellId, ReleaseId};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Characters of the digest in a release's name.
const DIGEST_CHARS: usize = 8;

/// Trigger artifacts and a template. Never changed: what differs is another release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Release {
    /// Its id.
    pub id: ReleaseId,
    /// Cell that it lies in.
    pub cell_id: CellId,
    /// Version of the artifacts, and a digest over artifacts and template: the same in every cell.
    #[schema(example = "0.4.0-3fa9c1d2")]
    pub name: String,
    /// Trigger artifacts in the cell's bucket.
    pub artifacts: Artifacts,
    /// SHA-256 of the template of tenants' stacks, hex.
    pub template_sha256: String,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
}

/// The name of a release with these artifacts and this template. The forwarder is the cell's, not the tenants'.
pub fn release_name(artifacts: &Artifacts, template_sha256: &str) -> String {
    let mut hash = Sha256::new();
    for text in [
        artifacts.challenge.sha256_base64.as_str(),
        artifacts.verify.sha256_base64.as_str(),
        template_sha256,
    ] {
        hash.update(text.as_bytes());
        hash.update([0]);
    }
    let digest = hex::encode(hash.finalize());
    format!("{}-{}", artifacts.version, &digest[..DIGEST_CHARS])
}

#[cfg(test)]
mod tests {
    use super::super::Artifact;
    use super::*;

    #[test]
    fn a_name_tells_artifacts_and_templates_apart_but_not_forwarders() {
        let artifact = |digest: &str| Artifact {
            key: "k".into(),
            sha256_base64: digest.into(),
        };
        let artifacts = |verify: &str| Artifacts {
            version: "1.2.3".into(),
            challenge: artifact("c"),
            verify: artifact(verify),
            forwarder: None,
        };
        let name = release_name(&artifacts("v"), "t");
        assert!(name.starts_with("1.2.3-") && name.len() == 14, "{name}");
        assert_ne!(name, release_name(&artifacts("w"), "t"));
        assert_ne!(name, release_name(&artifacts("v"), "u"));
        let with_forwarder = Artifacts {
            forwarder: Some(artifact("f")),
            ..artifacts("v")
        };
        assert_eq!(name, release_name(&with_forwarder, "t"));
    }
}
