//! `attacks`: runs the attack catalogue against a tenant and prints what became of each row.

use anyhow::Context as _;
use attacks::bench::Bench;
use attacks::report::{self, Line, Verdict};
use attacks::rows::Row;
use attacks::target::TargetFile;
use chrono::Utc;
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs the attack catalogue against a tenant. Exit code 1 when an attack gets through or is not built, or when every row was skipped.
#[derive(Debug, Parser)]
#[command(name = "attacks", version)]
struct Arguments {
    /// The tenant: a JSON file as `cargo xtask demo --json FILE` writes it, or the tenant's address in the API
    /// (https://HOST/v1/tenants/tnt_…); may be given several times.
    ///
    /// From the environment come STEPGATE_API_KEY (partner administrator) or STEPGATE_OPERATOR_KEY (which makes a partner administrator's
    /// key for two hours, and revokes it in the end),
    /// STEPGATE_OTHER_PARTNER_API_KEY (administrator of another partner, for A24), the AWS
    /// credentials of the tenant's account (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN), and
    /// STEPGATE_TEST_PYTHON (a virtual environment with the emulator, for A22 and A32) and STEPGATE_TEST_NODE (Node, for A20
    /// and A21, where it is not on the PATH). A row that lacks something is
    /// skipped and says why. Users, app clients and policies are made on the tenant and stay there.
    #[arg(long, value_name = "FILE|URL", required = true, num_args = 1..)]
    target: Vec<String>,
    /// Writes `[{id, name, refused, reason, duration_ms}]` to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Runs only these rows (A01,A02,…).
    #[arg(long, value_name = "ID", value_delimiter = ',')]
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

#[expect(
    clippy::disallowed_methods,
    reason = "a program against live systems: the clock is theirs"
)]
async fn run(arguments: Arguments) -> anyhow::Result<bool> {
    let rows = report::select(&arguments.rows)?;
    let mut lines: Vec<Line> = Vec::new();
    for target in &arguments.target {
        let target_file = TargetFile::find(target, Utc::now()).await?;
        let attacked = attack(target, target_file.clone(), &rows, &mut lines).await;
        target_file
            .give_back()
            .await
            .context("the key that was made for this run is not revoked; it expires within two hours")?;
        attacked?;
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
    if lines.iter().all(|line| line.verdict == Verdict::Skipped) {
        say("nothing was tried: give what the rows ask for in the last column");
        return Ok(false);
    }
    Ok(!lines.iter().any(|line| line.verdict.is_failure()))
}

/// Runs the rows against one tenant.
async fn attack(
    name: &str,
    target: TargetFile,
    rows: &[&'static Row],
    lines: &mut Vec<Line>,
) -> anyhow::Result<()> {
    let bench = Bench::new(target)?;
    say(&format!("{name}: {}", bench.target.tenant_id));
    for row in rows {
        let line = report::run_row(&bench, row).await;
        say(&report::text(&line));
        lines.push(line);
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the result of a command-line tool")]
fn say(text: &str) {
    println!("{text}");
}
