//! The API behind the page. Reading the balance wants a step-up of the last fifteen minutes, a transfer one that was made for exactly this
//! transfer, by the strongest method, and is good once.

use actix_web::web::ServiceConfig;
use actix_web::{HttpResponse, get, post};
use resource_server::{Action, Confirmed, Freshness, Requirement, SteppedUp, Transaction};
use serde::Deserialize;
use serde_json::json;

pub(crate) fn configure(config: &mut ServiceConfig) {
    config.service(transfer).service(balance);
}

/// What the user agrees to.
#[derive(Deserialize)]
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

struct Recent;

impl Freshness for Recent {
    const REQUIREMENT: Requirement = Requirement {
        max_age_s: 900,
        acr_values: &[],
    };
}

#[post("/api/transfers")]
async fn transfer(order: Confirmed<Transfer>) -> HttpResponse {
    HttpResponse::Created().json(json!({
        "to": order.request.to,
        "amount": order.request.amount,
        "currency": order.request.currency,
    }))
}

#[get("/api/balance")]
async fn balance(_session: SteppedUp<Recent>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "balance": "1,204.50", "currency": "EUR" }))
}
