//! The door beside the step-up, end to end: opened by two persons, seen in tokens, shut in time.

use crate::installation::{self, Installation, Tenant};
use attacks::bench::{App, Bench, User, now_ms};
use attacks::cognito::Tokens;
use attacks::functions::Trigger;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use step_up::reason::Reason;

/// How long warm functions keep a policy, and a little for the look itself.
const CLOSED_WITHIN: Duration = Duration::from_secs(35);
const PAUSE: Duration = Duration::from_millis(500);

async fn ask(installation: &Installation, tenant: &Tenant, body: Value) -> String {
    let path = format!("/v1/tenants/{}/exemptions", tenant.id);
    let asked = installation
        .partner
        .post(&path, &body)
        .await
        .expect("it is asked for");
    assert_eq!(asked["state"], "pending");
    format!("{path}/{}", asked["id"].as_str().expect("an id"))
}

async fn approve(installation: &Installation, exemption: &str) -> Value {
    let own = installation
        .partner
        .call(reqwest::Method::POST, &format!("{exemption}:approve"), None, None)
        .await
        .expect("an answer");
    assert_eq!(
        (own.status, &own.body["code"]),
        (403, &json!("second_person_required"))
    );
    let approved = installation
        .operator
        .call(reqwest::Method::POST, &format!("{exemption}:approve"), None, None)
        .await
        .expect("an answer")
        .ok("approve")
        .expect("a second person may");
    installation
        .operator
        .wait(&approved["operation"])
        .await
        .expect("the triggers are told");
    approved["exemption"].clone()
}

/// What a password alone leads to: tokens, or the step-up.
async fn by_password(bench: &Bench, app: &App, user: &User) -> Option<Tokens> {
    let step = bench
        .cognito
        .password("CUSTOM_AUTH", &bench.who(app, user))
        .await
        .expect("an answer");
    step.tokens().ok()
}

