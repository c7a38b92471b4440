//! `promtool`, and Prometheus itself: from the PATH, or out of Debian's package, which is unpacked and not installed:
//! installed, it would start a server.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::context::Context;
use crate::tools::python::setup_lock;
use crate::tools::{find_on_path, is_executable, is_root};
use crate::ui::Progress;

/// What a person runs to get it.
pub(crate) const INSTALL_COMMAND: &str = if cfg!(target_os = "macos") {
    "brew install prometheus"
} else {
    "sudo apt-get install prometheus"
};

/// Finds or unpacks it; `None` where it is not to be had.
pub(crate) fn find(context: &Context, progress: &Progress) -> anyhow::Result<Option<PathBuf>> {
    if let Some(found) = find_on_path("promtool") {
        return Ok(Some(found));
    }
    let folder = context.state().join("promtool");
    let program = folder.join("usr/bin/promtool");
    let _lock = setup_lock(context, progress)?;
    if is_executable(&program) {
        return Ok(Some(program));
    }
    if find_on_path("apt-get").is_none() || find_on_path("dpkg-deb").is_none() {
        return Ok(None);
    }
    progress.detail("unpacking promtool");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    // Package lists may be missing (a fresh container): refresh them where we may, and only when the first try fails.
    let downloaded = apt_get(context, &folder, &["download", "prometheus"])?
        || (is_root()
            && apt_get(context, &folder, &["update"])?
            && apt_get(context, &folder, &["download", "prometheus"])?);
    let package = fs::read_dir(&folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"));
    let (true, Some(package)) = (downloaded, package) else {
        return Ok(None);
    };
    let mut unpack = context.processes.command("dpkg-deb");
    unpack.arg("-x").arg(&package).arg(&folder);
    context
        .processes
        .run("dpkg-deb", unpack, &context.log("promtool"), progress)?;
    Ok(is_executable(&program).then_some(program))
}

/// The server that comes with it, as tests find it.
pub(crate) fn test_environment(
    context: &Context,
    progress: &Progress,
) -> anyhow::Result<Option<(&'static str, String)>> {
    let server = find_on_path("prometheus").or_else(|| {
        let beside = context.state().join("promtool/usr/bin/prometheus");
        is_executable(&beside).then_some(beside)
    });
    let server = match server {
        Some(server) => Some(server),
        None => find(context, progress)?
            .map(|promtool| promtool.with_file_name("prometheus"))
            .filter(|server| is_executable(server)),
    };
    Ok(server.map(|server| ("STEPGATE_TEST_PROMETHEUS", server.display().to_string())))
}

fn apt_get(context: &Context, folder: &Path, arguments: &[&str]) -> anyhow::Result<bool> {
    let mut command = context.processes.command("apt-get");
    command.args(arguments).current_dir(folder);
    let log = context.log("promtool");
    Ok(context
        .processes
        .run_status("apt-get", &mut command, &log)?
        .success())
}
