//! Start and calls of the functions.

use crate::bare::Bare;
use crate::function::Function;
use crate::measured::Measured;
use crate::stage::Stage;
use anyhow::ensure;
use clap::Args;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A name, what to start, the event, and whether the answer is the right one.
type Job = (&'static str, Vec<String>, Value, fn(&Value) -> bool);

/// What the cold measurement is told.
#[derive(Args)]
pub(crate) struct Cold {
    /// Folder with `challenge` and `verify`.
    #[arg(long)]
    functions: PathBuf,
    /// A function that does nothing.
    #[arg(long)]
    empty: PathBuf,
    /// The program `node`.
    #[arg(long)]
    node: PathBuf,
    /// Folder with `challenge.mjs` and `verify.mjs`.
    #[arg(long)]
    node_functions: PathBuf,
    /// Starts of each.
    #[arg(long)]
    starts: u32,
}

/// What the warm measurement is told.
#[derive(Args)]
pub(crate) struct Warm {
    /// Folder with `challenge` and `verify`.
    #[arg(long)]
    functions: PathBuf,
    /// A function that does nothing.
    #[arg(long)]
    empty: PathBuf,
    /// Calls of each.
    #[arg(long)]
    calls: u32,
}

/// Calls after which a process is taken to be warm.
const WARM_UP: u32 = 200;

fn program(path: &Path) -> Vec<String> {
    vec![path.display().to_string()]
}

/// Whether *create* made a challenge.
fn offered(answer: &Value) -> bool {
    answer["response"]["publicChallengeParameters"]["authorize_url"].is_string()
}

/// Whether *verify* said yes.
fn passed(answer: &Value) -> bool {
    answer["response"]["answerCorrect"] == true
}

/// Start to ready, start to the first answer, and memory, each in turns.
pub(crate) async fn cold(options: &Cold) -> anyhow::Result<Measured> {
    let stage = Stage::start().await?;
    let environment = stage.environment();
    let node = |file: &str| {
        let script = options.node_functions.join(file);
        vec![options.node.display().to_string(), script.display().to_string()]
    };
    let mut measured = Measured::default();
    for round in 0..=options.starts {
        let jobs: [Job; 4] = [
            (
                "challenge",
                program(&options.functions.join("challenge")),
                Stage::create(),
                offered,
            ),
            ("challenge node", node("challenge.mjs"), Stage::create(), offered),
            (
                "verify",
                program(&options.functions.join("verify")),
                stage.verify(round),
                passed,
            ),
            ("verify node", node("verify.mjs"), stage.verify(round), passed),
        ];
        for (name, program, event, right) in jobs {
            let mut function = Function::start(&program, &environment).await?;
            let ready = function.ready().await?;
            let (answer, _, first) = function.invoke(&event).await?;
            ensure!(right(&answer), "{name} answered {answer}");
            // The first round brings files into the page cache and is not counted.
            if round > 0 {
                measured.add_ms(&format!("{name} ready"), ready);
                measured.add_ms(&format!("{name} first answer"), first);
                if let Some(kib) = function.peak_kib() {
                    measured.add(&format!("{name} memory"), kib / 1_024.0);
                }
            }
        }
        let mut empty = Function::start(&program(&options.empty), &environment).await?;
        let ready = empty.ready().await?;
        if round > 0 {
            measured.add_ms("empty ready", ready);
        }
    }
    Ok(measured)
}

/// Calls of running functions.
pub(crate) async fn warm(options: &Warm) -> anyhow::Result<Measured> {
    let stage = Stage::start().await?;
    let environment = stage.environment();
    let mut challenge = Function::start(&program(&options.functions.join("challenge")), &environment).await?;
    let mut verify = Function::start(&program(&options.functions.join("verify")), &environment).await?;
    let mut empty = Function::start(&program(&options.empty), &environment).await?;
    let bare = Bare::new(&stage.address).await?;
    let mut measured = Measured::default();
    for call in 0..options.calls + WARM_UP {
        let (_, nothing, _) = empty.invoke(&Stage::define()).await?;
        let (defined, define, _) = challenge.invoke(&Stage::define()).await?;
        ensure!(
            defined["response"]["challengeName"] == "CUSTOM_CHALLENGE",
            "define answered {defined}"
        );
        let (made, create, _) = challenge.invoke(&Stage::create()).await?;
        ensure!(offered(&made), "create answered {made}");
        let (judged, verified, _) = verify.invoke(&stage.verify(call)).await?;
        ensure!(passed(&judged), "verify answered {judged}");
        let begun = Instant::now();
        bare.round(call).await?;
        let bare_calls = begun.elapsed();
        if call >= WARM_UP {
            measured.add_ms("empty", nothing);
            measured.add_ms("define", define);
            measured.add_ms("create", create);
            measured.add_ms("verify", verified);
            measured.add_ms("bare calls", bare_calls);
        }
    }
    Ok(measured)
}
