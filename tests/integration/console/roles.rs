//! What each role sees and may do: what it sees and may do through the API.

use super::{Stage, routes};
use crate::support::examples;
use serde_json::{Value, json};

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn partners_see_their_own_and_readers_change_nothing() {
    let stage = Stage::set().await;
    let own = text(&stage.acme.tenant("acme customers").await["id"]);
    let other = stage.app.partner("other").await;
    let foreign = text(&other.tenant("other customers").await["id"]);
    let suspend = |id: &str| format!("/console/tenants/{id}/suspend");
    let reason = [("reason", "drill")];

    for (word, may) in [("read", false), ("write", true)] {
        let mut browser = stage.acme_browser(word).await;
        let list = browser.open("/console/tenants").await.expect(200);
        assert!(list.contains("acme customers") && !list.contains("other customers"));
        let overview = browser.open("/console").await.expect(200);
        assert!(
            !overview.contains("/console/cells"),
            "cells are the installation's"
        );
        browser.open("/console/cells").await.expect(403);
        browser
            .open(&format!("/console/tenants/{foreign}"))
            .await
            .expect(404);
        let page = browser.open(&format!("/console/tenants/{own}")).await.expect(200);
        assert_eq!(page.contains(&suspend(&own)), may, "{word}");
        browser
            .submit("/console", &suspend(&foreign), &reason)
            .await
            .expect(if may { 404 } else { 403 });
        if !may {
            browser
                .submit("/console", &suspend(&own), &reason)
                .await
                .expect(403);
        }
    }
    for (word, may) in [("look", false), ("ops", true)] {
        let mut browser = stage.staff_browser(word).await;
        let list = browser.open("/console/tenants").await.expect(200);
        assert!(list.contains("acme customers") && list.contains("other customers"));
        browser.open("/console/cells").await.expect(200);
        for id in [&own, &foreign] {
            let page = browser.open(&format!("/console/tenants/{id}")).await.expect(200);
            assert_eq!(page.contains(&suspend(id)), may, "{word}");
        }
        if !may {
            browser
                .submit("/console", &suspend(&own), &reason)
                .await
                .expect(403);
        }
    }
    let untouched = stage.acme.get(&format!("/v1/tenants/{own}")).await.expect(200);
    assert_eq!(untouched["suspension"], Value::Null);
    // Refusals of known callers are written down, as the API's are.
    let denied = stage
        .acme
        .get("/v1/audit?outcome=denied")
        .await
        .expect(200)
        .to_string();
    assert!(
        denied.contains("acme:ada") && denied.contains("POST /console/tenants/{tenant_id}/suspend"),
        "{denied}"
    );
}

#[tokio::test]
async fn an_administrator_suspends_and_resumes_and_is_named_in_the_audit_log() {
    let stage = Stage::set().await;
    let tenant = text(&stage.acme.tenant("customers").await["id"]);
    let page = format!("/console/tenants/{tenant}");
    let mut browser = stage.acme_browser("write").await;
    for (verb, suspended) in [("suspend", true), ("resume", false)] {
        let sent = browser
            .submit(&page, &format!("{page}/{verb}"), &[("reason", "drill 7")])
            .await;
        let operation = sent.location();
        let before = browser.open(&operation).await.expect(200);
        assert!(
            before.contains("data-live") && before.contains("pending"),
            "{before}"
        );
        // As if a worker had done it.
        sqlx::query("UPDATE operations SET state = 'succeeded', started_at = created_at, finished_at = created_at WHERE finished_at IS NULL")
            .execute(&stage.app.owner)
            .await
            .unwrap();
        let after = browser.open(&operation).await.expect(200);
        assert!(!after.contains("data-live"), "{after}");
        let told = stage.acme.get(&format!("/v1/tenants/{tenant}")).await.expect(200);
        assert_eq!(told["suspension"].is_object(), suspended);
        let audit = browser.open("/console/audit").await.expect(200);
        assert!(audit.contains("acme:ada") && audit.contains("drill 7"), "{audit}");
    }
    // What is wrong with a form is said by name.
    let refused = browser
        .submit(&page, &format!("{page}/suspend"), &[("reason", "")])
        .await
        .expect(422);
    assert!(refused.contains("/reason"), "{refused}");
}

