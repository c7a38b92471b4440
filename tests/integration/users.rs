//! Help for users, end to end: found in three ways, looked at, signed out everywhere.

use crate::installation;
use attacks::bench::random_letters;
use reqwest::Method;
use serde_json::{Value, json};

#[test]
fn a_user_is_found_by_name_address_and_sub_and_by_nothing_like_it() {
    installation::run(|installation| async move {
        let tenant = installation.tenant().await;
        let name = format!("Helped-{}", random_letters(10));
        let address = format!("{}@example.com", random_letters(12));
        let attributes = json!([{ "Name": "email", "Value": address }]);
        let user = tenant.bench.user_named(&name, &attributes).await.expect("a user");
        let find = format!("/v1/tenants/{}/users:find", tenant.id);
        let found = async |body: Value| {
            installation.partner.post(&find, &body).await.expect("an answer")["items"].clone()
        };
        for body in [
            json!({ "username": name }),
            json!({ "email": address }),
            json!({ "email": address.to_uppercase() }),
            json!({ "sub": user.sub }),
        ] {
            let items = found(body.clone()).await;
            assert_eq!(items.as_array().map(Vec::len), Some(1), "{body}: {items}");
            assert_eq!(items[0]["sub"], user.sub.as_str());
            let told =
                ["status", "enabled", "email_verified", "native_mfa"].map(|name| items[0][name].clone());
            assert_eq!(told, [json!("CONFIRMED"), json!(true), json!(true), json!([])]);
        }
        for body in [
            json!({ "username": &name[..8] }),
            json!({ "username": user.sub }),
            json!({ "username": address }),
            json!({ "username": format!("{name}\"") }),
            json!({ "email": name }),
            json!({ "email": "\" or username ^= \"" }),
            json!({ "email": "\\" }),
            json!({ "sub": "00000000-0000-4000-8000-000000000000" }),
        ] {
            assert_eq!(found(body.clone()).await, json!([]), "{body}");
        }
        let details = format!("/v1/tenants/{}/users/{}", tenant.id, user.sub);
        let details = installation.operator.get(&details).await.expect("the user");
        assert_eq!(
            (&details["username"], &details["links"], &details["exemptions"]),
            (&json!(user.name), &json!([]), &json!([]))
        );
        let logs = installation.service_logs();
        for personal in [name.as_str(), address.as_str()] {
            assert!(!logs.contains(personal), "{personal} was logged");
        }
    });
}

/// Looks at the API before giving up.
const LOOKS: u32 = 100;

