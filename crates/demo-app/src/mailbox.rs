//! The demonstration's post: the emulator keeps what Cognito would have mailed, and the page shows the code of a sign-up.

use crate::server::Emulator;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, Query, ServiceConfig};
use actix_web::{HttpResponse, get};
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) fn configure(config: &mut ServiceConfig) {
    config.service(newest);
}

#[derive(Deserialize)]
struct Asked {
    address: String,
}

/// The newest message to an address.
#[get("/demo/mailbox")]
async fn newest(asked: Query<Asked>, emulator: Data<Emulator>) -> HttpResponse {
    let Some(mail) = emulator.mailbox().await else {
        return HttpResponse::BadGateway().json(json!({ "error": "the mailbox cannot be read" }));
    };
    match newest_to(&mail, &asked.address) {
        Some(found) => HttpResponse::Ok()
            .insert_header((CACHE_CONTROL, "no-store"))
            .json(found),
        None => HttpResponse::NotFound().json(json!({ "error": "no message to this address yet" })),
    }
}

fn newest_to(mail: &Value, address: &str) -> Option<Value> {
    let is_to = |message: &&Value| {
        let recipients = message["To"].as_array().into_iter().flatten();
        recipients.filter_map(Value::as_str).any(|to| to == address)
    };
    let messages = mail["messages"].as_object()?.values();
    let message = messages
        .filter_map(Value::as_array)
        .flatten()
        .filter(is_to)
        .max_by(|a, b| a["Timestamp"].to_string().cmp(&b["Timestamp"].to_string()))?;
    let text = message["BodyText"].as_str().unwrap_or_default();
    Some(json!({ "subject": message["Subject"], "code": code_in(text) }))
}

/// The first run of exactly six digits.
fn code_in(text: &str) -> Option<&str> {
    text.split(|c: char| !c.is_ascii_digit())
        .find(|digits| digits.len() == 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_message_to_the_address_is_shown() {
        let message = |to: &str, at: &str, text: &str| json!({ "To": [to], "Timestamp": at, "Subject": "s", "BodyText": text });
        let mail = json!({ "messages": { "000000000000": [
            message("a@example.com", "2026-01-01T00:00:01Z", "Your code is 111111."),
            message("a@example.com", "2026-01-01T00:00:02Z", "Your code is 222222."),
            message("b@example.com", "2026-01-01T00:00:03Z", "Your code is 333333."),
        ]}});
        assert_eq!(newest_to(&mail, "a@example.com").unwrap()["code"], "222222");
        assert!(newest_to(&mail, "c@example.com").is_none());
        assert!(newest_to(&json!({}), "a@example.com").is_none());
    }

    #[test]
    fn a_code_is_six_digits_and_nothing_else() {
        assert_eq!(code_in("code 12345678 or 654321"), Some("654321"));
        assert_eq!(code_in("no code"), None);
    }
}
