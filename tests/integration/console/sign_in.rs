//! Signing in at an issuer: the way there and back, and everything that must not be one.

use super::{Browser, Stage};
use chrono::TimeDelta;
use serde_json::json;

const SESSION: &str = "__Host-stepgate";

#[tokio::test]
async fn somebody_signs_in_at_an_issuer_and_out_again() {
    let stage = Stage::set().await;
    let mut browser = Browser::new(&stage.app);
    let asked = "/console/audit?outcome=done";
    let door = browser.open(asked).await.location();
    assert_eq!(
        door,
        "/console/sign-in?return_to=%2Fconsole%2Faudit%3Foutcome%3Ddone"
    );
    let choice = browser.open(&door).await.expect(200);
    let way = "/console/sign-in/staff?return_to=%2Fconsole%2Faudit%3Foutcome%3Ddone";
    assert!(
        choice.contains(way) && choice.contains("Sign in with acme"),
        "{choice}"
    );
    stage.staff.answers_with(json!({"groups": ["ops"]}));
    let there = browser.open(way).await.location();
    let back = browser.open(&there).await.location();
    let sent = stage.staff.last_asked();
    assert_eq!(
        (
            sent["response_type"].as_str(),
            sent["code_challenge_method"].as_str(),
            sent["scope"].as_str()
        ),
        ("code", "S256", "openid")
    );
    assert_eq!(
        sent["redirect_uri"],
        format!("{}/console/callback", super::browser::ORIGIN)
    );
    assert!(sent["state"].len() == 43 && sent["nonce"].len() == 43 && sent["state"] != sent["nonce"]);
    // What the browser holds is never sent anywhere.
    assert!(
        !there.contains(
            browser.cookies["__Host-stepgate-sign-in"]
                .split('.')
                .next()
                .unwrap()
        )
    );

    browser.open(&back).await.expect_redirect(asked);
    assert_eq!(
        browser.cookies.keys().collect::<Vec<_>>(),
        [SESSION],
        "the attempt is over"
    );
    let page = browser.open(asked).await.expect(200);
    assert!(
        page.contains("staff:ada") && page.contains("Console signed in"),
        "{page}"
    );
    let kept: Vec<u8> = sqlx::query_scalar("SELECT id FROM console_sessions")
        .fetch_one(&stage.app.owner)
        .await
        .unwrap();
    assert_ne!(
        hex::encode(kept),
        browser.cookies[SESSION],
        "the database must not hold what the browser does"
    );

    let held = browser.cookies.clone();
    browser
        .submit("/console", "/console/sign-out", &[])
        .await
        .expect_redirect("/console/sign-in");
    assert!(browser.cookies.is_empty());
    // Whoever kept the cookie has nothing by it.
    browser.cookies = held;
    assert!(
        browser
            .open("/console")
            .await
            .location()
            .starts_with("/console/sign-in")
    );
    assert_eq!(stage.sessions().await, 0);
}

#[tokio::test]
async fn a_session_that_was_planted_is_not_the_one_that_signs_in() {
    let stage = Stage::set().await;
    // The attacker's own session, in the victim's browser.
    let attacker = stage.staff_browser("look").await;
    let planted = attacker.cookies[SESSION].clone();
    for planted in [planted, "ab".repeat(32)] {
        let mut victim = Browser::new(&stage.app);
        victim.cookies.insert(SESSION.to_owned(), planted.clone());
        stage.staff.answers_with(json!({"groups": ["ops"]}));
        victim.sign_in(&stage.staff).await.expect_redirect("/console");
        assert_ne!(victim.cookies[SESSION], planted);
        victim.open("/console").await.expect(200);
        let mut other = Browser::new(&stage.app);
        other.cookies.insert(SESSION.to_owned(), planted);
        assert!(
            other
                .open("/console")
                .await
                .location()
                .starts_with("/console/sign-in")
        );
    }
}

#[tokio::test]
async fn an_answer_is_good_once_in_the_browser_that_asked_and_for_ten_minutes() {
    let stage = Stage::set().await;
    stage.staff.answers_with(json!({"groups": ["ops"]}));
    let mut victim = Browser::new(&stage.app);
    // Signing somebody else in as the attacker: the victim's browser did not ask.
    let mut attacker = Browser::new(&stage.app);
    let answer = attacker.there_and_back(&stage.staff).await;
    victim.open(&answer).await.expect(403);
    // It asked for something else.
    victim.there_and_back(&stage.staff).await;
    victim.open(&answer).await.expect(403);
    // Another state, none, none at all, an error in place of a code, two codes.
    let own = victim.there_and_back(&stage.staff).await;
    let (path, query) = own.split_once('?').unwrap();
    let code = query.split('&').find(|pair| pair.starts_with("code=")).unwrap();
    let asked_for = query.split('&').find(|pair| pair.starts_with("state=")).unwrap();
    for query in [
        code.to_owned(),
        format!("{code}&state="),
        format!("{code}&state=AAAA"),
        format!("{asked_for}&error=access_denied"),
        format!("{asked_for}&code="),
        format!("{asked_for}&{code}&code=other"),
        String::new(),
    ] {
        victim.open(&format!("{path}?{query}")).await.expect(403);
    }
    assert_eq!(stage.sessions().await, 0);
    // None of that used anything up; then it works, once.
    let held = victim.cookies.clone();
    victim.open(&own).await.expect_redirect("/console");
    victim.cookies = held;
    victim.open(&own).await.expect(403);
    assert_eq!(stage.sessions().await, 1);
    let late = victim.there_and_back(&stage.staff).await;
    stage.app.clock.advance(TimeDelta::minutes(10));
    victim.open(&late).await.expect(403);
    assert_eq!(stage.sessions().await, 1);
}

