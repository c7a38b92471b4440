//! Workers in front of an AWS with real quotas and latencies: the emulator behind `bench aws`, with an API that asks for
//! tenants and a provider that answers for them.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::programs;
use crate::artifacts;
use crate::commands::demo::api::{ApiClient, text};
use crate::commands::demo::system::{ServiceProgram, start_simulator};
use crate::context::Context;
use crate::http;
use crate::process::Service;
use crate::random::{random_base64, random_hex};
use crate::services::Services;
use crate::services::ports::{Listener, Ports};
use crate::ui::Progress;

const AWS: &str = "bench aws";
const SIMULATOR: &str = "BlockID simulator";

/// A worker that ends with this value.
pub(super) struct Worker {
    pub(super) child: Child,
    /// Its log.
    pub(super) log: PathBuf,
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _reaped_before = self.child.wait();
    }
}

/// Everything but the workers. It ends with this value.
pub(super) struct Fleet<'a> {
    context: &'a Context,
    service: ServiceProgram<'a>,
    /// Folder of the programs.
    pub(super) programs: PathBuf,
    partner: ApiClient,
    blockid: (String, String),
    /// Address of AWS as workers see it.
    aws_url: String,
    /// How long a new stack takes.
    pub(super) stacks_take_ms: u64,
}

/// Quotas of account and region as AWS raises them: with its defaults there is room for 499 tenants in a cell.
fn make_room(operator: &ApiClient) -> anyhow::Result<()> {
    let cells = operator.get("/v1/cells")?;
    let cell = text(&cells, "/items/0/id")?;
    let quotas = json!({ "user_pools": 10_000, "stacks": 10_000, "roles": 5_000 });
    operator
        .patch(&format!("/v1/cells/{cell}"), &json!({ "quotas": quotas }))
        .map(drop)
}

impl<'a> Fleet<'a> {
    pub(super) fn start(
        context: &'a Context,
        services: &'a Services,
        database: &'static str,
        stacks_take_ms: u64,
        progress: &Progress,
    ) -> anyhow::Result<Self> {
        artifacts::build_for_host(context, progress)?;
        artifacts::build_simulator(context, progress)?;
        let programs = programs::service(context, progress)?;
        progress.detail("starting the system");
        let ports = Ports::free();
        let secret = random_hex(16)?;
        let host = start_simulator(
            context,
            &ports,
            &secret,
            ports.choose(Listener::DemoApp)?,
            progress,
        )?;
        let service = ServiceProgram {
            context,
            program: programs.join("stepgate"),
            postgres: &services.postgres,
            database,
            encryption_key: random_base64(32)?,
            api_port: ports.choose(Listener::Api)?,
            aws_endpoint_url: services.ministack.url(),
            // An account of its own on the emulator, which takes twelve digits for one.
            aws_access_key_id: format!("8{:011}", u64::from_str_radix(&random_hex(4)?, 16)?),
        };
        service.migrate(progress)?;
        service.bootstrap_cell(progress)?;
        let operator = service.bootstrap_operator_key()?;
        let mut serve = service.command(&["serve"]);
        serve
            .env("STEPGATE_RATE_LIMIT_PER_MIN", "0")
            .env("STEPGATE_LOG", "warn");
        service.start(database, serve, database)?;
        let api_url = format!("http://127.0.0.1:{}", service.api_port);
        let ready = format!("{api_url}/readyz");
        context
            .processes
            .wait_ready(database, Duration::from_secs(30), || http::answers(&ready))?;
        let operator = ApiClient::new(&api_url, &operator);
        make_room(&operator)?;
        let partner = text(
            &operator.post("/v1/partners", &json!({ "name": "bench" }))?,
            "/id",
        )?;
        let key = json!({ "name": "bench", "role": "partner_admin" });
        let key = text(
            &operator.post(&format!("/v1/partners/{partner}/keys"), &key)?,
            "/key",
        )?;
        let fleet = Self {
            context,
            service,
            partner: ApiClient::new(&api_url, &key),
            blockid: (host, secret),
            aws_url: format!("http://127.0.0.1:{}", ports.choose(Listener::MiniStack)?),
            stacks_take_ms,
            programs,
        };
        fleet.start_aws(&services.ministack.url())?;
        Ok(fleet)
    }

