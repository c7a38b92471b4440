//! The end of a tenant, end to end: nobody signs in, its users are handed out, and then it is gone.

use crate::installation;
use attacks::bench::{now_ms, random_letters};
use attacks::functions::Trigger;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use step_up::reason::Reason;

/// Looks at warm functions before giving up: they keep settings for 30 s.
const LOOKS: u32 = 60;
/// Users beside the one who signs in: more than Cognito tells of at once.
const USERS: usize = 64;

#[test]
#[expect(clippy::too_many_lines, reason = "one story, told in its order")]
fn a_deleted_tenant_refuses_everybody_hands_its_users_out_and_goes() {
    installation::run(|installation| async move {
        let tenant = installation.onboard("Deleted").await;
        let (bench, app) = (&tenant.bench, tenant.app());
        let user = bench.user().await.expect("a user");
        bench.sign_in(&app, &user).await.expect("tokens");
        let mut names = BTreeSet::from([user.name.clone()]);
        let family = format!("=Family-{}", random_letters(12));
        for _ in 0..USERS {
            let name = format!("member-{}", random_letters(10));
            let attributes = json!([
                { "Name": "family_name", "Value": family },
                { "Name": "custom:unit", "Value": "a \"b\", c" },
            ]);
            bench.invited(&name, &attributes).await.expect("a user");
            names.insert(name);
        }
        let path = format!("/v1/tenants/{}", tenant.id);
        let answer = installation
            .partner
            .call(Method::DELETE, &path, None, None)
            .await
            .expect("an answer");
        assert_eq!(answer.status, 202, "{}", answer.body);
        installation
            .partner
            .wait(&answer.body["operation"])
            .await
            .expect("it reaches the settings");

        let mut since = now_ms();
        let mut shut = false;
        for _ in 0..LOOKS {
            since = now_ms();
            shut = bench.sign_in(&app, &user).await.is_err();
            if shut {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(shut, "a deleted tenant goes on signing in");
        let refusal = bench
            .refusal(Trigger::Define, &user, since)
            .await
            .expect("a reason");
        assert_eq!(refusal.reason, Some(Reason::Suspended));

        let export = format!("{path}/users:export");
        let text = async |format: &str| {
            let http = attacks::http::client().expect("a client");
            let url = installation.api_url().join(&export).expect("a URL");
            let answer = http
                .post(url)
                .bearer_auth(installation.partner_key())
                .json(&json!({ "format": format, "reason": "the contract ended" }))
                .send()
                .await
                .expect("an answer");
            assert_eq!(answer.status().as_u16(), 200);
            answer.text().await.expect("a whole answer")
        };
        let lines: Vec<Value> = text("ndjson")
            .await
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        let exported: BTreeSet<_> = lines
            .iter()
            .map(|line| line["username"].as_str().expect("a name").to_owned())
            .collect();
        assert_eq!((lines.len(), &exported), (USERS + 1, &names));
        let own = lines.iter().find(|line| line["username"] == user.name.as_str());
        assert_eq!(own.expect("the user")["attributes"]["sub"], user.sub.as_str());
        let member = lines
            .iter()
            .find(|line| line["username"] != user.name.as_str())
            .expect("a member");
        assert_eq!(member["attributes"]["family_name"], family.as_str());
        assert_eq!(member["attributes"]["custom:unit"], "a \"b\", c");
        let table = text("csv").await;
        assert_eq!(table.matches("\r\n").count(), USERS + 2);
        assert!(table.starts_with("\"username\",\"status\"") && table.contains("\"custom:unit\"\r\n"));
        assert!(table.contains(&format!("\"'{family}\"")) && table.contains("\"a \"\"b\"\", c\""));

        let deletion = installation.partner.get(&path).await.expect("the tenant")["deletion"].clone();
        assert_eq!(deletion["export"]["users"], json!(USERS + 1), "{deletion}");
        let mut database = installation.database().await;
        let stored: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM tenants t WHERE to_jsonb(t)::text LIKE '%' || $1 || '%'",
        )
        .bind(&family)
        .fetch_one(&mut database)
        .await
        .expect("a count");
        let audited: Vec<(String, String)> =
            sqlx::query_as("SELECT action, detail::text FROM audit_log WHERE tenant_id = $1 AND action LIKE 'users_export%' ORDER BY position")
                .bind(&tenant.id)
                .fetch_all(&mut database)
                .await
                .expect("the audit log");
        let actions: Vec<_> = audited.iter().map(|(action, _)| action.as_str()).collect();
        assert_eq!(
            (stored, actions),
            (
                0,
                vec![
                    "users_export_begun",
                    "users_exported",
                    "users_export_begun",
                    "users_exported"
                ]
            )
        );
        let logs = installation.service_logs();
        for personal in [family.as_str(), user.name.as_str()] {
            assert!(!logs.contains(personal), "{personal} was logged");
            assert!(audited.iter().all(|(_, detail)| !detail.contains(personal)));
        }

        purge(installation, &path).await;
        let step = bench
            .cognito
            .password("CUSTOM_AUTH", &bench.who(&app, &user))
            .await
            .expect("an answer");
        assert!(step.refused().is_some(), "{}", step.label());
        let pools = bench
            .aws()
            .expect("AWS")
            .must("cognito-idp", "ListUserPools", &json!({ "MaxResults": 60 }))
            .await
            .expect("pools");
        let left = pools["UserPools"].as_array().expect("a list").iter();
        let own = tenant.made["tenant"]["id"]
            .as_str()
            .expect("an id")
            .replace("tnt_", "stepgate-");
        assert_eq!(left.filter(|pool| pool["Name"] == own.as_str()).count(), 0);
    });
}

/// Has the operator purge it at once, with its users, who were exported.
async fn purge(installation: &installation::Installation, path: &str) {
    let purge = format!("{path}:purge");
    let mut body = json!({ "reason": "drill", "retain_user_pool": false, "before_its_time": true });
    let told = installation
        .operator
        .call(Method::POST, &purge, None, Some(&body))
        .await
        .expect("an answer");
    assert_eq!(
        (told.status, &told.body["code"]),
        (409, &json!("confirmation_required"))
    );
    let loses = told.body["confirmation"]["loses"].as_str().expect("a text");
    assert!(loses.contains("65 users"), "{loses}");
    body["confirm"] = told.body["confirmation"]["confirm"].clone();
    let accepted = installation.operator.post(&purge, &body).await.expect("accepted");
    installation
        .operator
        .wait(&accepted["operation"])
        .await
        .expect("it goes");
    let operation = format!(
        "/v1/operations/{}",
        accepted["operation"]["id"].as_str().expect("an id")
    );
    let operation = installation.partner.get(&operation).await.expect("the operation");
    assert_eq!(operation["report"]["user_pool"], "deleted", "{operation}");
    assert_eq!(operation["report"]["users"], 65, "{operation}");
}
