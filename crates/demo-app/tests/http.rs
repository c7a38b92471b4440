//! The app over HTTP, without a system behind it.

#![expect(clippy::expect_used, reason = "a test that cannot go on should stop")]

use demo_app::page::{FILES, is_style};
use demo_app::server::serve;
use demo_app::settings::{DemoUser, Settings};
use std::net::TcpListener;
use std::path::PathBuf;

/// Starts the app and hands back its address; it ends with the test's runtime.
fn start(library: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let settings = Settings {
        region: "eu-central-1".to_owned(),
        user_pool_id: "eu-central-1_AbCdEfGhI".to_owned(),
        client_id: "client".to_owned(),
        issuer: "https://issuer.example".to_owned(),
        // Nobody listens on port 9.
        aws_endpoint_url: "http://127.0.0.1:9".parse().expect("a URL"),
        blockid_url: "https://acme.example:8443/somewhere".parse().expect("a URL"),
        cognito_library: library,
        user: DemoUser {
            username: "ada".to_owned(),
            password: "secret".to_owned(),
        },
    };
    // A TLS provider, as `main` installs it; the second test of this process finds it installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    actix_web::rt::spawn(serve(settings, listener).expect("it starts"));
    format!("http://{address}")
}

async fn get(url: &str) -> reqwest::Response {
    attacks::http::client()
        .expect("a client")
        .get(url)
        .send()
        .await
        .expect("an answer")
}

#[actix_web::test]
async fn the_page_has_the_policy_it_needs_and_no_inline_code() {
    let base = start(PathBuf::from("/nowhere"));
    for path in ["/", "/callback?code=a&state=b"] {
        let answer = get(&format!("{base}{path}")).await;
        assert_eq!(answer.status(), 200);
        let header = |name: &str| {
            answer
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
                .to_owned()
        };
        let policy = header("content-security-policy");
        assert!(policy.contains("default-src 'none'"), "{policy}");
        assert!(
            policy.contains("frame-src https://acme.example:8443;"),
            "{policy}"
        );
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(header("cache-control"), "no-store");
        let html = answer.text().await.expect("a body");
        assert!(!html.contains("<style") && !html.contains(" style=") && !html.contains(" onclick="));
        for script in html.split("<script").skip(1) {
            assert!(script.contains("src=\"/"), "{script}");
        }
    }
}

#[actix_web::test]
async fn every_file_is_served_as_what_it_is_and_every_import_is_a_file() {
    let base = start(PathBuf::from("/nowhere"));
    for (name, text) in FILES {
        let answer = get(&format!("{base}/{name}")).await;
        let kind = if is_style(name) {
            "text/css"
        } else {
            "text/javascript"
        };
        let given = answer.headers()["content-type"]
            .to_str()
            .expect("text")
            .to_owned();
        assert!(given.starts_with(kind), "{name}: {given}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert_eq!(answer.text().await.expect("a body"), text);
        let here: url::Url = format!("http://x/{name}").parse().expect("a URL");
        for import in text
            .split(" from \"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
        {
            if import.starts_with('.') || import.starts_with('/') {
                let wanted = here.join(import).expect("a URL");
                let known = FILES.iter().any(|(file, _)| wanted.path() == format!("/{file}"));
                assert!(known, "{name} imports {import}");
            }
        }
    }
    for missing in [
        "/page/../Cargo.toml",
        "/sdk/nothing.js",
        "/page/",
        "/vendor/amazon-cognito-identity.js",
    ] {
        assert_eq!(get(&format!("{base}{missing}")).await.status(), 404, "{missing}");
    }
}

#[actix_web::test]
async fn the_bank_wants_a_step_up() {
    let base = start(PathBuf::from("/nowhere"));
    let answer = get(&format!("{base}/api/balance")).await;
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.headers()["www-authenticate"], "Bearer");
    let client = attacks::http::client().expect("a client");
    let transfer = client
        .post(format!("{base}/api/transfers"))
        .header("content-type", "application/json")
        .body("{\"to\":\"a\",\"amount\":\"1.00\",\"currency\":\"EUR\"}");
    assert_eq!(transfer.send().await.expect("an answer").status(), 401);
}

#[actix_web::test]
async fn what_is_behind_it_and_silent_is_told() {
    let base = start(PathBuf::from("/nowhere"));
    assert_eq!(get(&format!("{base}/demo/events?since_ms=0")).await.status(), 502);
    assert_eq!(
        get(&format!("{base}/demo/mailbox?address=a@example.com"))
            .await
            .status(),
        502
    );
    let client = attacks::http::client().expect("a client");
    let call = |target: &'static str| {
        client
            .post(format!("{base}/cognito"))
            .header("x-amz-target", target)
            .body("{}")
            .send()
    };
    let foreign = call("DynamoDB_20120810.Scan").await.expect("an answer");
    assert_eq!(foreign.status(), 400, "only Cognito is behind it");
    let silent = call("AWSCognitoIdentityProviderService.InitiateAuth")
        .await
        .expect("an answer");
    assert_eq!(silent.status(), 502);
}
