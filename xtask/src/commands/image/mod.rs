//! `cargo xtask image`: the container image, built without pulling any base image.
//!
//! The service is linked statically against musl by `cargo-zigbuild` from PyPI, for amd64 and arm64 from either. The image holds that
//! one program, the triggers for AWS, CA certificates and the bill of materials ([`sbom`]), and starts `FROM scratch`: `buildah` puts it
//! together where it can be had, and what it puts together is left as a folder for anything else that reads a Dockerfile.

mod check;
pub(crate) mod sbom;

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use crate::artifacts;
use crate::commands::package;
use crate::context::Context;
use crate::tools::find_on_path;
use crate::tools::packages::{BUILDAH, missing_is_failure};
use crate::tools::python::Venv;
use crate::ui::{Progress, Tone};

const PROFILE: &str = "image";
/// No user of any distribution; the chart runs the pods as it.
const USER: u32 = 65532;

/// What `image` may be told.
#[derive(Args)]
pub(crate) struct Options {
    /// Which processor to build for.
    #[arg(long, value_enum, default_value = "host")]
    architecture: Choice,
    /// Only write the files and the Dockerfile, without putting an image together.
    #[arg(long)]
    files_only: bool,
    /// Where the files go; by default `.stepgate/image/`.
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Push what was built under this name, as one name for all processors. Credentials are buildah's own (`buildah login`).
    #[arg(long, value_name = "NAME", conflicts_with = "files_only")]
    push: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Choice {
    Host,
    Amd64,
    Arm64,
    All,
}

/// One processor, as each tool calls it.
struct Architecture {
    image: &'static str,
    target: &'static str,
    rust: &'static str,
    /// `e_machine` in ELF's header.
    elf_machine: u16,
}

const AMD64: Architecture = Architecture {
    image: "amd64",
    target: "x86_64-unknown-linux-musl",
    rust: "x86_64",
    elf_machine: 62,
};
const ARM64: Architecture = Architecture {
    image: "arm64",
    target: "aarch64-unknown-linux-musl",
    rust: "aarch64",
    elf_machine: 183,
};

pub(crate) fn run(context: &Context, options: &Options) -> anyhow::Result<ExitCode> {
    let architectures = match options.architecture {
        Choice::Host if env::consts::ARCH == "aarch64" => vec![ARM64],
        Choice::Host | Choice::Amd64 => vec![AMD64],
        Choice::Arm64 => vec![ARM64],
        Choice::All => vec![AMD64, ARM64],
    };
    package::require_targets(context, architectures.iter().map(|wanted| wanted.target))?;
    let triggers = context.ui.step("package arm64", |progress| {
        package::package_for_lambda(context, progress)
    })?;
    let base = options
        .output
        .clone()
        .unwrap_or_else(|| context.state().join("image"));
    let mut archives = Vec::new();
    for architecture in &architectures {
        let folder = base.join(architecture.image);
        context
            .ui
            .step(&format!("files {}", architecture.image), |progress| {
                write_files(context, architecture, &triggers, &folder, progress)
            })?;
        if options.files_only {
            context
                .ui
                .line(Tone::Plain, &format!("     {}", context.shown(&folder)));
            continue;
        }
        let archive = context
            .ui
            .step(&format!("image {}", architecture.image), |progress| {
                build_image(context, architecture, &folder, progress)
            })?;
        let Some(archive) = archive else {
            context.ui.line(
                Tone::Warn,
                &format!(
                    "no buildah here: `{}`, or build {} with another tool",
                    BUILDAH.install_command(),
                    context.shown(&folder)
                ),
            );
            return Ok(if missing_is_failure() {
                ExitCode::FAILURE
            } else {
                ExitCode::SUCCESS
            });
        };
        context
            .ui
            .line(Tone::Plain, &format!("     {}", context.shown(&archive)));
        archives.push(archive);
    }
    if let Some(name) = &options.push {
        context
            .ui
            .step("push", |progress| push(context, &archives, name, progress))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The root of the image and its Dockerfile.
fn write_files(
    context: &Context,
    architecture: &Architecture,
    triggers: &Path,
    folder: &Path,
    progress: &Progress,
) -> anyhow::Result<()> {
    let program = build_service(context, architecture, progress)?;
    let executable = fs::read(&program).with_context(|| format!("cannot read {}", program.display()))?;
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let root = folder.join("root");
    put(&root.join("stepgate"), &executable, 0o755)?;
    let zips = artifacts::FUNCTIONS.map(|function| format!("{function}.zip"));
    for file in ["manifest.json"]
        .into_iter()
        .chain(zips.iter().map(String::as_str))
    {
        let bytes = fs::read(triggers.join(file)).with_context(|| format!("no {file} among the triggers"))?;
        put(&root.join("artifacts/arm64").join(file), &bytes, 0o644)?;
    }
    put(
        &root.join("etc/ssl/certs/ca-certificates.crt"),
        &certificates(context, progress)?,
        0o644,
    )?;
    put(
        &root.join("etc/passwd"),
        format!("stepgate:x:{USER}:{USER}::/:/sbin/nologin\n").as_bytes(),
        0o644,
    )?;
    let bill = sbom::bill_of_materials(context, architecture.target)?;
    put(&root.join("sbom.cdx.json"), bill.as_bytes(), 0o644)?;
    put(
        &folder.join("Dockerfile"),
        dockerfile(&revision(context)).as_bytes(),
        0o644,
    )?;
    check::files(context, architecture, &root)?;
    progress.set_note(format!("program {}", mebibytes(executable.len() as u64)));
    Ok(())
}

/// Compiles the service and links it statically.
fn build_service(
    context: &Context,
    architecture: &Architecture,
    progress: &Progress,
) -> anyhow::Result<PathBuf> {
    let log = context.fresh_log(&format!("image-{}", architecture.image))?;
    let mut cargo = package::zigbuild(context, progress)?;
    cargo
        .args(["--package", "stepgate", "--bin", "stepgate", "--profile", PROFILE])
        .args(["--target", architecture.target]);
    context
        .processes
        .run("building the service with cargo-zigbuild", cargo, &log, progress)?;
    Ok(context
        .target()
        .join(architecture.target)
        .join(PROFILE)
        .join("stepgate"))
}

/// Mozilla's certificate authorities, as `certifi` of PyPI has them: the same everywhere, whatever the building machine trusts.
fn certificates(context: &Context, progress: &Progress) -> anyhow::Result<Vec<u8>> {
    let venv = Venv::ready(context, progress)?;
    let mut command = context.processes.command(venv.python());
    command.args(["-c", "import certifi; print(certifi.where())"]);
    let path = context.processes.text("certifi", &mut command)?;
    fs::read(path.trim()).with_context(|| format!("cannot read {}", path.trim()))
}

/// The commit that is built, with a mark if it is not exactly that.
fn revision(context: &Context) -> String {
    let mut command = context.processes.command("git");
    command
        .args(["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"])
        .current_dir(&context.root);
    // A source archive has no history.
    context
        .processes
        .text("git describe", &mut command)
        .map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}

fn dockerfile(revision: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        r#"FROM scratch
COPY root/ /
LABEL org.opencontainers.image.title="stepgate" \
      org.opencontainers.image.description="Control plane that puts a BlockID step-up into Amazon Cognito sign-ins" \
      org.opencontainers.image.version="{version}" \
      org.opencontainers.image.revision="{revision}" \
      org.opencontainers.image.licenses="Apache-2.0"
USER {USER}:{USER}
EXPOSE 8080
ENTRYPOINT ["/stepgate"]
"#
    )
}

/// Puts the image together and writes it as an OCI archive; `None` where there is no buildah.
fn build_image(
    context: &Context,
    architecture: &Architecture,
    folder: &Path,
    progress: &Progress,
) -> anyhow::Result<Option<PathBuf>> {
    if find_on_path("buildah").is_none() && !BUILDAH.install(context, progress)? {
        return Ok(None);
    }
    let log = context.fresh_log("buildah")?;
    let archive = folder.with_extension("tar");
    let _earlier = fs::remove_file(&archive);
    let name = format!("localhost/stepgate:{}", architecture.image);
    let mut build = context.processes.command("buildah");
    build
        .env("STORAGE_DRIVER", "vfs")
        .args(["build", "--isolation", "chroot", "--timestamp", "0", "--platform"])
        .arg(format!("linux/{}", architecture.image))
        .args(["--tag", &name])
        .arg(folder);
    context.processes.run("buildah build", build, &log, progress)?;
    let mut inspect = context.processes.command("buildah");
    inspect
        .env("STORAGE_DRIVER", "vfs")
        .args(["inspect", "--type", "image", &name]);
    let inspected = context.processes.text("buildah inspect", &mut inspect)?;
    check::image(
        &serde_json::from_str(&inspected)?,
        architecture,
        &revision(context),
    )?;
    let mut push = context.processes.command("buildah");
    push.env("STORAGE_DRIVER", "vfs")
        .args(["push", &name])
        .arg(format!("oci-archive:{}", archive.display()));
    context.processes.run("buildah push", push, &log, progress)?;
    let size = fs::metadata(&archive)
        .with_context(|| format!("no {}", archive.display()))?
        .len();
    progress.set_note(format!("{} compressed", mebibytes(size)));
    Ok(Some(archive))
}

/// Pushes the archives under one name.
fn push(context: &Context, archives: &[PathBuf], name: &str, progress: &Progress) -> anyhow::Result<()> {
    let log = context.fresh_log("buildah-push")?;
    let buildah = |what: &'static str, arguments: &[&str]| {
        let mut command = context.processes.command("buildah");
        command.env("STORAGE_DRIVER", "vfs").args(arguments);
        context.processes.run(what, command, &log, progress)
    };
    let list = "localhost/stepgate:all";
    let _absent = buildah("buildah manifest rm", &["manifest", "rm", list]);
    buildah("buildah manifest create", &["manifest", "create", list])?;
    for archive in archives {
        let from = format!("oci-archive:{}", archive.display());
        buildah("buildah manifest add", &["manifest", "add", list, &from])?;
    }
    let to = format!("docker://{name}");
    buildah("buildah manifest push", &["manifest", "push", "--all", list, &to])
}

fn put(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let folder = path.parent().context("a file is in a folder")?;
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, bytes))
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
        .with_context(|| format!("cannot write {}", path.display()))
}

