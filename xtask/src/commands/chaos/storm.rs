//! The system and what is done to it.

use std::collections::BTreeSet;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::inventory::{Rows, TenantRow};
use crate::commands::demo::api::{ApiClient, text};
use crate::commands::demo::system::{ServiceProgram, start_simulator};
use crate::context::Context;
use crate::http;
use crate::process::Service;
use crate::random::{random_base64, random_hex};
use crate::services::Services;
use crate::services::ports::{Listener, Ports};
use crate::services::postgres::Postgres;
use crate::tools::Tools;
use crate::ui::Progress;

const DATABASE: &str = "stepgate_chaos";
const WORKERS: [&str; 4] = [
    "chaos worker 1",
    "chaos worker 2",
    "chaos worker 3",
    "chaos worker 4",
];
/// Calls of AWS that fail, in thousandths.
const FAILING_PER_MILLE: &str = "50";
/// Between two looks at the clouds.
const LOOK: Duration = Duration::from_millis(100);
/// Looks between two kills of a worker, and of Postgres, on average.
const WORKER_EVERY: u64 = 20;
const POSTGRES_EVERY: u64 = 150;

/// Random numbers that a seed repeats (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// The system under attack.
pub(super) struct Storm<'a> {
    context: &'a Context,
    tools: &'a Tools,
    postgres: &'a Postgres,
    service: ServiceProgram<'a>,
    partner: ApiClient,
    proxy_url: String,
    blockid: (String, String),
    dice: Dice,
    struck_at: Instant,
    pub(super) account: String,
    /// Ids of tenants that the API answered with 202.
    pub(super) accepted: BTreeSet<String>,
    pub(super) kills: usize,
}

impl<'a> Storm<'a> {
    /// Starts everything.
    pub(super) fn prepare(
        context: &'a Context,
        tools: &'a Tools,
        services: &'a Services,
        seed: u64,
        progress: &Progress,
    ) -> anyhow::Result<Self> {
        progress.detail("starting the system");
        // An account of its own on the emulator, which takes twelve digits for one.
        let account = format!("8{:011}", u64::from_str_radix(&random_hex(4)?, 16)?);
        let ports = Ports::free();
        let secret = random_hex(16)?;
        let host = start_simulator(
            context,
            &ports,
            &secret,
            ports.choose(Listener::DemoApp)?,
            progress,
        )?;
        let proxy_port = ports.choose(Listener::Api)?;
        let proxy_url = format!("http://127.0.0.1:{proxy_port}");
        let mut service = ServiceProgram {
            context,
            program: context.target().join("debug/stepgate"),
            postgres: &services.postgres,
            database: DATABASE,
            encryption_key: random_base64(32)?,
            api_port: ports.choose(Listener::Api)?,
            aws_endpoint_url: services.ministack.url(),
            aws_access_key_id: account.clone(),
        };
        service.migrate(progress)?;
        // The server of the tests acknowledges what a crash would lose; here it crashes, and what it acknowledged counts.
        let mut durable = services.postgres.psql(DATABASE);
        durable.args([
            "-c",
            &format!("ALTER DATABASE {DATABASE} SET synchronous_commit = on"),
        ]);
        context.processes.text("psql", &mut durable)?;
        service.bootstrap_cell(progress)?;
        let operator = service.bootstrap_operator_key()?;
        start_proxy(context, &services.ministack.url(), proxy_port, seed)?;
        service.aws_endpoint_url.clone_from(&proxy_url);
        let api_url = format!("http://127.0.0.1:{}", service.api_port);
        let mut serve = service.command(&["serve"]);
        serve
            .env("STEPGATE_RATE_LIMIT_PER_MIN", "0")
            .env("STEPGATE_LOG", "warn");
        service.start("chaos serve", serve, "chaos-serve")?;
        let ready = format!("{api_url}/readyz");
        context
            .processes
            .wait_ready("chaos serve", Duration::from_secs(30), || http::answers(&ready))?;
        let operator = ApiClient::new(&api_url, &operator);
        let partner = operator.post("/v1/partners", &json!({ "name": "chaos" }))?;
        let keys = format!("/v1/partners/{}/keys", text(&partner, "/id")?);
        let key = operator.post(&keys, &json!({ "name": "chaos", "role": "partner_admin" }))?;
        let partner = ApiClient::new(&api_url, &text(&key, "/key")?);
        let storm = Self {
            context,
            tools,
            postgres: &services.postgres,
            service,
            partner,
            proxy_url,
            blockid: (host, secret),
            dice: Dice(seed),
            struck_at: Instant::now(),
            account,
            accepted: BTreeSet::new(),
            kills: 0,
        };
        for worker in WORKERS {
            storm.start_worker(worker)?;
        }
        Ok(storm)
    }

