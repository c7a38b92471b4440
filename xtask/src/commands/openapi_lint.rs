//! `cargo xtask openapi-lint`: other people's tools judge the API document, and a TypeScript program compiles against it.
//!
//! The tests prove that `openapi/stepgate.json` is what the service serves; here it is the file that is judged.

use std::fs;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::commands::lint::check;
use crate::commands::test::tally::Tally;
use crate::context::Context;
use crate::tools::node::NodePackages;
use crate::tools::python::Venv;
use crate::ui::Progress;

const DOCUMENT: &str = "openapi/stepgate.json";
const MENDS: &str = "the block of the operation beside its handler, or src/api/document.rs";

pub(crate) fn run(context: &Context) -> anyhow::Result<ExitCode> {
    let mut tally = Tally::default();
    context
        .ui
        .step("API document", |progress| judge(context, &mut tally, progress))?;
    tally.report(&context.ui);
    Ok(if tally.failed() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Every judgement of the document.
pub(crate) fn judge(context: &Context, tally: &mut Tally, progress: &Progress) -> anyhow::Result<()> {
    let document = context.root.join(DOCUMENT);
    let venv = Venv::ready_from(
        context,
        "venv-openapi",
        "requirements-openapi.txt",
        "openapi_spec_validator",
        progress,
    )?;
    let mut validator = context.processes.command(venv.program("openapi-spec-validator"));
    validator.arg(&document);
    check(
        context,
        "openapi-spec-validator",
        MENDS,
        validator,
        tally,
        progress,
    )?;

    let node = NodePackages::ready(context, &venv, progress)?;
    let rules = context.root.join("xtask/node");
    let mut spectral = node.command(context, "spectral")?;
    spectral
        .args(["lint", "--fail-severity", "warn", "--ruleset"])
        .arg(rules.join("spectral.yaml"))
        .arg(&document);
    check(context, "spectral", MENDS, spectral, tally, progress)?;
    let mut redocly = node.command(context, "redocly")?;
    redocly
        .arg("lint")
        .arg("--config")
        .arg(rules.join("redocly.yaml"))
        .arg(&document);
    // It would ask the network for a newer version of itself, and tell how it is used.
    redocly
        .env("REDOCLY_TELEMETRY", "off")
        .env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true");
    check(context, "redocly", MENDS, redocly, tally, progress)?;
    typescript(context, &node, tally, progress)?;
    progress.set_note(format!("Node {}", node.version()));
    Ok(())
}

/// How the program is checked: with no types but those of the document.
const TYPESCRIPT: &str = r#"{
  "compilerOptions": { "strict": true, "noEmit": true, "module": "nodenext", "types": [] },
  "files": ["client.ts"]
}
"#;

/// Types generated from the document, and a program that uses them.
fn typescript(
    context: &Context,
    node: &NodePackages,
    tally: &mut Tally,
    progress: &Progress,
) -> anyhow::Result<()> {
    let folder = context.state().join("openapi");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    fs::copy(
        context.root.join("xtask/node/client.ts"),
        folder.join("client.ts"),
    )?;
    fs::write(folder.join("tsconfig.json"), TYPESCRIPT)?;
    let mut generate = node.command(context, "openapi-typescript")?;
    generate
        .arg(context.root.join(DOCUMENT))
        .arg("--output")
        .arg(folder.join("stepgate.ts"))
        // What has a default need not be sent.
        .arg("--default-non-nullable=false");
    check(context, "openapi-typescript", MENDS, generate, tally, progress)?;
    let mut compile = node.command(context, "tsc")?;
    compile.arg("--project").arg(&folder);
    check(
        context,
        "tsc",
        "xtask/node/client.ts, or the document",
        compile,
        tally,
        progress,
    )
}
