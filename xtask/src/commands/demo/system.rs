//! Starts what the system consists of: Postgres, the AWS emulator, the BlockID simulator, API, worker and a cell.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::Signal;
use serde_json::Value;

use super::app;
use super::report::Report;
use crate::artifacts;
use crate::context::Context;
use crate::http;
use crate::process::{MARKER, Service};
use crate::random::{random_base64, random_hex};
use crate::services::Services;
use crate::services::ministack::MiniStack;
use crate::services::ports::{Listener, Ports};
use crate::services::postgres::Postgres;
use crate::tools::Tools;
use crate::tools::python::Venv;
use crate::ui::Progress;

const DATABASE: &str = "stepgate_demo";
/// The emulator's own region: calls without a signature, as a client's sign-in makes them, go there.
pub(super) const AWS_REGION: &str = "us-east-1";
/// The emulator takes any credentials and puts these into its default account, where unsigned calls go too.
pub(super) const AWS_ACCESS_KEY_ID: &str = "stepgate-demo";
pub(super) const AWS_SECRET_ACCESS_KEY: &str = "not-a-secret";
/// The simulator's seeded client and community.
pub(super) const BLOCKID_CLIENT_ID: &str = "demo-client";
pub(super) const BLOCKID_COMMUNITY: &str = "default";

/// The running system.
pub(super) struct System {
    pub(super) venv: Venv,
    pub(super) api_url: String,
    pub(super) aws_endpoint_url: String,
    /// Host and port, which is what a tenant's DNS name is here.
    pub(super) blockid_host: String,
    pub(super) blockid_client_secret: String,
    pub(super) operator_key: String,
    /// Where the demonstration's app will listen.
    pub(super) page_port: u16,
}

impl System {
    /// Starts everything, a step each.
    pub(super) fn start(context: &Context, ports: &Ports, report: &mut Report) -> anyhow::Result<Self> {
        let tools = report.step(context, "tools", |progress| Tools::ready(context, progress))?;
        let postgres = report.step(context, "Postgres", |progress| {
            Postgres::start(context, &tools.postgres, ports, progress)
        })?;
        let ministack = report.step(context, "MiniStack", |progress| {
            MiniStack::start(context, &tools.venv, ports, progress)
        })?;
        report.step(context, "trigger build", |progress| {
            artifacts::build_for_host(context, progress)
        })?;
        report.step(context, "service build", |progress| {
            artifacts::build_programs(context, progress)
        })?;
        Self::start_around(context, ports, &tools.venv, (&postgres, &ministack), report)
    }

    /// Starts everything but Postgres and the emulator, which run, and without building.
    pub(super) fn start_around(
        context: &Context,
        ports: &Ports,
        venv: &Venv,
        (postgres, ministack): (&Postgres, &MiniStack),
        report: &mut Report,
    ) -> anyhow::Result<Self> {
        let page_port = ports.choose(Listener::DemoApp)?;
        let blockid_client_secret = random_hex(16)?;
        let blockid_host = report.step(context, "simulator", |progress| {
            start_simulator(context, ports, &blockid_client_secret, page_port, progress)
        })?;
        let api_port = ports.choose(Listener::Api)?;
        let api_url = format!("http://127.0.0.1:{api_port}");
        let service = ServiceProgram {
            context,
            program: context.target().join("debug/stepgate"),
            postgres,
            database: DATABASE,
            encryption_key: random_base64(32)?,
            api_port,
            aws_endpoint_url: ministack.url(),
            aws_access_key_id: AWS_ACCESS_KEY_ID.to_owned(),
        };
        report.step(context, "migrations", |progress| service.migrate(progress))?;
        report.step(context, "API", |progress| service.start_api(&api_url, progress))?;
        report.step(context, "worker", |progress| service.start_worker(progress))?;
        report.step(context, "cell bootstrap", |progress| {
            service.bootstrap_cell(progress)
        })?;
        let operator_key = report.step(context, "operator key", |_| service.bootstrap_operator_key())?;

        let console_path = report.step(context, "console link", |_| service.console_link())?;

        report.api_url = Some(api_url.clone());
        report.console_url = Some(format!("{api_url}{console_path}"));
        report.operator_key = Some(operator_key.clone());
        report.aws_endpoint_url = Some(ministack.url());
        report.aws_region = Some(AWS_REGION.to_owned());
        report.blockid_url = Some(format!("http://{blockid_host}"));
        let aws_endpoint_url = ministack.url();
        Ok(Self {
            venv: venv.clone(),
            api_url,
            aws_endpoint_url,
            blockid_host,
            blockid_client_secret,
            operator_key,
            page_port,
        })
    }