    fn start_aws(&self, upstream: &str) -> anyhow::Result<()> {
        let listen = self.aws_url.trim_start_matches("http://");
        let mut command = self.context.processes.command(self.programs.join("bench"));
        command
            .args(["aws", "--upstream", upstream, "--listen", listen])
            .args(["--stacks-take-ms", &self.stacks_take_ms.to_string()]);
        self.context.processes.start(Service {
            name: AWS,
            command,
            log: self.context.log("bench-aws"),
            stop_signal: Signal::SIGTERM,
            stop_within: Duration::from_secs(5),
        })?;
        let url = format!("{}/_faults", self.aws_url);
        let limit = Duration::from_secs(20);
        self.context
            .processes
            .wait_ready(AWS, limit, || http::answers(&url))
    }

    /// Asks for tenants, each with an app. Nothing is done about it until a worker runs.
    pub(super) fn ask_for(&self, tenants: u32, progress: &Progress) -> anyhow::Result<()> {
        let (host, secret) = &self.blockid;
        for number in 1..=tenants {
            self.context.processes.signals.check()?;
            let body = json!({
                "name": format!("Tenant {number:010}"),
                "blockid": { "tenant_dns": host, "community": "default", "client_id": "demo-client", "client_secret": secret },
            });
            let tenant = text(&self.partner.post("/v1/tenants", &body)?, "/tenant/id")?;
            let app = json!({ "name": "Portal" });
            self.partner.post(&format!("/v1/tenants/{tenant}/apps"), &app)?;
            progress.detail(format!("{number} of {tenants} tenants asked for"));
        }
        Ok(())
    }

    /// Starts a worker, configured as one is by default, with these settings changed.
    pub(super) fn worker(&self, name: &str, settings: &[(&str, &str)]) -> anyhow::Result<Worker> {
        let mut command = self.service.command(&["worker"]);
        command
            .env_remove("STEPGATE_WORKER_POLL_MS")
            .env("AWS_ENDPOINT_URL", &self.aws_url)
            .env("STEPGATE_LOG_FORMAT", "json")
            .envs(settings.iter().copied());
        let log = self.context.log(name);
        let file = fs::File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        command
            .stdout(file.try_clone()?)
            .stderr(file)
            .stdin(Stdio::null());
        let child = command.spawn().context("cannot start a worker")?;
        Ok(Worker { child, log })
    }

    /// Waits until as many rows as these are there; `false` when they are not in time.
    pub(super) fn wait_for(
        &self,
        (count, wanted): (&str, u32),
        limit: Duration,
        workers: &mut [Worker],
        progress: &Progress,
    ) -> anyhow::Result<bool> {
        let mut looks = 0_u32;
        self.context.processes.signals.wait_until(limit, || {
            // A look of ours is not to be work for the processors that are measured.
            looks += 1;
            if looks % 5 != 1 {
                return Ok(false);
            }
            self.context.processes.check_services()?;
            for worker in workers.iter_mut() {
                anyhow::ensure!(
                    worker.child.try_wait()?.is_none(),
                    "a worker ended by itself; see {}",
                    self.context.shown(&worker.log)
                );
            }
            let there: u32 = self.sql(count)?.trim().parse()?;
            progress.detail(format!("{there} of {wanted}"));
            Ok(there >= wanted)
        })
    }

    /// SQL as the schema's owner.
    pub(super) fn sql(&self, statement: &str) -> anyhow::Result<String> {
        let mut psql = self.service.postgres.psql(self.service.database);
        psql.args(["-t", "-A", "-c", statement]);
        self.context.processes.text("psql", &mut psql)
    }

    /// What AWS saw since it began, or since it stands in: JSON.
    pub(super) fn seen(&self) -> anyhow::Result<String> {
        let answer = http::agent(Duration::from_mins(1))
            .get(format!("{}/_seen", self.aws_url))
            .call();
        let mut answer = answer.context("AWS does not tell what it saw")?;
        let body = answer.body_mut().with_config().limit(1024 * 1024 * 1024);
        Ok(body.read_to_string()?)
    }

    /// Has AWS answer for copies of a tenant from now on.
    pub(super) fn stand_in(&self, marks: &Value) -> anyhow::Result<()> {
        let answer = http::agent(Duration::from_mins(1))
            .post(format!("{}/_stand_in", self.aws_url))
            .send_json(marks);
        let status = answer.context("AWS does not answer")?.status();
        anyhow::ensure!(status.is_success(), "AWS does not stand in: {status}");
        Ok(())
    }

    /// A measuring program.
    pub(super) fn bench(&self, arguments: &[&str]) -> Command {
        let mut command = self.context.processes.command(self.programs.join("bench"));
        command.args(arguments);
        command
    }
}

impl Drop for Fleet<'_> {
    fn drop(&mut self) {
        for name in [AWS, SIMULATOR, self.service.database] {
            self.context.processes.kill(name);
        }
    }
}
