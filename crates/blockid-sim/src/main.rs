//! The `blockid-sim` command.

use anyhow::Context as _;
use blockid_sim::config::Config;
use blockid_sim::{Options, Simulator};
use clap::Parser;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A 1Kosmos BlockID provider for development and tests. Not for production: it lets everybody in.
///
/// Without --config it has one tenant that answers for every host, with community "default" and client
/// "demo-client", whose secret must be given; any user name is a user with all methods.
///
/// When ready it prints one line of JSON:
/// {"listening":"127.0.0.1:8090","url":"http://127.0.0.1:8090","tls_listening":null,"tls_url":null}
///
/// Development endpoints: POST /sim/step-ups, GET|PUT|DELETE /sim/communities/{community}/behaviour,
/// POST /sim/communities/{community}/keys, POST /sim/clients/{client_id}/secret, GET|DELETE /sim/requests.
#[derive(Parser)]
#[command(version, about, verbatim_doc_comment)]
struct Arguments {
    /// Address for plain HTTP; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Serve HTTPS as well, under a CA made at start
    #[arg(long)]
    tls: bool,
    /// Address for HTTPS; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0", requires = "tls")]
    tls_listen: SocketAddr,
    /// Write the CA certificate (PEM) to this file
    #[arg(long, value_name = "FILE", requires = "tls")]
    ca_out: Option<PathBuf>,
    /// Configuration file (TOML) with tenants, communities, clients, users and switches
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Secret of the seeded client; not used with --config
    #[arg(
        long,
        env = "BLOCKID_SIM_CLIENT_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    client_secret: Option<String>,
    /// A page that the seeded client may return to beside the community's own; may be given more than once
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    redirect_uri: Vec<String>,
    /// Know only the users of the configuration
    #[arg(long)]
    strict_users: bool,
    /// Allow addresses other than loopback; everybody who reaches them can pass as anybody
    #[arg(long)]
    allow_remote: bool,
    /// Log filter
    #[arg(long, env = "BLOCKID_SIM_LOG", default_value = "warn", value_name = "FILTER")]
    log: String,
}

fn main() -> std::process::ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            std::process::ExitCode::FAILURE
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a command-line tool says why it stops, without a backtrace"
)]
fn complain(error: &anyhow::Error) {
    eprintln!("blockid-sim: {error:#}");
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(&arguments.log)
        .with_writer(std::io::stderr)
        .init();
    let mut config = configuration(arguments)?;
    config.strict_users |= arguments.strict_users;
    let tls = arguments.tls.then_some(arguments.tls_listen);
    let remote =
        !arguments.listen.ip().is_loopback() || tls.is_some_and(|address| !address.ip().is_loopback());
    anyhow::ensure!(
        arguments.allow_remote || !remote,
        "only loopback addresses are listened on without --allow-remote"
    );
    let simulator = Simulator::start(&Options {
        config,
        http: Some(arguments.listen),
        tls,
    })?;
    if let (Some(path), Some(pem)) = (&arguments.ca_out, simulator.ca_pem()) {
        std::fs::write(path, pem).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    announce(&simulator)?;
    wait_for_signal()?;
    simulator.stop().context("the simulator did not stop cleanly")
}

fn configuration(arguments: &Arguments) -> anyhow::Result<Config> {
    let Some(path) = &arguments.config else {
        let secret = arguments
            .client_secret
            .as_deref()
            .filter(|secret| !secret.is_empty());
        let missing = "give --client-secret, or BLOCKID_SIM_CLIENT_SECRET, or --config";
        let mut config = Config::seeded(secret.context(missing)?);
        for community in config
            .tenants
            .iter_mut()
            .flat_map(|tenant| &mut tenant.communities)
        {
            for client in &mut community.clients {
                client.redirect_uris.clone_from(&arguments.redirect_uri);
            }
        }
        return Ok(config);
    };
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    Config::from_toml(&text).with_context(|| format!("{} is not valid", path.display()))
}

#[expect(clippy::print_stdout, reason = "the ready line is this command's interface")]
fn announce(simulator: &Simulator) -> anyhow::Result<()> {
    use std::io::Write as _;
    let text = |address: Option<SocketAddr>| address.map(|address| address.to_string());
    let url =
        |scheme: &str, address: Option<SocketAddr>| address.map(|address| format!("{scheme}://{address}"));
    let line = serde_json::json!({
        "listening": text(simulator.http_address()),
        "url": url("http", simulator.http_address()),
        "tls_listening": text(simulator.tls_address()),
        "tls_url": url("https", simulator.tls_address()),
    });
    println!("{line}");
    std::io::stdout().flush().context("standard output is closed")
}

fn wait_for_signal() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            outcome = tokio::signal::ctrl_c() => outcome,
            _ = terminate.recv() => Ok(()),
        }
    })?;
    Ok(())
}