#[tokio::test]
async fn id_tokens_that_are_not_for_this_very_sign_in_are_refused() {
    let stage = Stage::set().await;
    let mut browser = Browser::new(&stage.app);
    let now = 1_767_607_200;
    for claims in [
        json!({"groups": ["ops"], "nonce": "another"}),
        json!({"groups": ["ops"], "nonce": null}),
        json!({"groups": ["ops"], "aud": "another-client"}),
        json!({"groups": ["ops"], "aud": "https://stepgate.example"}),
        json!({"groups": ["ops"], "aud": ["stepgate-console", "another"]}),
        json!({"groups": ["ops"], "azp": "another"}),
        json!({"groups": ["ops"], "iss": "https://elsewhere.example"}),
        json!({"groups": ["ops"], "exp": now}),
        json!({"groups": ["ops"], "exp": null}),
        json!({"groups": ["ops"], "iat": now - 601}),
        json!({"groups": ["ops"], "iat": now + 61}),
        json!({"groups": ["ops"], "sub": ""}),
        json!({"groups": ["operator"]}),
        json!({"groups": []}),
        json!({}),
        // What a partner's issuer hands out means nothing at the installation's.
        json!({"groups": ["write"]}),
    ] {
        stage.staff.answers_with(claims.clone());
        let page = browser.sign_in(&stage.staff).await;
        assert_eq!(page.status.as_u16(), 403, "{claims}");
        page.expect(403);
    }
    stage.staff.answers_with(json!({"groups": ["ops"]}));
    for header in [
        json!({"alg": "none"}),
        json!({"alg": "HS256"}),
        json!({"kid": "unknown"}),
    ] {
        stage.staff.signs_as(header);
        browser.sign_in(&stage.staff).await.expect(403);
    }
    stage.staff.answers_with(json!({"groups": ["ops"]}));
    stage.staff.signs_with_anothers_key();
    browser.sign_in(&stage.staff).await.expect(403);
    assert_eq!(stage.sessions().await, 0);
    let denied: i64 = sqlx::query_scalar("SELECT count(*) FROM audit_log WHERE action = 'console_signed_in'")
        .fetch_one(&stage.app.owner)
        .await
        .unwrap();
    assert_eq!(denied, 0);
    // The control: the same browser, the same issuer.
    stage.staff.answers_with(
        json!({"groups": ["look", "ops"], "aud": ["stepgate-console"], "azp": "stepgate-console"}),
    );
    browser.sign_in(&stage.staff).await.expect_redirect("/console");
}

#[tokio::test]
async fn sessions_end_when_idle_and_end_anyway() {
    let stage = Stage::set().await;
    let mut idle = stage.staff_browser("ops").await;
    stage.app.clock.advance(TimeDelta::minutes(29));
    idle.open("/console").await.expect(200);
    stage.app.clock.advance(TimeDelta::minutes(29));
    idle.open("/console").await.expect(200);
    stage.app.clock.advance(TimeDelta::minutes(30));
    let door = idle.open("/console").await.location();
    assert!(door.starts_with("/console/sign-in"));
    // What a form wanted is not done, and that is said.
    idle.submit_with("x", "same-origin", "/console/sign-out", &[])
        .await
        .expect_redirect("/console/sign-in?ended=1");
    let said = idle.open("/console/sign-in?ended=1").await.expect(200);
    assert!(said.contains("Your session is over"), "{said}");
    let alive: i64 =
        sqlx::query_scalar("SELECT count(*) FROM console_sessions WHERE last_seen_at > created_at")
            .fetch_one(&stage.app.owner)
            .await
            .unwrap();
    assert_eq!(alive, 1, "that it was seen is written down");
}

#[tokio::test]
async fn busy_sessions_end_after_a_working_day() {
    let stage = Stage::set().await;
    let mut busy = stage.staff_browser("ops").await;
    for _ in 0..23 {
        stage.app.clock.advance(TimeDelta::minutes(20));
        busy.open("/console").await.expect(200);
    }
    stage.app.clock.advance(TimeDelta::minutes(20));
    assert!(
        busy.open("/console")
            .await
            .location()
            .starts_with("/console/sign-in")
    );
}

#[tokio::test]
async fn nobody_is_led_elsewhere_after_signing_in() {
    let stage = Stage::set().await;
    let mut browser = Browser::new(&stage.app);
    stage.staff.answers_with(json!({"groups": ["ops"]}));
    for evil in [
        "https%3A%2F%2Fevil.example",
        "%2F%2Fevil.example",
        "%2Fconsole.evil.example",
        "%2Fconsole%5C%40evil.example",
    ] {
        let there = browser
            .open(&format!("/console/sign-in/staff?return_to={evil}"))
            .await
            .location();
        let back = browser.open(&there).await.location();
        browser.open(&back).await.expect_redirect("/console");
    }
    let unknown = browser.open("/console/sign-in/nobody").await.expect(404);
    assert!(unknown.contains("no such way to sign in"), "{unknown}");
}

#[tokio::test]
async fn an_issuer_that_is_away_is_said_to_be() {
    let stage = Stage::set().await;
    stage.staff.stop().await;
    let page = Browser::new(&stage.app).open("/console/sign-in/staff").await;
    assert!(page.headers.contains_key("retry-after"));
    assert!(page.expect(503).contains("does not answer as it should"));
    // Others are not kept by it.
    stage.acme_browser("read").await;
}
