//! `attacks`: runs the attack catalogue against a tenant and prints what became of each row.

use attacks::bench::Bench;
use attacks::report::{self, Line, Verdict};
use attacks::target::TargetFile;
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs the attack catalogue against a tenant. Exit code 1 when an attack gets through or is not built.
#[derive(Debug, Parser)]
#[command(name = "attacks", version)]
struct Arguments {
    /// JSON file that describes the tenant, as `cargo xtask demo --json FILE` writes it. The API key may be
    /// given in STEPGATE_API_KEY, AWS credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Rows that
    /// need more than the file gives are skipped.
    #[arg(long, value_name = "FILE")]
    target: PathBuf,
    /// Writes `[{id, name, refused, reason, duration_ms}]` to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Runs only these rows (A01, A02, …).
    rows: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("attacks: {error:#}"));
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<bool> {
    let bench = Bench::new(TargetFile::read(&arguments.target)?)?;
    let mut lines: Vec<Line> = Vec::new();
    for row in report::select(&arguments.rows)? {
        let line = report::run_row(&bench, row).await;
        say(&report::text(&line));
        lines.push(line);
    }
    if let Some(path) = &arguments.json {
        std::fs::write(path, report::json(&lines)?)?;
    }
    let count = |verdict: Verdict| lines.iter().filter(|line| line.verdict == verdict).count();
    say(&format!(
        "{} refused, {} got through, {} not built, {} failed, {} skipped",
        count(Verdict::Refused),
        count(Verdict::GotThrough),
        count(Verdict::NotBuilt),
        count(Verdict::Failed),
        count(Verdict::Skipped)
    ));
    Ok(!lines.iter().any(|line| line.verdict.is_failure()))
}

#[expect(clippy::print_stdout, reason = "the result of a command-line tool")]
fn say(text: &str) {
    println!("{text}");
}
