//! A bank's API in one file: reading the balance wants a step-up of the last 15 minutes, a transfer
//! wants one of the last two minutes that was made for exactly this transfer.
//!
//! ```sh
//! USER_POOL_ID=eu-central-1_AbCdEfGhI CLIENT_ID=… cargo run -p resource-server --example transfer
//! # an emulator or another partition: ISSUER=http://127.0.0.1:4566/eu-central-1_AbCdEfGhI besides
//! curl -i http://127.0.0.1:8095/transfers -H "authorization: Bearer $ACCESS_TOKEN" \
//!      -H 'content-type: application/json' -d '{"to":"DE02 1203","amount":"12.50","currency":"EUR"}'
//! ```

use actix_web::{App, HttpResponse, HttpServer, get, post, web};
use anyhow::Context as _;
use resource_server::{
    Action, Clock, Confirmed, Freshness, Guard, HttpKeySource, InMemoryUsedTokens, KeyCache, KeyCacheLimits,
    Requirement, SteppedUp, SystemClock, Transaction, UserPool,
};
use std::sync::Arc;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Transfer {
    to: String,
    /// Text, because it must have one spelling: the one that the user was shown.
    amount: String,
    currency: String,
}

impl Action for Transfer {
    const NAME: &'static str = "transfer";
    const REQUIREMENT: Requirement = Requirement {
        max_age_s: 120,
        acr_values: &["liveID push"],
    };

    fn transaction(&self) -> Transaction {
        Transaction::new()
            .field("to", &self.to)
            .field("amount", &self.amount)
            .field("currency", &self.currency)
    }
}

struct RecentlySteppedUp;

impl Freshness for RecentlySteppedUp {
    const REQUIREMENT: Requirement = Requirement {
        max_age_s: 900,
        acr_values: &[],
    };
}

#[post("/transfers")]
async fn transfer(order: Confirmed<Transfer>) -> HttpResponse {
    // The token is used up by now. A transfer that fails here needs a new step-up, so check balance and
    // account before the user is sent to one.
    HttpResponse::Created().json(serde_json::json!({
        "by": order.token.user_sub,
        "to": order.request.to,
        "amount": order.request.amount,
        "currency": order.request.currency,
    }))
}

#[get("/balance")]
async fn balance(session: SteppedUp<RecentlySteppedUp>) -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "of": session.token.user_sub, "balance": "1000.00" }))
}

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("a TLS provider was installed before"))?;
    let user_pool_id = std::env::var("USER_POOL_ID").context("USER_POOL_ID")?;
    let client_ids = [std::env::var("CLIENT_ID").context("CLIENT_ID")?];
    let pool = match std::env::var("ISSUER") {
        Ok(issuer) => UserPool::with_issuer(issuer, client_ids),
        Err(_) => UserPool::new(&user_pool_id, client_ids),
    };

    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let source = HttpKeySource::new(pool.jwks_url())?;
    let keys = KeyCache::new(source, KeyCacheLimits::default(), clock.clone());
    // One process only. Several need a shared store: see `resource_server::used_tokens`.
    let used_tokens = InMemoryUsedTokens::with_capacity(100_000);
    let guard = web::Data::new(Guard::new(pool, keys, used_tokens, clock));

    HttpServer::new(move || {
        App::new()
            .app_data(guard.clone())
            .service(transfer)
            .service(balance)
    })
    .bind(("127.0.0.1", 8095))?
    .run()
    .await?;
    Ok(())
}
