//! Where the Postgres programs come from: the machine, or else a wheel, or else the package manager.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::context::Context;
use crate::services::postgres_home::PostgresHome;
use crate::tools::packages::POSTGRES;
use crate::tools::python::{Venv, read, setup_lock, stamp};
use crate::tools::{find_on_path, is_executable};
use crate::ui::Progress;

/// The oldest major version we take from the machine.
const OLDEST_MAJOR: u32 = 15;
const PROGRAMS: [&str; 3] = ["postgres", "initdb", "psql"];

/// A folder with `postgres`, `initdb` and `psql` of one version.
pub(crate) struct PostgresBinaries {
    pub(crate) bin: PathBuf,
    /// `15.14`
    pub(crate) version: String,
}

impl PostgresBinaries {
    /// Looks on the machine, then takes the wheel, then asks the package manager.
    ///
    /// `STEPGATE_POSTGRES` overrides the search: a folder with the programs, or `wheel`.
    pub(crate) fn find(context: &Context, venv: &Venv, progress: &Progress) -> anyhow::Result<Self> {
        let wanted = env::var_os("STEPGATE_POSTGRES").filter(|value| !value.is_empty());
        match wanted {
            Some(folder) if folder != "wheel" => {
                return inspect(Path::new(&folder)).with_context(|| {
                    format!(
                        "STEPGATE_POSTGRES={} holds no Postgres {OLDEST_MAJOR} or later",
                        folder.display()
                    )
                });
            }
            Some(_) => {}
            None => {
                if let Some(found) = on_machine() {
                    return Ok(found);
                }
            }
        }
        let no_wheel = match from_wheel(context, venv, progress) {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        context.processes.signals.check()?;
        if POSTGRES.install(context, progress)?
            && let Some(found) = on_machine()
        {
            return Ok(found);
        }
        let install = POSTGRES.install_command();
        bail!(
            "no Postgres {OLDEST_MAJOR} or later on this machine, and its wheel could not be installed; `{install}` helps.\n{no_wheel:#}"
        );
    }
}

/// PATH, Debian's folders, Homebrew's folders; the newest of the folder versions.
fn on_machine() -> Option<PostgresBinaries> {
    let on_path = find_on_path("postgres")
        .and_then(|program| program.canonicalize().ok())
        .and_then(|program| {
            let folder = program.parent()?;
            inspect(folder)
        });
    on_path.or_else(|| {
        ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"]
            .into_iter()
            .filter_map(|folder| fs::read_dir(folder).ok())
            .flatten()
            .filter_map(|entry| inspect(&entry.ok()?.path().join("bin")))
            .max_by_key(|found| major(&found.version))
    })
}

/// Installs the wheel into Postgres' own folder, which the user that runs it can reach.
fn from_wheel(context: &Context, venv: &Venv, progress: &Progress) -> anyhow::Result<PostgresBinaries> {
    progress.detail("installing Postgres from a wheel");
    let home = PostgresHome::open(context)?;
    let folder = home.folder.join("wheel");
    let bin = folder.join("pgserver/pginstall/bin");
    let requirements = context.root.join("xtask/python/requirements-postgres.txt");
    let stamp = stamp(&read(&requirements)?, env::consts::ARCH);
    let _lock = setup_lock(context, progress)?;
    let stamp_file = folder.join("stepgate-stamp");
    if fs::read_to_string(&stamp_file).is_ok_and(|found| found == stamp)
        && let Some(found) = inspect(&bin)
    {
        return Ok(found);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let log = context.fresh_log("postgres-wheel")?;
    let mut install = context.processes.command(venv.python());
    install.args([
        "-m",
        "pip",
        "install",
        "--require-hashes",
        "--no-deps",
        "--no-input",
        "--disable-pip-version-check",
    ]);
    // Only the programs inside are used, so the interpreter's own version does not matter.
    install.args([
        "--only-binary=:all:",
        "--python-version",
        "3.11",
        "--implementation",
        "cp",
        "--abi",
        "cp311",
    ]);
    install.arg("--target").arg(&folder).arg("-r").arg(&requirements);
    context
        .processes
        .run("pip install of the Postgres wheel", install, &log, progress)?;
    let found = inspect(&bin).with_context(|| format!("the programs in {} do not run", bin.display()))?;
    fs::write(&stamp_file, stamp).with_context(|| format!("cannot write {}", stamp_file.display()))?;
    Ok(found)
}

/// The programs in `folder`, when all are there, run, and are new enough.
fn inspect(folder: &Path) -> Option<PostgresBinaries> {
    if !PROGRAMS
        .iter()
        .all(|program| is_executable(&folder.join(program)))
    {
        return None;
    }
    let output = Command::new(folder.join("postgres"))
        .arg("--version")
        .output()
        .ok()?;
    let version = parse_version(&String::from_utf8_lossy(&output.stdout))?;
    (major(&version) >= OLDEST_MAJOR).then(|| PostgresBinaries {
        bin: folder.to_owned(),
        version,
    })
}

/// `15.14` from `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`.
fn parse_version(text: &str) -> Option<String> {
    let version = text
        .strip_prefix("postgres (PostgreSQL) ")?
        .split_whitespace()
        .next()?;
    version
        .starts_with(|first: char| first.is_ascii_digit())
        .then(|| version.to_owned())
}

fn major(version: &str) -> u32 {
    version
        .split(|character: char| !character.is_ascii_digit())
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_postgres_prints() {
        let version = parse_version("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n").unwrap();
        assert_eq!((version.as_str(), major(&version)), ("15.14", 15));
        assert_eq!(
            parse_version("postgres (PostgreSQL) 18beta1\n")
                .as_deref()
                .map(major),
            Some(18)
        );
        assert_eq!(parse_version("something else"), None);
    }
}