    /// Gives a program the emulator as its AWS.
    pub(super) fn point_to_aws(&self, command: &mut Command) {
        point_to_aws(command, &self.aws_endpoint_url);
    }
}

/// The API with a cell and without a worker, for as many requests as come.
pub(crate) struct ApiAlone<'a> {
    pub(crate) api_url: String,
    pub(crate) operator_key: String,
    service: ServiceProgram<'a>,
}

impl<'a> ApiAlone<'a> {
    /// Starts `program` on a database of its own.
    pub(crate) fn start(
        context: &'a Context,
        services: &'a Services,
        (program, database): (PathBuf, &'static str),
        variables: &[(&str, &str)],
        progress: &Progress,
    ) -> anyhow::Result<Self> {
        let service = ServiceProgram {
            context,
            program,
            postgres: &services.postgres,
            database,
            encryption_key: random_base64(32)?,
            api_port: Ports::free().choose(Listener::Api)?,
            aws_endpoint_url: services.ministack.url(),
            aws_access_key_id: AWS_ACCESS_KEY_ID.to_owned(),
        };
        progress.detail("migrating");
        service.migrate(progress)?;
        service.bootstrap_cell(progress)?;
        let mut serve = service.command(&["serve"]);
        serve
            .env("STEPGATE_RATE_LIMIT_PER_MIN", "0")
            .envs(variables.iter().copied());
        service.start(database, serve, database)?;
        let api_url = format!("http://127.0.0.1:{}", service.api_port);
        let ready = format!("{api_url}/readyz");
        context
            .processes
            .wait_ready(database, Duration::from_secs(30), || http::answers(&ready))?;
        Ok(Self {
            operator_key: service.bootstrap_operator_key()?,
            api_url,
            service,
        })
    }

    /// Another program with the service's environment.
    pub(crate) fn command(&self, program: &Path) -> Command {
        self.service.configured(program, &[])
    }

    /// SQL as the schema's owner.
    pub(crate) fn psql(&self) -> Command {
        self.service.postgres.psql(self.service.database)
    }
}

pub(crate) fn start_simulator(
    context: &Context,
    ports: &Ports,
    client_secret: &str,
    page_port: u16,
    progress: &Progress,
) -> anyhow::Result<String> {
    const NAME: &str = "BlockID simulator";
    let port = ports.choose(Listener::BlockId)?;
    let host = format!("127.0.0.1:{port}");
    let mut command = context
        .processes
        .command(context.target().join("debug/blockid-sim"));
    command
        .args(["--listen", &host])
        .args(["--redirect-uri", &app::return_url(page_port)])
        .env("BLOCKID_SIM_CLIENT_SECRET", client_secret);
    let log = context.log("blockid-sim");
    let (stop_signal, stop_within) = (Signal::SIGTERM, Duration::from_secs(5));
    context.processes.start(Service {
        name: NAME,
        command,
        log,
        stop_signal,
        stop_within,
    })?;
    let discovery = format!("http://{host}/caas/sd");
    context
        .processes
        .wait_ready(NAME, Duration::from_secs(20), || http::answers(&discovery))?;
    progress.set_note(format!("http://{host}"));
    Ok(host)
}

/// The program `stepgate` and what it is configured with.
pub(crate) struct ServiceProgram<'a> {
    pub(crate) context: &'a Context,
    pub(crate) program: PathBuf,
    pub(crate) postgres: &'a Postgres,
    pub(crate) database: &'static str,
    /// The database lives as long as this.
    pub(crate) encryption_key: String,
    pub(crate) api_port: u16,
    pub(crate) aws_endpoint_url: String,
    pub(crate) aws_access_key_id: String,
}

