//! What an image must be, once it is there: the files that went into it and what `buildah` says of it.

use std::env;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Architecture, USER};
use crate::artifacts;
use crate::context::Context;
use crate::tools::find_on_path;

/// The program is static and of the right processor, the triggers are those that their manifest names, and the program starts with
/// nothing around it: on its own processor, or where `qemu` can play it.
pub(super) fn files(context: &Context, architecture: &Architecture, root: &Path) -> anyhow::Result<()> {
    let program = root.join("stepgate");
    let executable = fs::read(&program).with_context(|| format!("cannot read {}", program.display()))?;
    program_is_for(architecture, &executable)?;
    let triggers = root.join("artifacts/arm64");
    let manifest = fs::read(triggers.join("manifest.json")).context("no manifest of the triggers")?;
    triggers_are_named(&serde_json::from_slice(&manifest)?, |file| {
        fs::read(triggers.join(file)).with_context(|| format!("no {file} among the triggers"))
    })?;
    let player = ["-static", ""]
        .iter()
        .find_map(|ending| find_on_path(&format!("qemu-{}{ending}", architecture.rust)));
    let start = match player {
        _ if architecture.rust == env::consts::ARCH => Some(context.processes.command(&program)),
        Some(player) => {
            let mut start = context.processes.command(player);
            start.arg(&program);
            Some(start)
        }
        None => None,
    };
    if let Some(mut start) = start {
        start.env_clear().arg("--version");
        let version = context.processes.text("the program of the image", &mut start)?;
        ensure!(
            version.trim() == concat!("stepgate ", env!("CARGO_PKG_VERSION")),
            "the program says that it is {}",
            version.trim()
        );
    }
    Ok(())
}

fn program_is_for(architecture: &Architecture, elf: &[u8]) -> anyhow::Result<()> {
    if let Some(interpreter) = super::interpreter(elf) {
        bail!("the program is not static: it asks for {interpreter}");
    }
    // `e_machine` of the ELF header.
    let machine = elf
        .get(18..20)
        .map(|bytes| u16::from(bytes[1]) << 8 | u16::from(bytes[0]));
    ensure!(
        elf.starts_with(b"\x7fELF") && machine == Some(architecture.elf_machine),
        "the program is not for {}",
        architecture.image
    );
    Ok(())
}

fn triggers_are_named(
    manifest: &Value,
    read: impl Fn(&str) -> anyhow::Result<Vec<u8>>,
) -> anyhow::Result<()> {
    for function in artifacts::FUNCTIONS {
        let named = &manifest["artifacts"][function];
        let file = named["file"].as_str().unwrap_or_default();
        let bytes = read(file)?;
        ensure!(
            named["sha256_base64"] == BASE64_STANDARD.encode(Sha256::digest(&bytes))
                && named["size_bytes"] == bytes.len(),
            "{file} is not the one that the manifest names"
        );
    }
    Ok(())
}

/// The image runs the program as nobody, and says what it is.
pub(super) fn image(inspected: &Value, architecture: &Architecture, revision: &str) -> anyhow::Result<()> {
    let image = &inspected["OCIv1"];
    let config = &image["config"];
    let labels = &config["Labels"];
    let label = |name: &str| &labels[format!("org.opencontainers.image.{name}")];
    for (what, right) in [
        ("architecture", image["architecture"] == architecture.image),
        ("user", config["User"] == format!("{USER}:{USER}")),
        (
            "entry point",
            config["Entrypoint"] == serde_json::json!(["/stepgate"]),
        ),
        ("port", config["ExposedPorts"]["8080/tcp"].is_object()),
        ("label title", label("title") == "stepgate"),
        ("label version", label("version") == env!("CARGO_PKG_VERSION")),
        ("label revision", label("revision") == revision),
        ("label licenses", label("licenses") == "Apache-2.0"),
        // One layer: nothing is below what was copied.
        (
            "layers",
            image["rootfs"]["diff_ids"]
                .as_array()
                .is_some_and(|layers| layers.len() == 1),
        ),
    ] {
        ensure!(right, "the image has another {what}: {image}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{AMD64, ARM64};
    use super::*;
    use serde_json::json;

    #[test]
    fn another_processor_and_a_dynamic_program_are_refused() {
        let mut elf = vec![0; 64];
        elf[..4].copy_from_slice(b"\x7fELF");
        elf[18] = 183;
        program_is_for(&ARM64, &elf).unwrap();
        assert!(program_is_for(&AMD64, &elf).is_err());
        assert!(program_is_for(&ARM64, b"#!/bin/sh").is_err());
        if cfg!(all(target_os = "linux", target_env = "gnu")) {
            let ourselves = fs::read(env::current_exe().unwrap()).unwrap();
            let error = program_is_for(&AMD64, &ourselves).unwrap_err();
            assert!(error.to_string().contains("not static"), "{error}");
        }
    }

    #[test]
    fn a_trigger_that_the_manifest_does_not_name_is_refused() {
        let named = |bytes: &[u8]| json!({"file": "x.zip", "size_bytes": bytes.len(), "sha256_base64": BASE64_STANDARD.encode(Sha256::digest(bytes))});
        let all = artifacts::FUNCTIONS.map(|function| (function.to_owned(), named(b"zip")));
        let manifest = json!({ "artifacts": all.into_iter().collect::<serde_json::Map<_, _>>() });
        triggers_are_named(&manifest, |_| Ok(b"zip".to_vec())).unwrap();
        assert!(triggers_are_named(&manifest, |_| Ok(b"zap".to_vec())).is_err());
        assert!(triggers_are_named(&json!({}), |_| bail!("not there")).is_err());
    }

    #[test]
    fn an_image_that_runs_as_root_or_has_a_base_is_refused() {
        let good = json!({"OCIv1": {
            "architecture": "arm64",
            "config": {
                "User": "65532:65532", "Entrypoint": ["/stepgate"], "ExposedPorts": {"8080/tcp": {}},
                "Labels": {
                    "org.opencontainers.image.title": "stepgate", "org.opencontainers.image.version": env!("CARGO_PKG_VERSION"),
                    "org.opencontainers.image.revision": "abc", "org.opencontainers.image.licenses": "Apache-2.0",
                },
            },
            "rootfs": {"diff_ids": ["sha256:1"]},
        }});
        image(&good, &ARM64, "abc").unwrap();
        for (place, wrong) in [
            ("/OCIv1/config/User", json!("")),
            ("/OCIv1/architecture", json!("amd64")),
            ("/OCIv1/rootfs/diff_ids", json!(["sha256:1", "sha256:2"])),
            (
                "/OCIv1/config/Labels/org.opencontainers.image.revision",
                json!("def"),
            ),
        ] {
            let mut bad = good.clone();
            *bad.pointer_mut(place).unwrap() = wrong;
            image(&bad, &ARM64, "abc").unwrap_err();
        }
    }
}
