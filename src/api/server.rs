//! Puts the application together and listens.

use super::{docs, document, middleware, rate_limit::RateLimiter, route_table};
use crate::Context;
use actix_web::{App, HttpServer, dev::Server, middleware::from_fn, web};
use std::{net::TcpListener, time::Duration};
use utoipa_actix_web::AppExt;

/// Time a client has to send its request head, and to answer a closing connection.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// A server on `listener`, not yet running: await it. It does not handle signals; stop it by its handle.
pub fn build(context: Context, listener: TcpListener) -> std::io::Result<Server> {
    let grace = context.config.shutdown_grace.as_secs();
    let document = document::document();
    let table = web::Data::new(route_table::RouteTable::new(&document));
    let limiter = web::Data::new(RateLimiter::new(context.config.rate_limit_per_min));
    let context = web::Data::new(context);
    let server = HttpServer::new(move || {
        let (app, _) = App::new()
            .app_data(context.clone())
            .app_data(table.clone())
            .app_data(limiter.clone())
            .into_utoipa_app()
            .configure(super::routes)
            .split_for_parts();
        let document = document.clone();
        app.configure(move |config| docs::configure(config, document))
            .default_service(web::to(route_table::not_routed))
            .wrap(from_fn(middleware::authenticate))
            .wrap(from_fn(middleware::edge))
    })
    .client_request_timeout(CLIENT_TIMEOUT)
    .client_disconnect_timeout(CLIENT_TIMEOUT)
    .keep_alive(KEEP_ALIVE)
    .shutdown_timeout(grace)
    .disable_signals()
    .listen(listener)?;
    Ok(server.run())
}
