//! The app of the demonstration: the page that a person opens, on the browser SDK.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::report::Report;
use super::system::{AWS_REGION, System};
use crate::context::Context;
use crate::http;
use crate::process::Service;
use crate::tools::node::Node;

const NAME: &str = "demo app";

/// Origin of the page. Not 127.0.0.1: BlockID's page is there, and is to be a stranger in the frame, as in life.
pub(super) fn origin(port: u16) -> String {
    format!("http://localhost:{port}")
}

/// Where a step-up without a frame returns.
pub(super) fn return_url(port: u16) -> String {
    format!("{}/callback", origin(port))
}

/// Installs what the page uses and starts the app.
pub(super) fn start(context: &Context, system: &System, report: &mut Report) -> anyhow::Result<()> {
    let library = report.step(context, "page", |progress| {
        let node = Node::find(context, &system.venv, progress)?;
        let source = context.root.join("crates/demo-app/page");
        let folder = node.install(context, &source, "demo-page", progress)?;
        progress.set_note(format!("Node {}", node.version));
        Ok(folder.join("node_modules/amazon-cognito-identity-js/dist/amazon-cognito-identity.min.js"))
    })?;
    let url = report_url(system.page_port);
    let settings = settings(system, report, &library)?;
    report.step(context, "app", |progress| {
        let file = context.state().join("demo-app.json");
        write_private(&file, &settings)?;
        let mut command = context.processes.command(context.target().join("debug/demo-app"));
        command
            .arg("--listen")
            .arg(format!("127.0.0.1:{}", system.page_port))
            .arg("--settings")
            .arg(&file);
        context.processes.start(Service {
            name: NAME,
            command,
            log: context.log("demo-app"),
            stop_signal: Signal::SIGTERM,
            stop_within: Duration::from_secs(5),
        })?;
        let ready = format!("http://127.0.0.1:{}/settings.json", system.page_port);
        context
            .processes
            .wait_ready(NAME, Duration::from_secs(20), || http::answers(&ready))?;
        progress.set_note(&url);
        Ok(())
    })?;
    report.demo_url = Some(url);
    Ok(())
}

fn report_url(port: u16) -> String {
    format!("{}/", origin(port))
}

fn settings(system: &System, report: &Report, library: &Path) -> anyhow::Result<Value> {
    let claims = report.id_token_claims.as_ref().context("nobody has signed in")?;
    Ok(json!({
        "region": AWS_REGION,
        "user_pool_id": report.user_pool_id,
        "client_id": report.bank_client_id,
        "issuer": claims["iss"],
        "aws_endpoint_url": system.aws_endpoint_url,
        "blockid_url": format!("http://{}", system.blockid_host),
        "cognito_library": library,
        "user": { "username": report.username, "password": report.password },
    }))
}

/// The settings hold a password: the owner alone may read them.
fn write_private(file: &PathBuf, settings: &Value) -> anyhow::Result<()> {
    let _left_by_an_earlier_run = fs::remove_file(file);
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file);
    written
        .and_then(|mut open| open.write_all(settings.to_string().as_bytes()))
        .with_context(|| format!("cannot write {}", file.display()))
}
