//! The demonstration's link: once, soon, and in a demonstration only.

use super::Browser;
use crate::support::TestApp;
use chrono::TimeDelta;
use std::sync::Arc;
use stepgate::{Context, error::Code, usecases::console_sessions};

async fn demonstration() -> TestApp {
    let app = TestApp::start_with(|config| config.console.demo_link = true).await;
    app.add_cell("eu-central-1").await;
    app
}

async fn link(context: &Context) -> String {
    let (link, _) = console_sessions::make_link(context).await.unwrap();
    format!("/console/enter/{}", link.reveal())
}

#[tokio::test]
async fn a_link_signs_an_operator_in_once() {
    let app = demonstration().await;
    let link = link(&app.context).await;
    let mut first = Browser::new(&app);
    first.open(&link).await.expect_redirect("/console");
    let page = first.open("/console").await.expect(200);
    assert!(page.contains("demo.link:operator, operator"), "{page}");
    first.open("/console/cells").await.expect(200);
    // Not for anybody else, nor again for the same.
    for browser in [&mut Browser::new(&app), &mut first] {
        let refused = browser.open(&link).await.expect(403);
        assert!(refused.contains("used already"), "{refused}");
    }
    let audited = app
        .operator()
        .get("/v1/audit?action=console_signed_in")
        .await
        .expect(200);
    assert_eq!(audited["items"].as_array().unwrap().len(), 1);
    assert_eq!(audited["items"][0]["actor"], "demo.link:operator");
}

#[tokio::test]
async fn of_two_who_open_a_link_at_once_one_gets_in() {
    let app = demonstration().await;
    for _ in 0..5 {
        let link = link(&app.context).await;
        let (mut one, mut other) = (Browser::new(&app), Browser::new(&app));
        let (a, b) = tokio::join!(one.open(&link), other.open(&link));
        let mut statuses = [a.status.as_u16(), b.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [303, 403]);
    }
}

#[tokio::test]
async fn a_link_does_not_wait_for_ever_and_cannot_be_guessed() {
    let app = demonstration().await;
    let link = link(&app.context).await;
    app.clock.advance(TimeDelta::minutes(30));
    let mut browser = Browser::new(&app);
    browser.open(&link).await.expect(403);
    browser
        .open(&format!("/console/enter/{}", "0".repeat(64)))
        .await
        .expect(403);
    for bad in ["x", "%27%20OR%201=1", &"0".repeat(63)] {
        browser.open(&format!("/console/enter/{bad}")).await.expect(404);
    }
    assert!(browser.cookies.is_empty());
}

#[tokio::test]
async fn outside_of_a_demonstration_there_are_no_links_and_none_is_taken() {
    let app = TestApp::start().await;
    let refused = console_sessions::make_link(&app.context).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotConfigured);
    // A link that is in the database all the same, as if the switch had been on.
    let mut config = (*app.context.config).clone();
    config.console.demo_link = true;
    let demonstration = Context {
        config: Arc::new(config),
        ..app.context.clone()
    };
    let link = link(&demonstration).await;
    let mut browser = Browser::new(&app);
    browser.open(&link).await.expect(403);
    assert!(browser.cookies.is_empty());
    // Nor is a session that began while it was one.
    let (secret, _) = console_sessions::make_link(&demonstration).await.unwrap();
    let session = console_sessions::sign_in_by_link(&demonstration, &secret, None, "req_1")
        .await
        .unwrap();
    browser
        .cookies
        .insert("__Host-stepgate".to_owned(), session.reveal());
    assert!(
        browser
            .open("/console")
            .await
            .location()
            .starts_with("/console/sign-in")
    );
    let choice = browser.open("/console/sign-in").await.expect(200);
    assert!(choice.contains("No issuer is configured"), "{choice}");
}
