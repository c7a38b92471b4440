//! The folder that Postgres' files live in, and the user it runs as.
//!
//! `initdb` refuses root. When we are root, Postgres runs as another user that exists on every machine (`postgres`, else `nobody`), and
//! its folder is `.stepgate/postgres` if that user can get there. A clone under `/root` cannot be reached by others: then the folder is
//! `/var/tmp/stepgate-{hash of the clone}`, and `.stepgate/postgres` is a link to it.

use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use nix::unistd::User;

use crate::context::Context;
use crate::process::RunAs;
use crate::tools::is_root;

/// Where Postgres' files are and who owns them.
pub(crate) struct PostgresHome {
    pub(crate) folder: PathBuf,
    /// Who runs Postgres, when it is not ourselves.
    pub(crate) user: Option<RunAs>,
}

impl PostgresHome {
    /// Makes the folder if need be.
    pub(crate) fn open(context: &Context) -> anyhow::Result<Self> {
        let user = if is_root() {
            Some(unprivileged_user()?)
        } else {
            None
        };
        let here = context.state().join("postgres");
        if user.is_none() || context.state().ancestors().all(others_may_enter) {
            own_folder(&here, user)?;
            return Ok(Self { folder: here, user });
        }
        let elsewhere = Path::new("/var/tmp").join(format!("stepgate-{}", context.clone_id()));
        own_folder(&elsewhere, user)?;
        // A link for people who look for the files; nothing depends on it.
        if let Err(error) = symlink(&elsewhere, &here)
            && error.kind() != ErrorKind::AlreadyExists
        {
            return Err(error).with_context(|| format!("cannot make the link {}", here.display()));
        }
        Ok(Self {
            folder: elsewhere,
            user,
        })
    }

    /// Removes everything in it; for `--reset`, before anything was started.
    pub(crate) fn remove(context: &Context) -> anyhow::Result<()> {
        let home = Self::open(context)?;
        fs::remove_dir_all(&home.folder).with_context(|| format!("cannot remove {}", home.folder.display()))
    }
}

fn unprivileged_user() -> anyhow::Result<RunAs> {
    for name in ["postgres", "nobody"] {
        if let Some(user) =
            User::from_name(name).with_context(|| format!("cannot look up the user {name}"))?
        {
            return Ok(RunAs {
                uid: user.uid.as_raw(),
                gid: user.gid.as_raw(),
            });
        }
    }
    bail!(
        "Postgres refuses to run as root, and this machine has neither a user `postgres` nor `nobody`: `useradd --system postgres`"
    );
}

fn others_may_enter(folder: &Path) -> bool {
    folder
        .metadata()
        .is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0)
}

/// Makes `folder` for `user` alone. One that is there already must be a real folder of the right owner: `/var/tmp` is everybody's.
fn own_folder(folder: &Path, user: Option<RunAs>) -> anyhow::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {
            let RunAs { uid, gid } = user.unwrap_or_else(ourselves);
            chown(folder, Some(uid), Some(gid))
                .with_context(|| format!("cannot give {} away", folder.display()))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let found =
                fs::symlink_metadata(folder).with_context(|| format!("cannot read {}", folder.display()))?;
            if found.is_dir() && found.uid() == user.unwrap_or_else(ourselves).uid {
                return Ok(());
            }
            bail!(
                "{} is not a folder of the user that Postgres runs as: remove it",
                folder.display()
            );
        }
        Err(error) => Err(error).with_context(|| format!("cannot make {}", folder.display())),
    }
}

fn ourselves() -> RunAs {
    RunAs {
        uid: nix::unistd::geteuid().as_raw(),
        gid: nix::unistd::getegid().as_raw(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::random_hex;

    #[test]
    fn a_link_planted_by_somebody_else_is_refused() {
        let base = std::env::temp_dir().join(format!("stepgate-home-{}", random_hex(4).unwrap()));
        fs::create_dir(&base).unwrap();
        let target = base.join("target");
        fs::create_dir(&target).unwrap();
        symlink(&target, base.join("planted")).unwrap();
        assert!(own_folder(&base.join("planted"), None).is_err());
        own_folder(&base.join("made"), None).unwrap();
        own_folder(&base.join("made"), None).unwrap();
        assert_eq!(
            base.join("made").metadata().unwrap().permissions().mode() & 0o777,
            0o700
        );
        fs::remove_dir_all(base).unwrap();
    }
}
