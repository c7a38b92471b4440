//! A throw-away Postgres on loopback: fresh cluster, random password, no durability.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::signal::Signal;

use crate::context::Context;
use crate::process::Service;
use crate::random::random_hex;
use crate::services::ports::{Listener, Ports};
use crate::services::postgres_home::PostgresHome;
use crate::tools::postgres_binaries::PostgresBinaries;
use crate::ui::Progress;

const NAME: &str = "Postgres";
/// How long a killed server may take to come back, how often it is asked in one try, and the pause between.
const RECOVERED_WITHIN: Duration = Duration::from_mins(1);
const LOOKS: u32 = 100;
const LOOK_PAUSE: Duration = Duration::from_millis(50);
const SUPERUSER: &str = "postgres";
/// Nothing here survives a restart, so nothing has to reach the disk.
const SETTINGS: [&str; 9] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=300",
    "max_wal_size=2GB",
    "checkpoint_timeout=30min",
    "timezone=UTC",
];

/// A running cluster.
pub(crate) struct Postgres {
    pub(crate) port: u16,
    password: String,
    psql: PathBuf,
}

impl Postgres {
    pub(crate) fn start(
        context: &Context,
        binaries: &PostgresBinaries,
        ports: &Ports,
        progress: &Progress,
    ) -> anyhow::Result<Self> {
        let home = PostgresHome::open(context)?;
        let data = home.folder.join("data");
        let password = random_hex(16)?;
        progress.detail("initdb");
        make_cluster(context, binaries, &home, &data, &password, progress)?;
        let port = ports.choose(Listener::Postgres)?;
        let postgres = Self {
            port,
            password,
            psql: binaries.bin.join("psql"),
        };
        postgres.run(context, binaries)?;
        progress.detail("waiting until it answers");
        context
            .processes
            .wait_ready(NAME, Duration::from_secs(30), || postgres.answers())?;
        progress.set_note(format!("{} on 127.0.0.1:{port}", binaries.version));
        Ok(postgres)
    }

    /// Starts the server on its cluster, as it was left.
    fn run(&self, context: &Context, binaries: &PostgresBinaries) -> anyhow::Result<()> {
        let home = PostgresHome::open(context)?;
        let data = home.folder.join("data");
        let mut command = context
            .processes
            .command_as(binaries.bin.join("postgres"), home.user, "INT");
        command
            .arg("-D")
            .arg(&data)
            .args(["-p", &self.port.to_string()])
            .current_dir(&home.folder);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        let log = context.log("postgres");
        let (stop_signal, stop_within) = (Signal::SIGINT, Duration::from_secs(10));
        context.processes.start(Service {
            name: NAME,
            command,
            log,
            stop_signal,
            stop_within,
        })
    }

    fn answers(&self) -> bool {
        self.psql("postgres")
            .args(["-c", "select 1"])
            .output()
            .is_ok_and(|output| output.status.success())
    }

    /// Kills the server as a crash would, and starts it again on the same port until it has recovered.
    pub(crate) fn kill_and_restart(
        &self,
        context: &Context,
        binaries: &PostgresBinaries,
    ) -> anyhow::Result<()> {
        context.processes.kill(NAME);
        let begun = Instant::now();
        while begun.elapsed() < RECOVERED_WITHIN {
            // Its children notice the end by themselves; until the last has gone a new server does not start.
            self.run(context, binaries)?;
            for _ in 0..LOOKS {
                thread::sleep(LOOK_PAUSE);
                if self.answers() {
                    return Ok(());
                }
                if context.processes.has_ended(NAME) {
                    break;
                }
            }
            context.processes.kill(NAME);
        }
        bail!("Postgres did not recover within {} s", RECOVERED_WITHIN.as_secs())
    }

    /// URL of a database for the superuser.
    pub(crate) fn url(&self, database: &str) -> String {
        format!(
            "postgres://{SUPERUSER}:{}@127.0.0.1:{}/{database}",
            self.password, self.port
        )
    }

    /// `psql` on a database, stopping at the first error. The password is not an argument: arguments are public.
    pub(crate) fn psql(&self, database: &str) -> Command {
        let port = self.port.to_string();
        let mut command = Command::new(&self.psql);
        command.args([
            "-X",
            "-q",
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-U",
            SUPERUSER,
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            database,
        ]);
        command
            .env("PGPASSWORD", &self.password)
            .env("PGCONNECT_TIMEOUT", "5");
        command
    }

    /// `pgbench` on a database, as the role that the service takes.
    pub(crate) fn pgbench(&self, database: &str) -> Command {
        let mut command = Command::new(self.psql.with_file_name("pgbench"));
        command
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", SUPERUSER])
            .env("PGDATABASE", database)
            .env("PGPASSWORD", &self.password)
            .env("PGOPTIONS", "-c role=stepgate_app");
        command
    }

    /// Makes an empty database.
    pub(crate) fn create_database(&self, context: &Context, name: &str) -> anyhow::Result<()> {
        let mut command = self.psql("postgres");
        command.args(["-c", &format!("create database {name}")]);
        context.processes.text("create database", &mut command).map(drop)
    }
}

fn make_cluster(
    context: &Context,
    binaries: &PostgresBinaries,
    home: &PostgresHome,
    data: &Path,
    password: &str,
    progress: &Progress,
) -> anyhow::Result<()> {
    if data.exists() {
        fs::remove_dir_all(data).with_context(|| format!("cannot remove {}", data.display()))?;
    }
    let password_file = home.folder.join("password");
    let _left_by_a_crash = fs::remove_file(&password_file);
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&password_file);
    file.and_then(|mut file| file.write_all(password.as_bytes()))
        .with_context(|| format!("cannot write {}", password_file.display()))?;
    if let Some(user) = home.user {
        chown(&password_file, Some(user.uid), Some(user.gid))?;
    }
    let mut initdb = context
        .processes
        .command_as(binaries.bin.join("initdb"), home.user, "TERM");
    initdb
        .arg("-D")
        .arg(data)
        .arg("--pwfile")
        .arg(&password_file)
        .args(["-U", SUPERUSER, "--no-sync"]);
    initdb.args([
        "--auth-host=scram-sha-256",
        "--auth-local=reject",
        "--encoding=UTF8",
        "--locale=C",
    ]);
    initdb.current_dir(&home.folder).env("LC_ALL", "C");
    let log = context.fresh_log("initdb")?;
    let made = context.processes.run("initdb", initdb, &log, progress);
    fs::remove_file(&password_file).with_context(|| format!("cannot remove {}", password_file.display()))?;
    made
}
