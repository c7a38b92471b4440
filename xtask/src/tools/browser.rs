//! The browser that the end-to-end tests drive.

use std::env;
use std::path::PathBuf;

use anyhow::bail;

use crate::context::Context;
use crate::tools::packages::CHROMIUM;
use crate::tools::{find_on_path, is_executable};
use crate::ui::Progress;

const PROGRAMS: [&str; 5] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
];
const MAC_PROGRAMS: [&str; 2] = [
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// Chromium or Chrome: the machine's, or installed where we may. `None` where neither can be; the tests are then skipped.
///
/// `STEPGATE_BROWSER` overrides the search.
pub(crate) fn find(context: &Context, progress: &Progress) -> anyhow::Result<Option<PathBuf>> {
    if let Some(wanted) = env::var_os("STEPGATE_BROWSER").filter(|value| !value.is_empty()) {
        let program = PathBuf::from(wanted);
        if !is_executable(&program) {
            bail!("STEPGATE_BROWSER={} cannot be run", program.display());
        }
        return Ok(Some(program));
    }
    if let Some(found) = on_machine() {
        return Ok(Some(found));
    }
    if CHROMIUM.install(context, progress)? {
        return Ok(on_machine());
    }
    Ok(None)
}

fn on_machine() -> Option<PathBuf> {
    PROGRAMS.into_iter().find_map(find_on_path).or_else(|| {
        MAC_PROGRAMS
            .into_iter()
            .map(PathBuf::from)
            .find(|path| is_executable(path))
    })
}
