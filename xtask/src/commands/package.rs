//! `cargo xtask package`: the triggers as they go to AWS.
//!
//! Lambda's `provided.al2023` has glibc 2.34. A build on this machine serves if it needs nothing newer; otherwise, and for the other
//! architecture, `cargo-zigbuild` from PyPI links against exactly that version.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};

use crate::artifacts;
use crate::context::Context;
use crate::tools::python::Venv;
use crate::ui::{Progress, Tone};

/// glibc of `provided.al2023`.
const GLIBC: (u32, u32) = (2, 34);
const PROFILE: &str = "trigger-package";

/// What `package` may be told.
#[derive(Args)]
pub(crate) struct Options {
    /// Which architecture to build for.
    #[arg(long, value_enum, default_value = "all")]
    architecture: Choice,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Choice {
    Arm64,
    #[value(name = "x86_64")]
    X86_64,
    All,
}

/// One architecture, as each tool calls it.
struct Architecture {
    lambda: &'static str,
    target: &'static str,
}

const ARM64: Architecture = Architecture {
    lambda: "arm64",
    target: "aarch64-unknown-linux-gnu",
};
const X86_64: Architecture = Architecture {
    lambda: "x86_64",
    target: "x86_64-unknown-linux-gnu",
};

pub(crate) fn run(context: &Context, options: &Options) -> anyhow::Result<ExitCode> {
    let architectures = match options.architecture {
        Choice::Arm64 => vec![ARM64],
        Choice::X86_64 => vec![X86_64],
        Choice::All => vec![ARM64, X86_64],
    };
    require_targets(context, architectures.iter().map(|wanted| wanted.target))?;
    for architecture in architectures {
        let name = format!("package {}", architecture.lambda);
        let folder = context
            .ui
            .step(&name, |progress| package(context, &architecture, progress))?;
        context
            .ui
            .line(Tone::Plain, &format!("     {}", context.shown(&folder)));
    }
    Ok(ExitCode::SUCCESS)
}

/// Has rustup bring the standard libraries of targets that are not here; without it, says what is missing.
pub(crate) fn require_targets(
    context: &Context,
    targets: impl Iterator<Item = &'static str>,
) -> anyhow::Result<()> {
    let missing: Vec<&str> = targets
        .filter(|target| !target_is_installed(context, target))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut rustup = context.processes.command("rustup");
    // In the clone's folder it is the toolchain of the clone that gets them.
    rustup
        .args(["target", "add"])
        .args(&missing)
        .current_dir(&context.root);
    context.processes.text("rustup target add", &mut rustup).with_context(|| {
        format!(
            "Rust's standard library for {} is not installed and could not be brought by rustup; or choose one with --architecture",
            missing.join(", ")
        )
    })?;
    Ok(())
}

/// The triggers for arm64, which cells use unless they are told otherwise; hands back their folder.
pub(crate) fn package_for_lambda(context: &Context, progress: &Progress) -> anyhow::Result<PathBuf> {
    require_targets(context, [ARM64.target].into_iter())?;
    package(context, &ARM64, progress)
}

/// `cargo zigbuild`, with the cross-compilers of its environment.
pub(crate) fn zigbuild(context: &Context, progress: &Progress) -> anyhow::Result<Command> {
    let venv = Venv::ready_from(
        context,
        "venv-package",
        "requirements-package.txt",
        "ziglang",
        progress,
    )?;
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(
        [venv.folder.join("bin")]
            .into_iter()
            .chain(env::split_paths(&path)),
    )?;
    let mut cargo = context.processes.command(venv.program("cargo-zigbuild"));
    cargo
        .arg("zigbuild")
        .env("PATH", path)
        .env("CARGO_ZIGBUILD_PYTHON_PATH", venv.python())
        .current_dir(&context.root);
    Ok(cargo)
}

fn package(context: &Context, architecture: &Architecture, progress: &Progress) -> anyhow::Result<PathBuf> {
    let log = context.fresh_log(&format!("package-{}", architecture.lambda))?;
    let folder = context.state().join("package").join(architecture.lambda);
    let native = cfg!(target_os = "linux") && architecture.lambda == artifacts::architecture_of_host();
    let arguments = [
        "--package",
        "triggers",
        "--bins",
        "--profile",
        PROFILE,
        "--target",
    ];
    let built = context.target().join(architecture.target).join(PROFILE);
    if native {
        let mut cargo = context.processes.command(Context::cargo());
        cargo
            .arg("build")
            .args(arguments)
            .arg(architecture.target)
            .current_dir(&context.root);
        context
            .processes
            .run("building the triggers", cargo, &log, progress)?;
        if newest_glibc(&built)? <= GLIBC {
            progress.set_note(artifacts::write_artifacts(&built, &folder, architecture.lambda)?);
            return Ok(folder);
        }
    }
    let mut cargo = zigbuild(context, progress)?;
    cargo
        .args(arguments)
        .arg(format!("{}.{}.{}", architecture.target, GLIBC.0, GLIBC.1));
    context
        .processes
        .run("building the triggers with cargo-zigbuild", cargo, &log, progress)?;
    let newest = newest_glibc(&built)?;
    if newest > GLIBC {
        bail!(
            "the triggers need glibc {}.{}, and Lambda has {}.{}",
            newest.0,
            newest.1,
            GLIBC.0,
            GLIBC.1
        );
    }
    progress.set_note(artifacts::write_artifacts(&built, &folder, architecture.lambda)?);
    Ok(folder)
}

fn target_is_installed(context: &Context, target: &str) -> bool {
    let mut command = context.processes.command("rustc");
    command
        .args(["--print", "target-libdir", "--target", target])
        .current_dir(&context.root);
    let folder = context.processes.text("rustc", &mut command).unwrap_or_default();
    fs::read_dir(folder.trim()).is_ok_and(|mut entries| entries.next().is_some())
}

/// The newest glibc that an executable in `folder` asks for.
fn newest_glibc(folder: &Path) -> anyhow::Result<(u32, u32)> {
    let mut newest = (0, 0);
    for function in artifacts::FUNCTIONS {
        let program = folder.join(function);
        let bytes = fs::read(&program).with_context(|| format!("cannot read {}", program.display()))?;
        newest = newest.max(newest_glibc_in(&bytes));
    }
    Ok(newest)
}

/// Version names are plain text in an executable's dynamic string table.
fn newest_glibc_in(executable: &[u8]) -> (u32, u32) {
    const PREFIX: &[u8] = b"GLIBC_2.";
    let starts = executable
        .windows(PREFIX.len())
        .enumerate()
        .filter(|(_, window)| *window == PREFIX);
    let minors = starts.filter_map(|(at, _)| {
        let digits: String = executable[at + PREFIX.len()..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .map(|byte| char::from(*byte))
            .collect();
        digits.parse().ok()
    });
    (2, minors.max().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_glibc_is_found_in_an_executable() {
        assert_eq!(
            newest_glibc_in(b"\0GLIBC_2.2.5\0GLIBC_2.17\0GLIBC_2.9\0"),
            (2, 17)
        );
        assert_eq!(newest_glibc_in(b"static"), (2, 0));
        assert!(newest_glibc_in(b"GLIBC_2.36") > GLIBC);
        assert!(newest_glibc_in(b"GLIBC_2.34") <= GLIBC);
    }
}
