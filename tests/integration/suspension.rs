//! A suspended tenant issues nothing, on any path, until it is resumed; and who did it is on record.

use crate::installation;
use attacks::bench::now_ms;
use attacks::functions::Trigger;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use step_up::reason::Reason;

/// Looks at warm functions before giving up: they keep settings for 30 s.
const LOOKS: u32 = 60;

#[test]
fn a_suspended_tenant_issues_nothing_until_it_is_resumed() {
    installation::run(|installation| async move {
        let tenant = installation.onboard("Suspended").await;
        let (bench, app) = (&tenant.bench, tenant.app());
        let user = bench.user().await.expect("a user");
        let tokens = bench.sign_in(&app, &user).await.expect("tokens");
        let refresh_token = tokens.refresh_token.expect("a refresh token");
        let suspend = format!("/v1/tenants/{}:suspend", tenant.id);
        let resume = format!("/v1/tenants/{}:resume", tenant.id);
        let why = json!({ "reason": "drill of the emergency plan" });
        let refused = async |path: &str, body: &Value| {
            let answer = installation
                .partner
                .call(Method::POST, path, None, Some(body))
                .await
                .expect("an answer");
            (answer.status, answer.body["code"].clone())
        };
        assert_eq!(
            refused(&suspend, &json!({})).await,
            (422, json!("validation_failed"))
        );
        assert_eq!(
            refused(&suspend, &json!({ "reason": " " })).await,
            (422, json!("validation_failed"))
        );

        let answer = installation.partner.post(&suspend, &why).await.expect("accepted");
        assert_eq!(answer["tenant"]["suspension"]["reason"], why["reason"]);
        assert_eq!(answer["operation"]["kind"], "suspend_tenant");
        installation
            .partner
            .wait(&answer["operation"])
            .await
            .expect("it reaches the settings");

        let mut since = now_ms();
        let mut shut = false;
        for _ in 0..LOOKS {
            since = now_ms();
            let step = bench.cognito.refresh(&app.client_id, &refresh_token).await;
            shut = step.expect("an answer").refused().is_some();
            if shut {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(shut, "a suspended tenant goes on refreshing");
        let refusal = bench
            .refusal(Trigger::Gate, &user, since)
            .await
            .expect("a reason");
        assert_eq!(refusal.reason, Some(Reason::Suspended));
        let step = bench
            .cognito
            .password("CUSTOM_AUTH", &bench.who(&app, &user))
            .await
            .expect("an answer");
        assert!(step.refused().is_some(), "{}", step.label());

        // The operator may open it again.
        let answer = installation.operator.post(&resume, &why).await.expect("accepted");
        assert!(answer["tenant"]["suspension"].is_null());
        installation
            .operator
            .wait(&answer["operation"])
            .await
            .expect("it reaches the settings");
        let mut open = false;
        for _ in 0..LOOKS {
            if bench.sign_in(&app, &user).await.is_ok() {
                open = true;
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(open, "a resumed tenant goes on refusing");

        let mut database = installation.database().await;
        let logged: Vec<(String, String)> =
            sqlx::query_as("SELECT action, reason FROM audit_log WHERE tenant_id = $1 AND action IN ('tenant_suspended', 'tenant_resumed') ORDER BY position")
                .bind(&tenant.id)
                .fetch_all(&mut database)
                .await
                .expect("the audit log");
        let reason = "drill of the emergency plan".to_owned();
        assert_eq!(
            logged,
            [
                ("tenant_suspended".to_owned(), reason.clone()),
                ("tenant_resumed".to_owned(), reason)
            ]
        );
        for change in [
            "UPDATE audit_log SET reason = 'none'",
            "DELETE FROM audit_log",
            "TRUNCATE audit_log CASCADE",
        ] {
            let error = sqlx::query(change)
                .execute(&mut database)
                .await
                .expect_err("the audit log is only added to");
            assert!(error.to_string().contains("only added to"), "{change}: {error}");
        }
    });
}
