//! Puts the application together and listens.

use super::{
    docs, document,
    draining::Draining,
    health, middleware,
    operations::feed::{MAX_STREAMS, OperationFeed},
    rate_limit::RateLimiter,
    route_table,
};
use crate::Context;
use actix_web::{App, HttpServer, dev::Server, middleware::from_fn, web};
use std::{net::TcpListener, time::Duration};
use utoipa_actix_web::AppExt;

/// Time a client has to send its request head, and to answer a closing connection.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// The API on `listener`, not yet running: await it. It does not handle signals; stop it by its handle.
pub fn build(context: Context, listener: TcpListener, draining: Draining) -> std::io::Result<Server> {
    let grace = context.config.shutdown_grace.as_secs();
    let document = document::document();
    let table = web::Data::new(route_table::RouteTable::new(&document));
    let limiter = web::Data::new(RateLimiter::new(context.config.rate_limit_per_min));
    let feed = web::Data::from(OperationFeed::start(context.clone(), MAX_STREAMS));
    let (context, draining) = (web::Data::new(context), web::Data::new(draining));
    let server = HttpServer::new(move || {
        let (app, _) = App::new()
            .app_data(context.clone())
            .app_data(draining.clone())
            .app_data(table.clone())
            .app_data(limiter.clone())
            .app_data(feed.clone())
            .into_utoipa_app()
            .configure(super::routes)
            .split_for_parts();
        let document = document.clone();
        app.configure(move |config| docs::configure(config, document))
            .configure(crate::console::configure)
            .default_service(web::to(route_table::not_routed))
            .wrap(from_fn(middleware::authenticate))
            .wrap(from_fn(middleware::edge))
            .wrap(from_fn(middleware::close_when_draining))
    })
    .client_request_timeout(CLIENT_TIMEOUT)
    .client_disconnect_timeout(CLIENT_TIMEOUT)
    .keep_alive(KEEP_ALIVE)
    .shutdown_timeout(grace)
    .disable_signals()
    .listen(listener)?;
    Ok(server.run())
}

/// Health and readiness alone, for a process that has no API.
pub fn build_probes(context: Context, listener: TcpListener) -> std::io::Result<Server> {
    let (context, draining) = (web::Data::new(context), web::Data::new(Draining::default()));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(context.clone())
            .app_data(draining.clone())
            .service(health::healthz::healthz)
            .service(health::readyz::readyz)
            .wrap(from_fn(middleware::edge))
    })
    .workers(1)
    .client_request_timeout(CLIENT_TIMEOUT)
    .client_disconnect_timeout(CLIENT_TIMEOUT)
    .shutdown_timeout(0)
    .disable_signals()
    .listen(listener)?;
    Ok(server.run())
}

/// Metrics alone, at an address that only Prometheus is meant to reach.
pub fn build_metrics(context: Context, listener: TcpListener) -> std::io::Result<Server> {
    let context = web::Data::new(context);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(context.clone())
            .service(health::metrics::scrape)
    })
    .workers(1)
    .client_request_timeout(CLIENT_TIMEOUT)
    .client_disconnect_timeout(CLIENT_TIMEOUT)
    .shutdown_timeout(0)
    .disable_signals()
    .listen(listener)?;
    Ok(server.run())
}