    fn start_worker(&self, name: &'static str) -> anyhow::Result<()> {
        let mut command = self.service.command(&["worker"]);
        command
            .env("STEPGATE_WORKER_LEASE_S", "5")
            .env("STEPGATE_LOG", "warn");
        self.service.start(name, command, &name.replace(' ', "-"))
    }

    /// Has tenants made through the API, each with an app, while things are killed. What fails is asked again under the same key.
    pub(super) fn onboard(
        &mut self,
        tenants: usize,
        deadline: Instant,
        progress: &Progress,
    ) -> anyhow::Result<()> {
        for number in 0..tenants {
            let (host, secret) = &self.blockid;
            let body = json!({
                "name": format!("Tenant {number}"),
                "blockid": { "tenant_dns": host, "community": "default", "client_id": "demo-client", "client_secret": secret },
            });
            let made = self.insist(
                "/v1/tenants",
                &format!("chaos-of-tenant-{number}"),
                &body,
                deadline,
            )?;
            let id = text(&made, "/tenant/id")?;
            let path = format!("/v1/tenants/{id}/apps");
            self.insist(
                &path,
                &format!("chaos-of-app-of-{number}"),
                &json!({ "name": "Portal" }),
                deadline,
            )?;
            self.accepted.insert(id);
            if number == tenants / 2 {
                // Whatever the dice say.
                self.kill_postgres()?;
            }
            progress.detail(format!(
                "{} of {tenants} asked for, {} kills",
                number + 1,
                self.kills
            ));
        }
        Ok(())
    }

    fn insist(&mut self, path: &str, key: &str, body: &Value, deadline: Instant) -> anyhow::Result<Value> {
        loop {
            let answer = self.partner.post_once(path, key, body);
            self.strike_now_and_then()?;
            match answer {
                Ok(answer) => return Ok(answer),
                Err(error) if Instant::now() > deadline => return Err(error.context("the API never took it")),
                Err(_) => thread::sleep(LOOK),
            }
        }
    }

    /// Goes on killing until every tenant is ready.
    pub(super) fn until_ready(&mut self, deadline: Instant, progress: &Progress) -> anyhow::Result<()> {
        loop {
            for _ in 0..10 {
                self.strike_now_and_then()?;
                thread::sleep(LOOK);
            }
            let ready = self.count(
                "SELECT count(*) FROM tenants WHERE state = 'active' AND observed_generation = generation",
            );
            let Some(ready) = ready else {
                continue;
            };
            progress.detail(format!(
                "{ready} of {} ready, {} kills",
                self.accepted.len(),
                self.kills
            ));
            if ready == self.accepted.len() && self.kills > 0 {
                return Ok(());
            }
            if Instant::now() > deadline {
                // What is not ready is told by the counts.
                return Ok(());
            }
        }
    }

    /// Strikes no more often than the odds are made for, however fast the API answers.
    fn strike_now_and_then(&mut self) -> anyhow::Result<()> {
        if self.struck_at.elapsed() < LOOK {
            return Ok(());
        }
        self.struck_at = Instant::now();
        self.strike()
    }