/// Waits until the password alone gives tokens: warm functions follow within 30 s.
async fn opened(bench: &Bench, app: &App, user: &User) -> Tokens {
    let since = Instant::now();
    loop {
        if let Some(tokens) = by_password(bench, app, user).await {
            return tokens;
        }
        assert!(
            since.elapsed() < CLOSED_WITHIN,
            "an approved exemption opens nothing"
        );
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits until the password alone leads to the step-up again, and says how long that took.
async fn closed(bench: &Bench, app: &App, user: &User) -> Duration {
    let since = Instant::now();
    while by_password(bench, app, user).await.is_some() {
        assert!(
            since.elapsed() < CLOSED_WITHIN,
            "an exemption that has ended goes on"
        );
        tokio::time::sleep(PAUSE).await;
    }
    since.elapsed()
}

#[test]
fn an_exempted_user_signs_in_until_the_exemption_is_revoked() {
    installation::run(|installation| async move {
        let tenant = installation.tenant().await;
        let bench = &tenant.bench;
        let app = bench.app("exempting", json!({})).await.expect("an app");
        let (user, neighbour) = (
            bench.user().await.expect("a user"),
            bench.user().await.expect("a user"),
        );
        let exemption = ask(
            installation,
            tenant,
            json!({ "app_id": app.id, "user_sub": user.sub, "reason": "drill: phone lost", "duration_min": 60 }),
        )
        .await;
        assert!(
            by_password(bench, &app, &user).await.is_none(),
            "a request alone opens nothing"
        );
        let approved = approve(installation, &exemption).await;
        let tokens = opened(bench, &app, &user).await;
        for claims in [
            tokens.id_claims().expect("claims"),
            tokens.access_claims().expect("claims"),
        ] {
            assert_eq!(claims["stepup_exempt"], approved["id"], "{claims}");
            assert!(
                claims["stepup_acr"].is_null() && claims["stepup_at"].is_null(),
                "{claims}"
            );
        }
        let refresh_token = tokens.refresh_token.expect("a refresh token");
        let refreshed = bench
            .cognito
            .refresh(&app.client_id, &refresh_token)
            .await
            .expect("an answer");
        let claims = refreshed.tokens().expect("tokens").id_claims().expect("claims");
        assert_eq!(claims["stepup_exempt"], approved["id"]);
        assert!(
            by_password(bench, &app, &neighbour).await.is_none(),
            "it is one user's"
        );
        assert!(
            by_password(bench, &tenant.app(), &user).await.is_none(),
            "and one app's"
        );
        let details = format!("/v1/tenants/{}/users/{}", tenant.id, user.sub);
        let details = installation.partner.get(&details).await.expect("the user");
        assert_eq!(details["exemptions"][0]["id"], approved["id"]);

        let why = json!({ "reason": "drill: phone found" });
        let revoked = installation
            .partner
            .post(&format!("{exemption}:revoke"), &why)
            .await
            .expect("accepted");
        installation
            .partner
            .wait(&revoked["operation"])
            .await
            .expect("the triggers are told");
        println!("closed after {:?}", closed(bench, &app, &user).await);
        let (since, begin) = (now_ms(), Instant::now());
        loop {
            let step = bench
                .cognito
                .refresh(&app.client_id, &refresh_token)
                .await
                .expect("an answer");
            if step.refused().is_some() {
                break;
            }
            assert!(
                begin.elapsed() < CLOSED_WITHIN,
                "a session without step-up goes on: {}",
                step.label()
            );
            tokio::time::sleep(PAUSE).await;
        }
        let refusal = bench
            .refusal(Trigger::Gate, &user, since)
            .await
            .expect("a reason");
        assert_eq!(refusal.reason, Some(Reason::EvidenceExpired));

        let mut database = installation.database().await;
        let logged: Vec<(String, String, Value)> = sqlx::query_as(
            "SELECT action, actor, detail FROM audit_log WHERE resource_id = $1 ORDER BY position",
        )
        .bind(approved["id"].as_str().expect("an id"))
        .fetch_all(&mut database)
        .await
        .expect("the audit log");
        let actions: Vec<&str> = logged.iter().map(|(action, ..)| action.as_str()).collect();
        assert_eq!(
            actions,
            ["exemption_asked", "exemption_approved", "exemption_revoked"]
        );
        assert_ne!(logged[0].1, logged[1].1, "two persons");
        let text = format!("{logged:?}");
        assert!(!text.contains(&user.name), "a user name is in the audit log");
    });
}

#[test]
fn an_exemption_of_everybody_ends_by_itself() {
    installation::run(|installation| async move {
        let tenant = installation.tenant().await;
        let bench = &tenant.bench;
        let app = bench.app("exempting all", json!({})).await.expect("an app");
        let user = bench.user().await.expect("a user");
        let exemption = ask(
            installation,
            tenant,
            json!({ "app_id": app.id, "reason": "drill: provider down", "duration_min": 1 }),
        )
        .await;
        let approved = approve(installation, &exemption).await;
        let tokens = opened(bench, &app, &user).await;
        assert_eq!(
            tokens.id_claims().expect("claims")["stepup_exempt"],
            approved["id"]
        );
        let other = bench.user().await.expect("a user");
        // It is everybody's; another warm function may read it later.
        opened(bench, &app, &other).await;

        let ends = chrono::DateTime::parse_from_rfc3339(approved["expires_at"].as_str().expect("a time"));
        let left_ms = ends.expect("a time").timestamp_millis() - now_ms();
        tokio::time::sleep(Duration::from_millis(
            u64::try_from(left_ms).unwrap_or_default() + 1_000,
        ))
        .await;
        assert!(
            by_password(bench, &app, &user).await.is_none(),
            "its time is over, warm or not"
        );
        let mut state = Value::Null;
        for _ in 0..60 {
            let now = installation.partner.get(&exemption).await.expect("it");
            state = now["state"].clone();
            if state == "expired" {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        assert_eq!(state, "expired");
        let mut database = installation.database().await;
        let actors: Vec<String> = sqlx::query_scalar(
            "SELECT actor FROM audit_log WHERE resource_id = $1 AND action = 'exemption_expired'",
        )
        .bind(approved["id"].as_str().expect("an id"))
        .fetch_all(&mut database)
        .await
        .expect("the audit log");
        assert_eq!(actors, ["worker"]);
    });
}
