//! Starting and stopping, for the binary and for tests.

use crate::config::Config;
use crate::routes;
use crate::state::State;
use crate::tls;
use actix_web::dev::ServerHandle;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use anyhow::Context as _;
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;

/// How to start.
pub struct Options {
    /// Tenants, communities, clients, users.
    pub config: Config,
    /// Where to serve plain HTTP; port 0 takes a free one.
    pub http: Option<SocketAddr>,
    /// Where to serve HTTPS; port 0 takes a free one.
    pub tls: Option<SocketAddr>,
}

/// A running simulator, on threads of its own. Dropping it stops it.
pub struct Simulator {
    http: Option<SocketAddr>,
    tls: Option<SocketAddr>,
    ca_pem: Option<String>,
    handle: ServerHandle,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Simulator {
    /// Makes keys, binds and serves.
    pub fn start(options: &Options) -> anyhow::Result<Self> {
        options.config.validate()?;
        let state = Data::new(State::new(&options.config)?);
        let bind = |address: Option<SocketAddr>| -> anyhow::Result<Option<TcpListener>> {
            let open = |address| {
                TcpListener::bind(address).with_context(|| format!("{address} cannot be listened on"))
            };
            address.map(open).transpose()
        };
        let (http, https) = (bind(options.http)?, bind(options.tls)?);
        anyhow::ensure!(
            http.is_some() || https.is_some(),
            "there is no address to listen on"
        );
        let address =
            |listener: &Option<TcpListener>| listener.as_ref().and_then(|one| one.local_addr().ok());
        let (http_address, tls_address) = (address(&http), address(&https));
        let tls = https
            .is_some()
            .then(|| tls::make(certificate_names(&options.config)))
            .transpose()?;
        let ca_pem = tls.as_ref().map(|tls| tls.ca_pem.clone());

        let (send, receive) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("blockid-sim".into())
            .spawn(move || {
                actix_web::rt::System::new().block_on(async move {
                    let app = move || App::new().app_data(state.clone()).configure(routes::configure);
                    let mut server = HttpServer::new(app)
                        .workers(2)
                        .disable_signals()
                        .shutdown_timeout(1);
                    if let Some(listener) = http {
                        server = server.listen(listener)?;
                    }
                    if let (Some(listener), Some(tls)) = (https, tls) {
                        server = server.listen_rustls_0_23(listener, tls.config)?;
                    }
                    let server = server.run();
                    // The receiver is gone only when the caller is.
                    let _ = send.send(server.handle());
                    server.await
                })
            })?;
        let handle = receive.recv().context("the server did not start")?;
        Ok(Self {
            http: http_address,
            tls: tls_address,
            ca_pem,
            handle,
            thread: Some(thread),
        })
    }

    /// Address of plain HTTP.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http
    }

    /// Address of HTTPS.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.tls
    }

    /// The CA of HTTPS, PEM.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    fn end(&mut self) -> std::io::Result<()> {
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        // The command is sent when `stop` is called; its future only waits.
        drop(self.handle.stop(false));
        thread
            .join()
            .unwrap_or_else(|_| Err(std::io::Error::other("the server's thread broke")))
    }

    /// Stops and waits for the end.
    pub fn stop(mut self) -> std::io::Result<()> {
        self.end()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::warn!(%error, "The simulator did not stop cleanly");
        }
    }
}

/// Loopback and every configured tenant.
fn certificate_names(config: &Config) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    for dns in config.tenants.iter().filter_map(|tenant| tenant.dns.as_deref()) {
        let host = dns
            .rsplit_once(':')
            .map_or(dns, |(host, _)| host)
            .trim_matches(['[', ']']);
        if !names.iter().any(|name| name == host) {
            names.push(host.to_owned());
        }
    }
    names
}
