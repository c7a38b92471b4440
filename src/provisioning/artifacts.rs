//! Trigger artifacts as they lie in a folder: `manifest.json` and one zip per function.

use crate::domain::cell::{Architecture, Artifact, Artifacts};
use anyhow::{Context as _, bail, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, path::Path};

/// Trigger artifacts as they lie in a folder, checked against its manifest.
#[derive(Debug)]
pub struct ArtifactFolder {
    version: String,
    pub(super) challenge: LocalArtifact,
    pub(super) verify: LocalArtifact,
    pub(super) forwarder: LocalArtifact,
}

/// One artifact of the folder.
#[derive(Debug)]
pub(super) struct LocalArtifact {
    pub(super) key: String,
    pub(super) sha256_base64: String,
    pub(super) bytes: Vec<u8>,
}

#[derive(Deserialize)]
struct Manifest {
    version: String,
    architecture: String,
    artifacts: BTreeMap<String, ManifestEntry>,
}

#[derive(Deserialize)]
struct ManifestEntry {
    file: String,
    sha256_base64: String,
}

impl ArtifactFolder {
    /// Reads the folder and refuses one for another architecture or with files that are not what the manifest says.
    pub fn read(folder: &Path, architecture: Architecture) -> anyhow::Result<Self> {
        let path = folder.join("manifest.json");
        let text = std::fs::read(&path).with_context(|| {
            format!(
                "{} cannot be read; `--artifacts` names the folder with the trigger artifacts",
                path.display()
            )
        })?;
        let manifest: Manifest = serde_json::from_slice(&text)
            .with_context(|| format!("{} is not a manifest of trigger artifacts", path.display()))?;
        if manifest.architecture != architecture.as_str() {
            bail!(
                "the artifacts are for {}, the cell is for {architecture}",
                manifest.architecture
            );
        }
        let read = |name: &str| {
            let entry = manifest
                .artifacts
                .get(name)
                .with_context(|| format!("{} lacks `{name}`", path.display()))?;
            LocalArtifact::read(folder, name, &manifest.version, entry)
        };
        Ok(Self {
            challenge: read("challenge")?,
            verify: read("verify")?,
            forwarder: read("forwarder")?,
            version: manifest.version,
        })
    }

    /// What the cell's row says of them.
    pub(super) fn registered(&self) -> Artifacts {
        let artifact = |local: &LocalArtifact| Artifact {
            key: local.key.clone(),
            sha256_base64: local.sha256_base64.clone(),
        };
        Artifacts {
            version: self.version.clone(),
            challenge: artifact(&self.challenge),
            verify: artifact(&self.verify),
            forwarder: Some(artifact(&self.forwarder)),
        }
    }
}

/// The artifacts at these keys of a cell's bucket, by the keys alone: version and digest are in them. Which forwarder the
/// cell had then, nothing tells.
pub(super) fn of_keys(challenge: &str, verify: &str) -> anyhow::Result<Artifacts> {
    let read = |key: &str, name: &str| {
        let mut segments = key.strip_prefix("triggers/")?.split('/');
        let (version, digest, file) = (segments.next()?, segments.next()?, segments.next()?);
        let digest = hex::decode(digest).ok().filter(|digest| digest.len() == 32)?;
        let whole = segments.next().is_none() && file.strip_suffix(".zip") == Some(name);
        let artifact = Artifact {
            key: key.to_owned(),
            sha256_base64: BASE64_STANDARD.encode(digest),
        };
        whole.then(|| (version.to_owned(), artifact))
    };
    let foreign = |key: &str| format!("{key} is not the key of an artifact");
    let (version, challenge) = read(challenge, "challenge").with_context(|| foreign(challenge))?;
    let (_, verify) = read(verify, "verify").with_context(|| foreign(verify))?;
    Ok(Artifacts {
        version,
        challenge,
        verify,
        forwarder: None,
    })
}

impl LocalArtifact {
    fn read(folder: &Path, name: &str, version: &str, entry: &ManifestEntry) -> anyhow::Result<Self> {
        let is_segment =
            |text: &str| !text.is_empty() && !text.contains(['/', '\\']) && !text.starts_with('.');
        ensure!(
            is_segment(&entry.file) && is_segment(version),
            "the manifest's file and version must be plain names"
        );
        let path = folder.join(&entry.file);
        let bytes = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let digest = Sha256::digest(&bytes);
        let sha256_base64 = BASE64_STANDARD.encode(digest);
        ensure!(
            sha256_base64 == entry.sha256_base64,
            "{} is not the file that the manifest names",
            path.display()
        );
        Ok(Self {
            key: format!("triggers/{version}/{}/{name}.zip", hex::encode(digest)),
            sha256_base64,
            bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn folder(name: &str, manifest_architecture: &str, digest_of: &[u8]) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("stepgate-artifacts-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let entry = |file: &str| {
            let sha256_base64 = BASE64_STANDARD.encode(Sha256::digest(digest_of));
            serde_json::json!({ "file": file, "sha256_base64": sha256_base64, "size_bytes": 3 })
        };
        let manifest = serde_json::json!({
            "version": "1.2.3", "architecture": manifest_architecture,
            "artifacts": {
                "challenge": entry("challenge.zip"), "verify": entry("verify.zip"), "forwarder": entry("forwarder.zip"),
            },
        });
        std::fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
        for file in ["challenge.zip", "verify.zip", "forwarder.zip"] {
            std::fs::write(folder.join(file), b"zip").unwrap();
        }
        folder
    }

    #[test]
    fn artifacts_are_what_the_manifest_says_and_keys_carry_the_digest() {
        let good = folder("good", "x86_64", b"zip");
        let artifacts = ArtifactFolder::read(&good, Architecture::X86_64)
            .unwrap()
            .registered();
        assert!(
            artifacts.challenge.key.starts_with("triggers/1.2.3/"),
            "{}",
            artifacts.challenge.key
        );
        assert!(artifacts.verify.key.ends_with("/verify.zip"));
        assert_eq!(artifacts.verify.key.split('/').nth(2).unwrap().len(), 64);

        let told = of_keys(&artifacts.challenge.key, &artifacts.verify.key).unwrap();
        let expected = Artifacts {
            forwarder: None,
            ..artifacts.clone()
        };
        assert_eq!(told, expected, "keys tell everything");
        for key in ["k", "triggers/1.2.3/00/verify.zip", &artifacts.challenge.key] {
            assert!(of_keys(&artifacts.challenge.key, key).is_err(), "{key}");
        }

        let wrong = ArtifactFolder::read(&good, Architecture::Arm64)
            .unwrap_err()
            .to_string();
        assert_eq!(wrong, "the artifacts are for x86_64, the cell is for arm64");
        let forged = folder("forged", "x86_64", b"another zip");
        let error = ArtifactFolder::read(&forged, Architecture::X86_64)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("is not the file that the manifest names"),
            "{error}"
        );
        for folder in [good, forged] {
            std::fs::remove_dir_all(folder).unwrap();
        }
    }
}