#[tokio::test]
async fn a_policy_is_read_simulated_compared_and_written_again() {
    let stage = Stage::set().await;
    let tenant = text(&stage.acme.tenant("customers").await["id"]);
    let app = text(&stage.acme.app(&tenant, "Portal").await["id"]);
    let api = format!("/v1/tenants/{tenant}/apps/{app}/policy");
    stage.acme.put(&api, 1, examples::policy()).await.expect(202);
    let page = format!("/console/tenants/{tenant}/apps/{app}");
    let mut browser = stage.acme_browser("write").await;
    let shown = browser.open(&page).await.expect(200);
    assert!(
        shown.contains("Policy, version 2") && shown.contains("Version 1"),
        "{shown}"
    );

    // The decision is the API's decision.
    for attributes in [
        json!({}),
        json!({"email": "ada@acme.example", "custom:unit": "service-desk"}),
    ] {
        let body = json!({"attributes": attributes});
        let told = stage
            .acme
            .post(&format!("{api}:simulate"), body)
            .await
            .expect(200);
        let typed: Vec<_> = attributes
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| format!("{name}={}", value.as_str().unwrap()))
            .collect();
        let fields = [("attributes", typed.join("\r\n"))];
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let decided = browser
            .submit(&page, &format!("{page}/simulate"), &fields)
            .await
            .expect(200);
        let rule = told["rule"].as_str().unwrap();
        assert!(
            decided.contains(&format!("data-rule=\"{rule}\"")),
            "{rule} in {decided}"
        );
    }
    let wrong = browser
        .submit(&page, &format!("{page}/simulate"), &[("document", "{")])
        .await
        .expect(422);
    assert!(wrong.contains("is not JSON"), "{wrong}");

    let first = format!("{page}/policy/1");
    let changed = browser.open(&format!("{page}/policy/2")).await.expect(200);
    assert!(changed.contains("What it changed"), "{changed}");
    let sent = browser
        .submit(&first, &format!("{first}/write-again"), &[("replaces", "2")])
        .await;
    assert!(sent.location().starts_with("/console/operations/op_"));
    let now = stage.acme.get(&api).await.expect(200);
    assert_eq!((&now["version"], &now["author"]), (&json!(3), &json!("acme:ada")));
    // Whoever looked at an older page does not write over what came since.
    browser
        .submit(&first, &format!("{first}/write-again"), &[("replaces", "2")])
        .await
        .expect(412);
    // Readers see no such form.
    let mut reader = stage.acme_browser("read").await;
    assert!(!reader.open(&first).await.expect(200).contains("write-again"));
}

#[tokio::test]
async fn what_others_wrote_is_text_on_every_page() {
    let stage = Stage::set().await;
    let evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
    let tenant = text(&stage.acme.tenant(evil).await["id"]);
    let app = text(&stage.acme.app(&tenant, "Portal").await["id"]);
    let suspend = format!("/v1/tenants/{tenant}:suspend");
    let asked = stage
        .acme
        .post(&suspend, json!({"reason": evil}))
        .await
        .expect(202);
    // What AWS or a provider says reaches pages through a failure.
    sqlx::query("UPDATE tenants SET last_error = $1")
        .bind(json!({"code": evil, "message": evil, "hint": evil, "at": "2026-01-05T10:00:00Z"}))
        .execute(&stage.app.owner)
        .await
        .unwrap();
    sqlx::query(
        "UPDATE operation_steps SET detail = $1, error = $1, state = 'failed', aws_request_id = $1,
                tries = jsonb_build_array(jsonb_build_object('number', 1, 'started_at', now()),
                    jsonb_build_object('number', 2, 'started_at', now(), 'error', $1, 'aws_request_id', $1))",
    )
    .bind(evil)
    .execute(&stage.app.owner)
    .await
    .unwrap();
    sqlx::query("UPDATE policy_versions SET author = $1")
        .bind(evil)
        .execute(&stage.app.owner)
        .await
        .unwrap();
    let mut browser = stage.staff_browser("ops").await;
    let encoded = "%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    for page in [
        "/console".to_owned(),
        "/console/tenants".to_owned(),
        format!("/console/tenants?name={encoded}"),
        format!("/console/tenants/{tenant}"),
        format!("/console/tenants/{tenant}/apps/{app}"),
        format!("/console/tenants/{tenant}/apps/{app}/policy/1"),
        format!(
            "/console/operations/{}",
            asked["operation"]["id"].as_str().unwrap()
        ),
        "/console/operations".to_owned(),
        format!("/console/audit?actor={encoded}"),
        "/console/audit".to_owned(),
        format!("/console/sign-in?return_to={encoded}"),
    ] {
        let shown = browser.open(&page).await.expect(200);
        for raw in ["<script>alert", "<img src=x"] {
            assert!(!shown.contains(raw), "{page}: {shown}");
        }
    }
    let missing = browser.open(&format!("/console/{encoded}")).await.expect(404);
    assert!(!missing.contains("<script>alert"), "{missing}");
    // The control: it is there, as text.
    let shown = browser
        .open(&format!("/console/tenants/{tenant}"))
        .await
        .expect(200);
    assert!(shown.contains("&lt;script&gt;alert(1)"), "{shown}");
}

#[tokio::test]
async fn every_page_asks_who_looks() {
    let stage = Stage::set().await;
    let mut stranger = super::Browser::new(&stage.app);
    for route in routes("get") {
        let page = stranger.open(&route).await;
        page.check_headers();
        let open = ["/console/sign-in", "/console/callback", "/console/enter/"];
        if open.iter().any(|open| route.starts_with(open)) {
            assert!(
                !page.headers.contains_key("set-cookie"),
                "{route} gives nothing to strangers"
            );
        } else {
            assert!(page.location().starts_with("/console/sign-in?"), "{route}");
        }
        // An API key opens no page, and a session opens no API.
        let key = stage.app.operator().get(&route).await;
        assert!(!key.text.contains("Sign out"), "{route}");
    }
    let browser = stage.staff_browser("ops").await;
    let cookie = format!("__Host-stepgate={}", browser.cookies["__Host-stepgate"]);
    let request = stage.app.anybody().request(reqwest::Method::GET, "/v1/tenants");
    crate::support::client::send(request.header("cookie", cookie))
        .await
        .problem(401, "unauthenticated");
}