#[test]
fn the_last_journeys_of_a_user_are_shown_and_nobody_elses() {
    installation::run(|installation| async move {
        let tenant = installation.tenant().await;
        let (bench, app) = (&tenant.bench, tenant.app());
        let (user, neighbour) = (
            bench.user().await.expect("a user"),
            bench.user().await.expect("a user"),
        );
        bench.sign_in(&app, &user).await.expect("tokens");
        bench.sign_in(&app, &neighbour).await.expect("tokens");
        let refused = bench.challenge(&app, &user).await.expect("a step-up");
        let answer = json!({ "code": "made-up", "state": "of-nobody" }).to_string();
        let step = bench
            .answer(&app, &user, &refused, &answer)
            .await
            .expect("an answer");
        assert!(step.tokens().is_err(), "the answer of nobody");
        let path = |sub: &str| format!("/v1/tenants/{}/users/{sub}", tenant.id);
        let mut details = Value::Null;
        for _ in 0..LOOKS {
            details = installation
                .partner
                .get(&path(&user.sub))
                .await
                .expect("the user");
            let outcomes = [0, 1].map(|index| details["journeys"][index]["outcome"].clone());
            if outcomes == ["failed", "succeeded"] {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        }
        let journeys = details["journeys"].as_array().expect("a list");
        assert_eq!(journeys.len(), 2, "{details}");
        let told = |index: usize| {
            ["outcome", "reason", "app_id", "journey_id"].map(|name| journeys[index][name].clone())
        };
        let app_id = json!(app.id);
        assert_eq!(
            told(0),
            [
                json!("failed"),
                json!("state_mismatch"),
                app_id.clone(),
                json!(refused.parameters["journey_id"])
            ]
        );
        assert_eq!(told(1)[..3], [json!("succeeded"), Value::Null, app_id]);

        // The hash is the one in the events: it finds the refresh and all else that has no journey.
        let hash = details["user_hash"].as_str().expect("a hash");
        let found = format!("/v1/events?user_hash={hash}&type=succeeded");
        let found = installation.partner.get(&found).await.expect("events");
        assert_eq!(found["items"].as_array().map(Vec::len), Some(1), "{found}");
        assert_eq!(found["items"][0]["journey_id"], journeys[1]["journey_id"]);
        let neighbours = installation
            .partner
            .get(&path(&neighbour.sub))
            .await
            .expect("the neighbour");
        assert_ne!(neighbours["user_hash"], details["user_hash"]);
        for journey in neighbours["journeys"].as_array().expect("a list") {
            assert!(
                journeys
                    .iter()
                    .all(|own| own["journey_id"] != journey["journey_id"]),
                "{neighbours}"
            );
        }
    });
}

#[test]
fn a_user_who_is_signed_out_is_so_everywhere() {
    installation::run(|installation| async move {
        let tenant = installation.tenant().await;
        let bench = &tenant.bench;
        let apps = [
            tenant.app(),
            bench.app("second session", json!({})).await.expect("an app"),
        ];
        let (user, neighbour) = (
            bench.user().await.expect("a user"),
            bench.user().await.expect("a user"),
        );
        let mut sessions = Vec::new();
        for app in &apps {
            let tokens = bench.sign_in(app, &user).await.expect("tokens");
            sessions.push((app, tokens.refresh_token.expect("a refresh token")));
        }
        let kept = bench.sign_in(&apps[0], &neighbour).await.expect("tokens");
        let sign_out = format!("/v1/tenants/{}/users/{}:sign-out", tenant.id, user.sub);
        let reason = json!({ "reason": "drill: stolen laptop" });
        let answer = installation
            .partner
            .call(Method::POST, &sign_out, None, Some(&reason))
            .await
            .expect("an answer");
        assert_eq!(answer.status, 204);
        for (app, refresh_token) in &sessions {
            let step = bench
                .cognito
                .refresh(&app.client_id, refresh_token)
                .await
                .expect("an answer");
            assert!(step.refused().is_some(), "{}", step.label());
        }
        // Cognito's revocation and the evidence each hold by themselves.
        let table = bench
            .function_variable(attacks::functions::Trigger::Define, "STEPGATE_RECORDS_TABLE")
            .await
            .expect("a table");
        let query = json!({
            "TableName": table, "ConsistentRead": true, "KeyConditionExpression": "pk = :user",
            "ExpressionAttributeValues": { ":user": { "S": format!("user#{}", user.sub) } }
        });
        let left = bench
            .aws()
            .expect("AWS")
            .must("dynamodb", "Query", &query)
            .await
            .expect("items");
        let left: Vec<&str> = left["Items"]
            .as_array()
            .expect("items")
            .iter()
            .filter_map(|item| item["sk"]["S"].as_str())
            .collect();
        assert!(left.iter().any(|key| key.starts_with("link#")), "{left:?}");
        assert!(
            !left
                .iter()
                .any(|key| key.starts_with("grant#") || key.starts_with("evidence#")),
            "{left:?}"
        );

        let refresh_token = kept.refresh_token.expect("a refresh token");
        let step = bench
            .cognito
            .refresh(&apps[0].client_id, &refresh_token)
            .await
            .expect("an answer");
        step.tokens().expect("nobody else is signed out");
        let nobody = sign_out.replace(&user.sub, "00000000-0000-4000-8000-000000000000");
        let answer = installation
            .partner
            .call(Method::POST, &nobody, None, Some(&reason))
            .await
            .expect("an answer");
        assert_eq!((answer.status, &answer.body["code"]), (404, &json!("not_found")));
        let mut database = installation.database().await;
        let logged: Vec<(String, String)> =
            sqlx::query_as("SELECT action, reason FROM audit_log WHERE resource_id = $1")
                .bind(&user.sub)
                .fetch_all(&mut database)
                .await
                .expect("the audit log");
        assert_eq!(
            logged,
            [("user_signed_out".to_owned(), "drill: stolen laptop".to_owned())]
        );
    });
}