fn mebibytes(bytes: u64) -> String {
    format!("{}.{} MiB", bytes >> 20, ((bytes % (1 << 20)) * 10) >> 20)
}

/// The program that a 64-bit ELF file wants to be loaded by; a static one wants none.
fn interpreter(elf: &[u8]) -> Option<String> {
    const PT_INTERP: u64 = 3;
    let number = |at: usize, bytes: usize| -> Option<u64> {
        let found = elf.get(at..at + bytes)?;
        Some(
            found
                .iter()
                .rev()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        )
    };
    let place = |at: usize, bytes: usize| usize::try_from(number(at, bytes)?).ok();
    let (first, size, count) = (place(32, 8)?, place(54, 2)?, place(56, 2)?);
    let header = (0..count)
        .map(|index| first + index * size)
        .find(|at| number(*at, 4) == Some(PT_INTERP))?;
    let (offset, length) = (place(header + 8, 8)?, place(header + 32, 8)?);
    let text = elf.get(offset..offset.checked_add(length)?)?;
    Some(String::from_utf8_lossy(text).trim_end_matches('\0').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dynamic_program_is_told_from_a_static_one() {
        if cfg!(all(target_os = "linux", target_env = "gnu")) {
            let ourselves = fs::read(env::current_exe().unwrap()).unwrap();
            assert!(interpreter(&ourselves).unwrap().contains("ld-linux"));
        }
        assert_eq!(interpreter(b"\x7fELF"), None);
    }

    #[test]
    fn the_image_starts_from_nothing_and_runs_as_nobody_we_know() {
        let text = dockerfile("abc");
        assert!(text.starts_with("FROM scratch\n"));
        assert!(text.contains("USER 65532:65532\n") && text.contains(r#"revision="abc""#));
        // The same numbers as the pods'.
        let chart = include_str!("../../../../helm/stepgate/templates/_helpers.tpl");
        assert!(chart.contains("runAsUser: 65532\n"));
        // The Dockerfile for users ends as this one does.
        let for_users = include_str!("../../../../Dockerfile");
        for line in [
            "FROM scratch",
            "USER 65532:65532",
            "EXPOSE 8080",
            r#"ENTRYPOINT ["/stepgate"]"#,
        ] {
            assert!(for_users.lines().any(|found| found == line), "{line}");
        }
        // The same labels, and the version of the workspace.
        let labels = |text: &str| -> Vec<String> {
            let keys = text.split_whitespace().filter_map(|word| word.split_once("=\""));
            keys.filter(|(key, _)| key.starts_with("org.opencontainers.image."))
                .map(|(key, _)| key.to_owned())
                .collect()
        };
        assert_eq!(labels(for_users), labels(&text));
        assert_eq!(labels(&text).len(), 5);
        assert!(for_users.contains(concat!("\nARG VERSION=", env!("CARGO_PKG_VERSION"), "\n")));
    }

    #[test]
    fn sizes_are_readable() {
        assert_eq!(mebibytes(15 * (1 << 20) + (1 << 19)), "15.5 MiB");
    }
}
