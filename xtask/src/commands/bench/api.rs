//! `api-read` and `api-write`: requests to a running API, in turns with pgbench and the same statements.

use std::cell::Cell;
use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;

use super::Scale;
use super::measured::Measured;
use super::row::{Row, Target};
use super::service::Stand;
use super::statements::{self, Statement};
use super::statistics::Series;
use crate::context::Context;
use crate::services::Services;
use crate::ui::Progress;

const CONNECTIONS: usize = 32;
/// Part of the highest rate at which times are taken.
const LOAD: f64 = 0.7;

/// `GET` of a tenant.
pub(super) fn read(
    context: &Context,
    services: &Services,
    scale: Scale,
    progress: &Progress,
) -> anyhow::Result<Vec<Row>> {
    // The last is asked while the statements are logged.
    let stand = Stand::start(context, services, "bench_read", CONNECTIONS + 1, progress)?;
    let paths: Vec<String> = stand
        .tenants
        .iter()
        .map(|(tenant, _)| format!("/v1/tenants/{tenant}"))
        .collect();
    let once = |path: &String| {
        Measured::by(
            context,
            "api-read",
            &mut stand.load(std::slice::from_ref(path), 1, 1),
        )
        .map(drop)
    };
    let script = script(context, &stand, || once(&paths[CONNECTIONS]), progress)?;
    let runs = Runs {
        context,
        services,
        stand: &stand,
        scripts: vec![script; CONNECTIONS],
        database: "bench_read",
    };
    let load = |lasting_ms| stand.load(&paths[..CONNECTIONS], CONNECTIONS, lasting_ms);
    let rates = runs.in_turns(
        "api-read",
        scale,
        |lasting_ms| Measured::by(context, "api-read", &mut load(lasting_ms)),
        progress,
    )?;
    progress.detail("at a steady rate");
    let mut steady = load(scale.choose(15_000, 300));
    steady.args(["--rate", &(rates.ours.median() * LOAD).to_string()]);
    let steady = Measured::by(context, "api-read", &mut steady)?;
    Ok(vec![
        rates.row("api-read").aims_at(Target::RatioAtLeast(0.6)),
        Row::alone("api-read p99 at 70 % of that rate", steady.fact("p99_ms")?, "ms")
            .beside_figure("its p50", steady.fact("p50_ms")?)
            .aims_at(Target::RatioAtMost(5.0)),
    ])
}

/// Two documents that are written in turns, so that each write changes something.
const POLICIES: [&str; 2] = [
    r#"{"schema_version":1,"rules":[],"default":{"step_up":"required","methods":["liveID push","otp sms","otp email","otp"],"attempts":1}}"#,
    r#"{"schema_version":1,"rules":[],"default":{"step_up":"required","methods":["liveID push","otp sms","otp email","otp"],"attempts":2}}"#,
];

/// `PUT` of a policy with `If-Match`, audited and announced to the worker.
pub(super) fn write(
    context: &Context,
    services: &Services,
    scale: Scale,
    progress: &Progress,
) -> anyhow::Result<Vec<Row>> {
    // Those that pgbench writes follow those that are written through the API.
    let stand = Stand::start(context, services, "bench_write", 2 * CONNECTIONS + 1, progress)?;
    let path = |(tenant, app): &(String, String)| format!("/v1/tenants/{tenant}/apps/{app}/policy");
    let paths: Vec<String> = stand.tenants.iter().map(path).collect();
    let put = |paths: &[String], lasting_ms: u64| {
        let mut command = stand.load(paths, CONNECTIONS, lasting_ms);
        command.args(POLICIES.map(|policy| format!("--put={policy}")));
        Measured::by(context, "api-write", &mut command)
    };
    let last = 2 * CONNECTIONS;
    let written = Cell::new(0_usize);
    let once = || {
        let version = written.get();
        written.set(version + 1);
        let mut command = stand.load(&paths[last..], 1, 1);
        command
            .arg(format!("--put={}", POLICIES[version % 2]))
            .arg(format!("--etag=\"{}\"", version + 1));
        Measured::by(context, "api-write", &mut command).map(drop)
    };
    let script = script(context, &stand, once, progress)?;
    let scripts = stand.tenants[CONNECTIONS..last].iter().map(|(tenant, app)| {
        let (logged_tenant, logged_app) = &stand.tenants[last];
        script.replace(logged_tenant, tenant).replace(logged_app, app)
    });
    let runs = Runs {
        context,
        services,
        stand: &stand,
        scripts: scripts.collect(),
        database: "bench_write",
    };
    let rates = runs.in_turns(
        "api-write",
        scale,
        |lasting_ms| put(&paths[..CONNECTIONS], lasting_ms),
        progress,
    )?;
    Ok(vec![rates.row("api-write").aims_at(Target::RatioAtLeast(0.6))])
}