impl ServiceProgram<'_> {
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.configured(&self.program, arguments)
    }

    fn configured(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = self.context.processes.command(program);
        // What is exported in the user's shell must not reach a system that is to be the same everywhere.
        for (name, _) in env::vars_os() {
            let name_text = name.to_string_lossy();
            let is_ours = name_text.starts_with("STEPGATE_") && name_text != MARKER;
            if is_ours || name_text.to_ascii_lowercase().ends_with("_proxy") {
                command.env_remove(&name);
            }
        }
        point_to_aws(&mut command, &self.aws_endpoint_url);
        command
            .env("AWS_ACCESS_KEY_ID", &self.aws_access_key_id)
            .env("STEPGATE_DATABASE_URL", self.postgres.url(self.database))
            .env("STEPGATE_LISTEN", format!("127.0.0.1:{}", self.api_port))
            .env("STEPGATE_DEV_INSECURE_LOOPBACK", "1")
            .env("STEPGATE_WORKER_POLL_MS", "250")
            .env("STEPGATE_ENCRYPTION_KEY", &self.encryption_key)
            .env("STEPGATE_ALLOWED_WEBHOOK_NETWORKS", "127.0.0.1/32")
            .env(
                "STEPGATE_CONSOLE_ORIGIN",
                format!("http://127.0.0.1:{}", self.api_port),
            )
            .env("STEPGATE_CONSOLE_DEMO_LINK", "1")
            .current_dir(&self.context.root)
            .args(arguments);
        command
    }

    pub(crate) fn migrate(&self, progress: &Progress) -> anyhow::Result<()> {
        self.postgres.create_database(self.context, self.database)?;
        let log = self.context.fresh_log("migrate")?;
        self.context
            .processes
            .run("stepgate migrate", self.command(&["migrate"]), &log, progress)
    }

    fn start_api(&self, api_url: &str, progress: &Progress) -> anyhow::Result<()> {
        const NAME: &str = "stepgate serve";
        self.start(NAME, self.command(&["serve"]), "api")?;
        let ready = format!("{api_url}/readyz");
        self.context
            .processes
            .wait_ready(NAME, Duration::from_secs(30), || http::answers(&ready))?;
        progress.set_note(api_url);
        Ok(())
    }

    fn start_worker(&self, progress: &Progress) -> anyhow::Result<()> {
        self.start("stepgate worker", self.command(&["worker"]), "worker")?;
        progress.set_note("claims what the API asks for");
        Ok(())
    }

    pub(crate) fn start(&self, name: &'static str, command: Command, log: &str) -> anyhow::Result<()> {
        let log = self.context.log(log);
        let (stop_signal, stop_within) = (Signal::SIGTERM, Duration::from_secs(15));
        self.context.processes.start(Service {
            name,
            command,
            log,
            stop_signal,
            stop_within,
        })
    }

    /// The cell's shared stack in the emulator, and the trigger artifacts in its bucket.
    pub(crate) fn bootstrap_cell(&self, progress: &Progress) -> anyhow::Result<()> {
        let artifacts = self.context.state().join("artifacts").display().to_string();
        let architecture = artifacts::architecture_of_host();
        let command = self.command(&[
            "cell",
            "apply",
            "--name",
            "demo",
            "--region",
            AWS_REGION,
            "--architecture",
            architecture,
            "--artifacts",
            &artifacts,
            "--allowed-provider-network",
            "127.0.0.1/32",
        ]);
        let log = self.context.fresh_log("cell-apply")?;
        self.context
            .processes
            .run("stepgate cell apply", command, &log, progress)?;
        progress.set_note(format!("{AWS_REGION}, {architecture}"));
        Ok(())
    }

    /// Path of a page that signs an operator in to the console, once.
    fn console_link(&self) -> anyhow::Result<String> {
        let text = self
            .context
            .processes
            .text("stepgate console link", &mut self.command(&["console", "link"]))?;
        let answer: Value =
            serde_json::from_str(&text).context("`stepgate console link` did not print JSON")?;
        Ok(answer["path"]
            .as_str()
            .context("`stepgate console link` printed no path")?
            .to_owned())
    }

    pub(crate) fn bootstrap_operator_key(&self) -> anyhow::Result<String> {
        let text = self.context.processes.text(
            "stepgate keys bootstrap",
            &mut self.command(&["keys", "bootstrap"]),
        )?;
        let answer: Value =
            serde_json::from_str(&text).context("`stepgate keys bootstrap` did not print JSON")?;
        Ok(answer["key"]
            .as_str()
            .context("`stepgate keys bootstrap` printed no key")?
            .to_owned())
    }
}

fn point_to_aws(command: &mut Command, endpoint_url: &str) {
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(&name);
        }
    }
    command
        .env("AWS_ENDPOINT_URL", endpoint_url)
        .env("AWS_REGION", AWS_REGION)
        .env("AWS_DEFAULT_REGION", AWS_REGION)
        .env("AWS_ACCESS_KEY_ID", AWS_ACCESS_KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", AWS_SECRET_ACCESS_KEY)
        .env("AWS_EC2_METADATA_DISABLED", "true");
}
