//! A running API with a partner, tenants and apps, made through the API itself.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;

use super::programs;
use crate::artifacts;
use crate::commands::demo::ApiAlone;
use crate::commands::demo::api::{ApiClient, text};
use crate::context::Context;
use crate::http;
use crate::process::Service;
use crate::services::Services;
use crate::services::ports::{Listener, Ports};
use crate::ui::Progress;

/// Environment variable in which the load finds its key.
const KEY: &str = "STEPGATE_BENCH_KEY";

/// The running API.
pub(super) struct Stand<'a> {
    api: ApiAlone<'a>,
    programs: PathBuf,
    partner_key: String,
    pub(super) partner_id: String,
    /// Ids of tenants, each with the id of its one app.
    pub(super) tenants: Vec<(String, String)>,
}

impl<'a> Stand<'a> {
    /// Starts one on a database of its own.
    pub(super) fn start(
        context: &'a Context,
        services: &'a Services,
        database: &'static str,
        tenants: usize,
        progress: &Progress,
    ) -> anyhow::Result<Self> {
        artifacts::build_for_host(context, progress)?;
        let folder = programs::service(context, progress)?;
        let collector = start_collector(context, &folder.join("bench"), database)?;
        let traced = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.as_str())];
        let program = (folder.join("stepgate"), database);
        let api = ApiAlone::start(context, services, program, &traced, progress)?;
        progress.detail("making tenants");
        let operator = ApiClient::new(&api.api_url, &api.operator_key);
        let partner_id = text(&operator.post("/v1/partners", &json!({"name": "bench"}))?, "/id")?;
        let key = json!({"name": "bench", "role": "partner_admin"});
        let partner_key = text(
            &operator.post(&format!("/v1/partners/{partner_id}/keys"), &key)?,
            "/key",
        )?;
        let admin = ApiClient::new(&api.api_url, &partner_key);
        let tenants = (0..tenants)
            .map(|number| tenant(&admin, number))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self {
            api,
            programs: folder,
            partner_key,
            partner_id,
            tenants,
        })
    }

    /// A measuring program, configured as the service is.
    pub(super) fn program(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = self.api.command(&self.programs.join(name));
        command.env(KEY, &self.partner_key).args(arguments);
        command
    }

    /// A load on the API.
    pub(super) fn load(&self, paths: &[String], connections: usize, lasting_ms: u64) -> Command {
        let address = self.api.api_url.trim_start_matches("http://");
        let mut command = self.program("bench", &["load", "--address", address]);
        command
            .args(["--connections", &connections.to_string()])
            .args(["--lasting-ms", &lasting_ms.to_string()]);
        for path in paths {
            command.args(["--path", path]);
        }
        command
    }

    /// SQL as the schema's owner.
    pub(super) fn sql(&self, context: &Context, statement: &str) -> anyhow::Result<String> {
        let mut psql = self.api.psql();
        psql.args(["-t", "-A", "-c", statement]);
        context.processes.text("psql", &mut psql)
    }
}

/// Starts where the API's traces go; hands back its address.
fn start_collector(context: &Context, program: &Path, database: &'static str) -> anyhow::Result<String> {
    // One for each running API.
    let name = match database {
        "bench_read" => "trace collector of reads",
        "bench_write" => "trace collector of writes",
        _ => "trace collector",
    };
    let address = format!("127.0.0.1:{}", Ports::free().choose(Listener::Api)?);
    let mut command = context.processes.command(program);
    command.args(["collector", "--listen", &address]);
    context.processes.start(Service {
        name,
        command,
        log: context.log("bench-collector"),
        stop_signal: Signal::SIGTERM,
        stop_within: Duration::from_secs(5),
    })?;
    let url = format!("http://{address}");
    context.processes.wait_ready(name, Duration::from_secs(20), || {
        http::answers(&format!("{url}/"))
    })?;
    Ok(url)
}

fn tenant(admin: &ApiClient, number: usize) -> anyhow::Result<(String, String)> {
    let tenant = json!({
        "name": format!("tenant {number}"),
        "blockid": {
            "tenant_dns": "127.0.0.1:9", "community": "default", "client_id": "bench-client", "client_secret": "not-a-secret",
        },
    });
    let tenant = text(&admin.post("/v1/tenants", &tenant)?, "/tenant/id")?;
    let app = admin.post(&format!("/v1/tenants/{tenant}/apps"), &json!({"name": "Portal"}))?;
    Ok((tenant, text(&app, "/app/id")?))
}
