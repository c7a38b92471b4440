//! Forms: nothing is done that a page of the same session did not ask for.

use super::{Stage, routes};

/// Every row of what the service keeps but for the audit log, which notes the attempts.
async fn everything(stage: &Stage) -> Vec<String> {
    let mut rows = Vec::new();
    for table in [
        "tenants",
        "apps",
        "policy_versions",
        "operations",
        "operation_steps",
        "console_sessions",
        "rollouts",
    ] {
        let statement = format!("SELECT to_jsonb(t)::text FROM {table} t");
        let found: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
            .fetch_all(&stage.app.owner)
            .await
            .unwrap();
        rows.extend(found);
    }
    rows.sort();
    rows
}

#[tokio::test]
async fn no_form_is_taken_without_the_token_of_its_own_session() {
    let stage = Stage::set().await;
    let made = stage.acme.tenant("customers").await;
    let tenant = made["id"].as_str().unwrap();
    let mut victim = stage.staff_browser("ops").await;
    let mut attacker = stage.staff_browser("ops").await;
    let foreign = attacker.open("/console").await.form_token();
    let own = victim.open("/console").await.form_token();
    assert_ne!(foreign, own, "each session has its own");
    let before = everything(&stage).await;
    let fields = [
        ("reason", "forged"),
        ("by", "username"),
        ("wanted", "ada"),
        ("replaces", "1"),
        ("tenants", "return"),
    ];
    let mut tried = 0;
    for route in routes("post") {
        let route = route.replace("tnt_01jd7v0p3h8s5k2m4n6q9r1t0z", tenant);
        for (token, site) in [
            ("", "same-origin"),
            ("x", "same-origin"),
            (foreign.as_str(), "same-origin"),
            (own.as_str(), "cross-site"),
            (own.as_str(), "same-site"),
        ] {
            let page = victim.submit_with(token, site, &route, &fields).await.expect(403);
            assert!(page.contains("nothing was done"), "{route}: {page}");
            tried += 1;
        }
    }
    assert!(tried >= 55, "{tried}");
    assert_eq!(everything(&stage).await, before);
    // The control: with its own token, from its own page, the same form is taken.
    let taken = victim
        .submit_with(
            &own,
            "same-origin",
            &format!("/console/tenants/{tenant}/suspend"),
            &fields,
        )
        .await;
    assert!(taken.location().starts_with("/console/operations/"));
    assert_ne!(everything(&stage).await, before);
}

#[tokio::test]
async fn forms_that_are_broken_are_refused() {
    let stage = Stage::set().await;
    let mut browser = stage.staff_browser("ops").await;
    let token = browser.open("/console").await.form_token();
    let large = "x".repeat(400 * 1024);
    let too_large = browser
        .submit_with(&token, "same-origin", "/console/sign-out", &[("reason", &large)])
        .await;
    assert_eq!(too_large.status.as_u16(), 413);
    browser.open("/console").await.expect(200);
    // Pages are not forms and forms are not pages.
    let page = browser
        .submit_with(&token, "same-origin", "/console/tenants", &[])
        .await;
    assert_eq!(page.status.as_u16(), 404);
}