    /// Maybe kills something, and brings it back.
    fn strike(&mut self) -> anyhow::Result<()> {
        self.context.processes.signals.check()?;
        if self.dice.roll(POSTGRES_EVERY) == 0 {
            return self.kill_postgres();
        }
        if self.dice.roll(WORKER_EVERY) == 0 {
            let which = usize::try_from(self.dice.roll(WORKERS.len() as u64))?;
            self.kills += 1;
            self.context.processes.kill(WORKERS[which]);
            return self.start_worker(WORKERS[which]);
        }
        // What ends by itself is started again, as a cluster does.
        for name in WORKERS {
            if self.context.processes.has_ended(name) {
                self.context.processes.kill(name);
                self.start_worker(name)?;
            }
        }
        Ok(())
    }

    fn kill_postgres(&mut self) -> anyhow::Result<()> {
        self.kills += 1;
        self.postgres.kill_and_restart(self.context, &self.tools.postgres)
    }

    /// Calls that failed at the proxy.
    pub(super) fn faults(&self) -> anyhow::Result<usize> {
        let answer = http::agent(Duration::from_secs(10))
            .get(format!("{}/_faults", self.proxy_url))
            .call();
        let text = answer
            .context("the proxy does not answer")?
            .body_mut()
            .read_to_string()?;
        let counts: Value = serde_json::from_str(&text)?;
        let faults = counts["faults"].as_u64().context("the proxy did not count")?;
        Ok(usize::try_from(faults)?)
    }

    /// The storm is over: nothing runs that could change anything.
    pub(super) fn end(&self) -> anyhow::Result<()> {
        for name in WORKERS.iter().chain(&["chaos serve", PROXY]) {
            self.context.processes.kill(name);
        }
        self.context.processes.check_services()
    }

    fn count(&self, query: &str) -> Option<usize> {
        self.query(query).ok()?.trim().parse().ok()
    }

    fn query(&self, query: &str) -> anyhow::Result<String> {
        let mut psql = self.postgres.psql(DATABASE);
        psql.args(["-A", "-t", "-c", query]);
        self.context.processes.text("psql", &mut psql)
    }

    /// What the database holds.
    pub(super) fn rows(&self) -> anyhow::Result<Rows> {
        let rows = self.query(
            "SELECT json_build_object('id', t.id, 'state', t.state, 'ready', t.observed_generation = t.generation,
                    'user_pool_id', t.observed ->> 'user_pool_id',
                    'clients', coalesce((SELECT json_agg(a.client_id) FROM apps a
                                         WHERE a.tenant_id = t.id AND a.client_id IS NOT NULL), '[]'),
                    'open_operations', (SELECT count(*) FROM operations o WHERE o.tenant_id = t.id
                                        AND o.state NOT IN ('succeeded', 'cancelled')))
             FROM tenants t",
        )?;
        let parse = |line| serde_json::from_str::<TenantRow>(line).context("a row of tenants");
        let tenants = rows
            .lines()
            .filter(|line| !line.is_empty())
            .map(parse)
            .collect::<Result<Vec<_>, _>>()?;
        if tenants.is_empty() {
            bail!("the database holds no tenant");
        }
        Ok(Rows { tenants })
    }
}

const PROXY: &str = "fault proxy";

fn start_proxy(context: &Context, upstream: &str, port: u16, seed: u64) -> anyhow::Result<()> {
    let mut command: Command = context
        .processes
        .command(context.target().join("debug/fault-proxy"));
    command
        .args(["--upstream", upstream, "--listen", &format!("127.0.0.1:{port}")])
        .args(["--per-mille", FAILING_PER_MILLE, "--seed", &seed.to_string()]);
    let (stop_signal, stop_within) = (Signal::SIGTERM, Duration::from_secs(5));
    let log = context.log("fault-proxy");
    context.processes.start(Service {
        name: PROXY,
        command,
        log,
        stop_signal,
        stop_within,
    })?;
    let url = format!("http://127.0.0.1:{port}/_faults");
    context
        .processes
        .wait_ready(PROXY, Duration::from_secs(20), || http::answers(&url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself() {
        let rolls = |seed| {
            let mut dice = Dice(seed);
            (0..20).map(|_| dice.roll(6)).collect::<Vec<_>>()
        };
        assert_eq!(rolls(1), rolls(1));
        assert_ne!(rolls(1), rolls(2));
        assert!(rolls(3).iter().all(|roll| *roll < 6));
    }
}
