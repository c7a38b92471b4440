//! What the tenant's triggers wrote: the events of the sign-in path, read from the cell's log group.

use crate::server::Emulator;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, Query, ServiceConfig};
use actix_web::{HttpResponse, get};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Members of an event that the page shows.
const SHOWN: [&str; 17] = [
    "event_id",
    "at_unix_ms",
    "type",
    "journey_id",
    "round",
    "reason",
    "method",
    "acr",
    "amr",
    "aal",
    "policy_version",
    "rule",
    "action",
    "source",
    "cold_start",
    "duration_ms",
    "hops_ms",
];

pub(crate) fn configure(config: &mut ServiceConfig) {
    config.service(events);
}

#[derive(Deserialize)]
struct Asked {
    since_ms: i64,
}

/// Events since a time, oldest first.
#[get("/demo/events")]
async fn events(asked: Query<Asked>, emulator: Data<Emulator>) -> HttpResponse {
    match emulator.log_lines(asked.since_ms).await {
        Ok(lines) => HttpResponse::Ok()
            .insert_header((CACHE_CONTROL, "no-store"))
            .json(json!({ "events": events_in(&lines, asked.since_ms) })),
        Err(_) => HttpResponse::BadGateway().json(json!({ "error": "the log cannot be read" })),
    }
}

/// Cognito's retries give one event the same id: it is shown once. Lines of one millisecond keep their order.
fn events_in(lines: &[String], since_ms: i64) -> Vec<Value> {
    let mut found: Vec<(i64, Value)> = Vec::new();
    let mut seen = BTreeSet::new();
    for event in lines
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
    {
        let (Some(1), Some(at_ms), Some(id)) = (
            event["stepgate_event"].as_u64(),
            event["at_unix_ms"].as_i64(),
            event["event_id"].as_str(),
        ) else {
            continue;
        };
        if at_ms >= since_ms && seen.insert(id.to_owned()) {
            let shown = SHOWN
                .iter()
                .map(|name| ((*name).to_owned(), event[*name].clone()));
            found.push((at_ms, shown.collect()));
        }
    }
    found.sort_by_key(|(at_ms, _)| *at_ms);
    found.into_iter().map(|(_, event)| event).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, at_ms: i64, version: u8) -> String {
        json!({ "stepgate_event": version, "event_id": id, "at_unix_ms": at_ms, "type": "tokens", "user_hash": "hidden" })
            .to_string()
    }

    #[test]
    fn events_are_told_from_other_lines_and_shown_once_in_order() {
        let lines = [
            line("b", 20, 1),
            "START RequestId: 1".to_owned(),
            line("a", 10, 1),
            line("b", 20, 1),
            line("c", 5, 1),
            line("d", 30, 2),
            "{\"stepgate_note\":1}".to_owned(),
        ];
        let found = events_in(&lines, 10);
        let ids: Vec<&str> = found
            .iter()
            .filter_map(|event| event["event_id"].as_str())
            .collect();
        assert_eq!(ids, ["a", "b"]);
        assert!(found[0].get("user_hash").is_none());
    }
}
