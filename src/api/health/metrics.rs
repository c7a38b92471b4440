//! `GET /metrics`, at an address of its own

use crate::{
    Context,
    observability::metrics::{CONTENT_TYPE, metrics},
};
use actix_web::{HttpResponse, get, web::Data};

/// What this process counts and measures, for Prometheus. Not an operation of the API: it is served where no
/// Ingress leads.
#[get("/metrics")]
pub(crate) async fn scrape(context: Data<Context>) -> HttpResponse {
    let metrics = metrics();
    let pool = context.db.pool();
    let (size, idle) = (pool.size(), u32::try_from(pool.num_idle()).unwrap_or(u32::MAX));
    metrics
        .database_connections
        .set(["idle".into()], idle.min(size).into());
    let in_use = size.saturating_sub(idle);
    metrics.database_connections.set(["in_use".into()], in_use.into());
    let most = context.config.database.max_connections;
    metrics.database_connections_max.set([], most.into());
    match metrics.render() {
        Ok(text) => HttpResponse::Ok().content_type(CONTENT_TYPE).body(text),
        Err(error) => {
            tracing::error!(%error, "metrics could not be written");
            HttpResponse::InternalServerError().finish()
        }
    }
}
