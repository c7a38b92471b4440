//! The whole path: what a trigger prints on a sign-in arrives as an event and is counted.

use crate::installation::{self, Installation, Tenant};
use serde_json::Value;
use std::{collections::BTreeSet, time::Duration};

/// Looks at the API before another sign-in.
const LOOKS: u32 = 40;

/// Sign-ins before giving up: the emulator invokes the forwarder once for each log line, and not again where that failed,
/// as Lambda would. [`super::outage`] forgives nothing: there the lines that never came to the forwarder come again.
const SIGN_INS: u32 = 4;

#[test]
fn a_sign_in_arrives_in_events_and_reports() {
    installation::run(|installation| async move {
        let tenant = installation.tenant().await;
        let mut missed = Vec::new();
        while let Err(events) = sign_in_arrives(installation, tenant).await {
            missed.push(events);
            assert!(
                missed.len() < SIGN_INS as usize,
                "not everything arrived: {missed:?}"
            );
        }
        let report = installation
            .partner
            .get(&format!("/v1/tenants/{}/metrics/step-up?step=minute", tenant.id))
            .await
            .expect("a report");
        assert!(report["total"]["succeeded"].as_i64() >= Some(1), "{report}");
    });
}

/// Signs a new user in. Are all events of it there? If not, those that are.
async fn sign_in_arrives(installation: &Installation, tenant: &Tenant) -> Result<(), Value> {
    let (bench, app) = (&tenant.bench, tenant.app());
    let user = bench.user().await.expect("a user");
    let challenge = bench.challenge(&app, &user).await.expect("a step-up");
    let journey = challenge.parameters["journey_id"].clone();
    let posted = bench.posted(&challenge).await.expect("a code");
    let step = bench
        .answer(&app, &user, &challenge, &posted.answer())
        .await
        .expect("an answer");
    step.tokens().expect("tokens");

    let wanted = BTreeSet::from(["started", "offered", "linked", "succeeded", "tokens"]);
    let path = format!("/v1/events?journey_id={journey}");
    let mut events = Value::Null;
    for _ in 0..LOOKS {
        tokio::time::sleep(Duration::from_millis(300)).await;
        events = installation.partner.get(&path).await.expect("events");
        let items = events["items"].as_array().expect("a list");
        let types = items.iter().filter_map(|event| event["type"].as_str());
        if types.collect::<BTreeSet<_>>() != wanted {
            continue;
        }
        assert_eq!(items.len(), wanted.len(), "each once: {events}");
        for event in items {
            assert_eq!(event["tenant_id"], tenant.id.as_str());
            let text = event.to_string();
            assert!(!text.contains(&user.sub) && !text.contains(&user.name), "{text}");
        }
        return Ok(());
    }
    Err(events)
}
