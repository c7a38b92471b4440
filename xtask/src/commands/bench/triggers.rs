//! `triggers-cold` and `triggers-warm`: the functions over Lambda's Runtime API, in front of AWS and a provider that answer
//! at once.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::Scale;
use super::measured::Measured;
use super::programs;
use super::row::{Row, Target};
use crate::context::Context;
use crate::tools::node::Node;
use crate::tools::python::Venv;
use crate::ui::Progress;

const SCRIPTS: [&str; 3] = ["runtime.mjs", "challenge.mjs", "verify.mjs"];
const FUNCTIONS: [&str; 2] = ["challenge", "verify"];

/// From the start of the process to the first answer.
pub(super) fn cold(context: &Context, scale: Scale, progress: &Progress) -> anyhow::Result<Vec<Row>> {
    let built = programs::triggers(context, progress)?;
    let node = Node::find(context, &Venv::ready(context, progress)?, progress)?;
    let plain = scripts(context, &node, progress)?;
    let bundled = bundles(context, &node, &plain, progress)?;
    let measure = |scripts: &Path, starts: &str| {
        let mut command = context.processes.command(&built.bench);
        command
            .arg("triggers-cold")
            .arg("--functions")
            .arg(&built.functions)
            .arg("--empty")
            .arg(&built.empty)
            .arg("--node")
            .arg(node.program())
            .arg("--node-functions")
            .arg(scripts)
            .args(["--starts", starts]);
        Measured::by(context, "triggers-cold", &mut command)
    };
    progress.detail("starting functions");
    let measured = measure(&plain, scale.choose("40", "2"))?;
    progress.detail("starting functions, Node's as one file each");
    let one_file = measure(&bundled, scale.choose("15", "1"))?;
    let node = format!("Node {}", node.version);
    let mut rows = Vec::new();
    for function in FUNCTIONS {
        let series = |what: &str| measured.series(&format!("{function}{what}"));
        let first = series(" first answer")?;
        rows.push(
            Row::of(
                &format!("triggers-cold {function}, start to first answer"),
                &first,
                "ms",
            )
            .faster_than(&node, &series(" node first answer")?)
            .aims_at(Target::RatioAtLeast(20.0)),
        );
        rows.push(
            Row::of(
                &format!("triggers-cold {function}, memory"),
                &series(" memory")?,
                "MiB",
            )
            .beside(&node, &series(" node memory")?)
            .aims_at(Target::RatioAtMost(1.0 / 6.0)),
        );
        rows.push(
            Row::of(
                &format!("triggers-cold {function}, start to first answer, Node bundled"),
                &one_file.series(&format!("{function} first answer"))?,
                "ms",
            )
            .faster_than(
                &format!("{node}, one minified file"),
                &one_file.series(&format!("{function} node first answer"))?,
            ),
        );
        rows.push(
            Row::of(
                &format!("triggers-cold {function}, start to ready"),
                &series(" ready")?,
                "ms",
            )
            .beside("a function that does nothing", &measured.series("empty ready")?),
        );
    }
    Ok(rows)
}

/// The packages with the scripts beside them, where Node looks for them.
fn scripts(context: &Context, node: &Node, progress: &Progress) -> anyhow::Result<PathBuf> {
    let source = context.root.join("xtask/node/bench");
    let folder = node.install(context, &source, "node-bench", progress)?;
    for script in SCRIPTS {
        let target = folder.join(script);
        fs::copy(source.join(script), &target)
            .with_context(|| format!("cannot write {}", target.display()))?;
    }
    Ok(folder)
}

/// Each function as one minified file with all that it uses.
fn bundles(context: &Context, node: &Node, scripts: &Path, progress: &Progress) -> anyhow::Result<PathBuf> {
    let folder = scripts.join("bundled");
    let log = context.fresh_log("bench-bundle")?;
    for function in FUNCTIONS {
        let file = format!("{function}.mjs");
        let mut bundle = node.command(context);
        bundle
            .arg(scripts.join("node_modules/esbuild/bin/esbuild"))
            .arg(scripts.join(&file))
            .args(["--bundle", "--minify", "--platform=node", "--target=node20", "--format=esm"])
            // What is bundled from CommonJS asks for Node's own modules in its own way.
            .arg("--banner:js=import{createRequire}from'node:module';const require=createRequire(import.meta.url);")
            .arg(format!("--outfile={}", folder.join(&file).display()));
        context.processes.run("esbuild", bundle, &log, progress)?;
    }
    Ok(folder)
}

/// Calls of running functions.
pub(super) fn warm(context: &Context, scale: Scale, progress: &Progress) -> anyhow::Result<Vec<Row>> {
    let built = programs::triggers(context, progress)?;
    progress.detail("calling functions");
    let mut command = context.processes.command(&built.bench);
    command
        .arg("triggers-warm")
        .arg("--functions")
        .arg(&built.functions)
        .arg("--empty")
        .arg(&built.empty)
        .args(["--calls", scale.choose("5000", "20")]);
    warm_rows(&Measured::by(context, "triggers-warm", &mut command)?)
}

/// What a call costs beyond one of a function that does nothing is the function's own; *verify* is held against its bare calls.
fn warm_rows(measured: &Measured) -> anyhow::Result<Vec<Row>> {
    let nothing = measured.series("empty")?;
    let mut rows = Vec::new();
    for trigger in ["define", "create"] {
        let whole = measured.series(trigger)?;
        rows.push(
            Row::of(&format!("triggers-warm {trigger}, whole call"), &whole, "ms")
                .beside("a call that does nothing", &nothing),
        );
        let own = whole.median() - nothing.median();
        rows.push(
            Row::alone(&format!("triggers-warm {trigger}, own time"), own, "ms").aims_at(Target::AtMost(0.2)),
        );
    }
    let (verify, bare) = (measured.series("verify")?, measured.series("bare calls")?);
    rows.push(Row::of("triggers-warm verify, whole call", &verify, "ms").beside("its calls alone", &bare));
    let adds = verify.quantile(0.99) - bare.quantile(0.99);
    rows.push(
        Row::alone("triggers-warm verify, p99 beyond its calls' p99", adds, "ms")
            .aims_at(Target::AtMost(1.0)),
    );
    Ok(rows)
}
