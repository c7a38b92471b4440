//! Links by hand, end to end: who may step up for whom is an administrator's to say, and to take back.

use crate::installation;
use attacks::bench::{App, Bench, User, now_ms};
use attacks::functions::Trigger;
use attacks::stepgate::any_method_policy;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use step_up::reason::Reason;

async fn linked_only(bench: &Bench) -> App {
    let mut policy = any_method_policy();
    policy["default"]["subject_link"] = "linked_only".into();
    bench
        .app("linked by hand", json!({ "policy": policy }))
        .await
        .expect("an app")
}

/// A step-up that *verify* must refuse for this reason.
async fn refused(bench: &Bench, app: &App, user: &User, reason: Reason) {
    let challenge = bench.challenge(app, user).await.expect("a step-up");
    let posted = bench.posted(&challenge).await.expect("a code");
    let since = now_ms();
    let step = bench
        .answer(app, user, &challenge, &posted.answer())
        .await
        .expect("an answer");
    assert!(step.refused().is_some(), "{}", step.label());
    let refusal = bench
        .refusal(Trigger::Verify, user, since)
        .await
        .expect("a reason");
    assert_eq!(refusal.reason, Some(reason));
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story, told in its order")]
fn unlinking_ends_sessions_and_only_an_administrators_link_lets_in_again() {
    installation::run(|installation| async move {
        let tenant = installation.tenant().await;
        let (bench, main) = (&tenant.bench, tenant.app());
        let app = linked_only(bench).await;
        let user = bench.user().await.expect("a user");
        let path = format!("/v1/tenants/{}/users/{}/links", tenant.id, user.sub);
        let list = async || installation.partner.get(&path).await.expect("the links")["items"].clone();
        refused(bench, &app, &user, Reason::LinkRefused).await;
        assert_eq!(list().await, json!([]));

        // The main app's policy lets a name make the first link: so the subject is known.
        let tokens = bench.sign_in(&main, &user).await.expect("tokens");
        let refresh_token = tokens.refresh_token.expect("a refresh token");
        let links = list().await;
        assert_eq!(
            (&links[0]["made_by"], &links[0]["actor"]),
            (&json!("username"), &Value::Null)
        );
        let (subject, issuer) = (links[0]["subject"].clone(), links[0]["issuer"].clone());
        let again = json!({ "subject": subject, "reason": "drill" });
        let taken = installation
            .partner
            .call(Method::POST, &path, None, Some(&again))
            .await
            .expect("an answer");
        assert_eq!((taken.status, &taken.body["code"]), (409, &json!("link_taken")));

        // Cognito compares by the second when a token was issued and when its user was signed out.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        let unlink = format!("{path}/{}:unlink", links[0]["id"].as_str().expect("an id"));
        let reason = json!({ "reason": "drill: wrong person" });
        let done = installation
            .partner
            .post(&unlink, &reason)
            .await
            .expect("unlinked");
        assert_eq!(done, json!({ "unlinked": true, "links": [] }));
        assert_eq!(list().await, json!([]));
        let step = bench
            .cognito
            .refresh(&main.client_id, &refresh_token)
            .await
            .expect("an answer");
        let kind = step
            .refused()
            .expect("a session of an unlinked user ends")
            .kind
            .clone();
        assert_eq!(kind, "NotAuthorizedException", "signed out at Cognito itself");
        let repeated = installation
            .partner
            .post(&unlink, &reason)
            .await
            .expect("it may be repeated");
        assert_eq!(repeated["unlinked"], false);
        refused(bench, &app, &user, Reason::LinkRefused).await;

        for (body, code) in [
            (json!({ "subject": "", "reason": "drill" }), "/subject empty"),
            (
                json!({ "subject": subject, "issuer": "https://evil.example", "reason": "drill" }),
                "/issuer not_the_provider",
            ),
        ] {
            let answer = installation
                .partner
                .call(Method::POST, &path, None, Some(&body))
                .await
                .expect("an answer");
            let field = &answer.body["errors"][0];
            let told = format!(
                "{} {}",
                field["pointer"].as_str().unwrap_or_default(),
                field["code"].as_str().unwrap_or_default()
            );
            assert_eq!((answer.status, told.as_str()), (422, code));
        }
        let by_hand =
            json!({ "subject": subject, "issuer": issuer, "reason": "drill: identity checked at the desk" });
        let made = installation.operator.post(&path, &by_hand).await.expect("a link");
        assert_eq!(made["made_by"], "administrator");
        assert!(
            made["actor"]
                .as_str()
                .is_some_and(|actor| actor.starts_with("key_")),
            "{made}"
        );
        bench.sign_in(&app, &user).await.expect("a linked user signs in");

        let nobody = format!(
            "/v1/tenants/{}/users/00000000-0000-4000-8000-000000000000/links",
            tenant.id
        );
        let answer = installation
            .partner
            .call(Method::POST, &nobody, None, Some(&by_hand))
            .await
            .expect("an answer");
        assert_eq!((answer.status, &answer.body["code"]), (404, &json!("not_found")));

        let mut database = installation.database().await;
        let logged: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT action, reason, detail::text FROM audit_log WHERE resource_id = $1 ORDER BY position",
        )
        .bind(&user.sub)
        .fetch_all(&mut database)
        .await
        .expect("the audit log");
        let actions: Vec<&str> = logged.iter().map(|(action, ..)| action.as_str()).collect();
        assert_eq!(
            actions,
            ["user_unlinked", "user_unlinked", "user_linked"],
            "and nothing of what was refused: {logged:?}"
        );
        let personal = [user.name.as_str(), subject.as_str().expect("text")];
        let text = format!("{logged:?}") + &installation.service_logs();
        for needle in personal {
            assert!(!text.contains(needle), "{needle} was written down");
        }
    });
}
