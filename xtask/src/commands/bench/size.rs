//! `artifact-size`: each function's zip as it is packaged for AWS.

use std::fs;

use anyhow::Context as _;

use super::row::{Row, Target};
use crate::artifacts::FUNCTIONS;
use crate::commands::package;
use crate::context::Context;
use crate::ui::Progress;

/// Asked of each zip, MiB.
const WANTED_MIB: f64 = 3.0;

pub(super) fn run(context: &Context, progress: &Progress) -> anyhow::Result<Vec<Row>> {
    let folder = package::package_for_lambda(context, progress)?;
    let row = |function: &&str| {
        let path = folder.join(format!("{function}.zip"));
        let size = fs::metadata(&path)
            .with_context(|| format!("cannot read {}", path.display()))?
            .len();
        let mib = f64::from(u32::try_from(size)?) / f64::from(1 << 20);
        let name = format!("artifact-size {function} (arm64)");
        Ok(Row::alone(&name, mib, "MiB").aims_at(Target::AtMost(WANTED_MIB)))
    };
    FUNCTIONS.iter().map(row).collect()
}
