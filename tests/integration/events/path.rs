//! The whole path: what a trigger prints on a sign-in arrives as an event and is counted.

use crate::installation;
use serde_json::Value;
use std::{collections::BTreeSet, time::Duration};

/// Looks at the API before giving up.
const LOOKS: u32 = 100;

#[test]
fn a_sign_in_arrives_in_events_and_reports() {
    installation::run(|installation| async move {
        let tenant = installation.tenant().await;
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

        let wanted =
            BTreeSet::from(["started", "offered", "linked", "succeeded", "tokens"].map(str::to_owned));
        let path = format!("/v1/events?journey_id={journey}");
        let mut found = BTreeSet::new();
        let mut events = Value::Null;
        for _ in 0..LOOKS {
            events = installation.partner.get(&path).await.expect("events");
            let items = events["items"].as_array().expect("a list");
            let types = items.iter().filter_map(|event| event["type"].as_str());
            found = types.map(str::to_owned).collect();
            if found.is_superset(&wanted) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        if found != wanted {
            let latest = format!("/v1/events?tenant_id={}&limit=10", tenant.id);
            let latest = installation.partner.get(&latest).await.expect("events");
            panic!(
                "of {journey} arrived {found:?}, not {wanted:?}: {events}; latest of the tenant: {latest}"
            );
        }
        let items = events["items"].as_array().expect("a list");
        assert_eq!(items.len(), wanted.len(), "each once: {events}");
        for event in items {
            assert_eq!(event["tenant_id"], tenant.id.as_str());
            let text = event.to_string();
            assert!(!text.contains(&user.sub) && !text.contains(&user.name), "{text}");
        }

        let report = installation
            .partner
            .get(&format!("/v1/tenants/{}/metrics/step-up?step=minute", tenant.id))
            .await
            .expect("a report");
        assert!(report["total"]["succeeded"].as_i64() >= Some(1), "{report}");
    });
}