/// Rates of both sides.
struct Rates {
    ours: Series,
    limit: Series,
}

impl Rates {
    fn row(&self, name: &str) -> Row {
        Row::of(&format!("{name} over 32 connections"), &self.ours, "requests/s")
            .beside("pgbench", &self.limit)
    }
}

/// What is run in turns.
struct Runs<'a> {
    context: &'a Context,
    services: &'a Services,
    stand: &'a Stand<'a>,
    /// One a client of pgbench.
    scripts: Vec<String>,
    database: &'a str,
}

impl Runs<'_> {
    fn in_turns(
        &self,
        name: &str,
        scale: Scale,
        ours: impl Fn(u64) -> anyhow::Result<Measured>,
        progress: &Progress,
    ) -> anyhow::Result<Rates> {
        let folder = self.context.state().join("bench").join(name);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        for (client, script) in self.scripts.iter().enumerate() {
            fs::write(folder.join(format!("{client}.sql")), script)?;
        }
        let (rounds, lasting_s) = scale.choose((7, 5), (1, 1));
        let (mut rates, mut limits) = (Vec::new(), Vec::new());
        for round in 0..=rounds {
            progress.detail(format!("round {round} of {rounds}"));
            self.stand.sql(self.context, "VACUUM ANALYZE")?;
            let rate = ours(lasting_s * 1_000)?.fact("rate")?;
            let limit = self.pgbench(&folder, round, lasting_s)?;
            // The first round warms both up and is not counted.
            if round > 0 {
                rates.push(rate);
                limits.push(limit);
            }
        }
        let series = |samples| Series::new(samples).context("no rounds");
        Ok(Rates {
            ours: series(rates)?,
            limit: series(limits)?,
        })
    }

    /// Transactions a second of all clients. A process each, because each has a script of its own.
    fn pgbench(&self, folder: &Path, round: u64, lasting_s: u64) -> anyhow::Result<f64> {
        let start = |client: usize| {
            let mut pgbench = self.services.postgres.pgbench(self.database);
            pgbench
                .args(["-n", "-M", "prepared", "-c", "1", "-T", &lasting_s.to_string()])
                .args([
                    "-D",
                    &format!("c={client}"),
                    "-D",
                    &format!("k={}", round * 1_000_000),
                ])
                .arg("-f")
                .arg(folder.join(format!("{client}.sql")))
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            pgbench.spawn().context("cannot start pgbench")
        };
        let clients: Vec<Child> = (0..self.scripts.len())
            .map(start)
            .collect::<anyhow::Result<_>>()?;
        let mut rate = 0.0;
        for client in clients {
            let output = client.wait_with_output()?;
            let printed = String::from_utf8_lossy(&output.stdout);
            let failed = || format!("pgbench: {printed}{}", String::from_utf8_lossy(&output.stderr));
            anyhow::ensure!(output.status.success(), failed());
            rate += transactions_a_second(&printed).with_context(failed)?;
        }
        Ok(rate)
    }
}

/// `tps = 123.4 (without initial connection time)`
fn transactions_a_second(printed: &str) -> Option<f64> {
    let line = printed.lines().find_map(|line| line.strip_prefix("tps = "))?;
    line.split(' ').next()?.parse().ok()
}

/// The script of what a request does to the database, from the server's log of two.
fn script(
    context: &Context,
    stand: &Stand<'_>,
    request: impl Fn() -> anyhow::Result<()>,
    progress: &Progress,
) -> anyhow::Result<String> {
    progress.detail("reading the statements");
    // Connections look types up when they first meet them.
    for _ in 0..3 {
        request()?;
    }
    let log = context.log("postgres");
    let set = |statement: &str| -> anyhow::Result<()> {
        stand.sql(context, statement)?;
        stand.sql(context, "SELECT pg_reload_conf()")?;
        thread::sleep(Duration::from_millis(500));
        Ok(())
    };
    set("ALTER SYSTEM SET log_statement = 'all'")?;
    let logged = || -> anyhow::Result<Vec<Statement>> {
        let before = fs::metadata(&log)?.len();
        request()?;
        thread::sleep(Duration::from_millis(500));
        let mut file = fs::File::open(&log)?;
        file.seek(SeekFrom::Start(before))?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(statements::read(&text))
    };
    let (first, second) = (logged()?, logged()?);
    set("ALTER SYSTEM RESET log_statement")?;
    let script = statements::script(&first, &second);
    script
        .with_context(|| format!("two requests of a kind ran different statements:\n{first:#?}\n{second:#?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_found_in_what_pgbench_prints() {
        let printed = "latency average = 0.5 ms\ntps = 1234.567 (without initial connection time)\n";
        assert_eq!(transactions_a_second(printed), Some(1_234.567));
        assert_eq!(transactions_a_second("pgbench: error"), None);
    }
}
