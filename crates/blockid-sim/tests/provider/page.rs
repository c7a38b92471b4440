//! The pages, as a browser uses them: open, choose, enter, land.

use crate::rig::{Rig, STATE};
use reqwest::Response;
use serde_json::json;
use url::Url;

fn hidden_handle(html: &str) -> String {
    let (_, rest) = html.split_once("name=\"handle\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

fn location(answer: &Response) -> Url {
    assert_eq!(answer.status(), 302);
    Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap()
}

fn query(url: &Url, name: &str) -> Option<String> {
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

async fn enter(rig: &Rig, url: &str, form: &[(&str, &str)]) -> Response {
    let action = url.split('?').next().unwrap();
    rig.raw.post(action).form(form).send().await.unwrap()
}

#[tokio::test]
async fn a_person_chooses_enters_and_lands() {
    let rig = Rig::over_http();
    let provider = rig.provider().await;
    let url = Rig::authorize(&provider, "alice", &["liveID push", "otp sms"]);
    let opened = rig.raw.get(&url).send().await.unwrap();
    let csp = opened.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        csp.contains("default-src 'none'") && csp.contains("script-src 'nonce-"),
        "{csp}"
    );
    let html = opened.text().await.unwrap();
    assert!(html.contains("value=\"liveID push\"") && html.contains("value=\"otp sms\""));
    assert!(
        !html.contains("value=\"otp email\""),
        "only the request's methods are offered"
    );
    assert!(html.contains("Development only") && html.contains("246810"));
    let handle = hidden_handle(&html);

    let wrong = enter(
        &rig,
        &url,
        &[("handle", &handle), ("method", "otp sms"), ("code", "000000")],
    )
    .await;
    assert_eq!(wrong.status(), 200);
    let html = wrong.text().await.unwrap();
    assert!(html.contains("role=\"alert\"") && html.contains("not right"));

    let form = [
        ("handle", handle.as_str()),
        ("method", "otp sms"),
        ("code", "246810"),
    ];
    let landed = location(&enter(&rig, &url, &form).await);
    assert_eq!(landed.path(), "/admin/default/post_stepup");
    assert_eq!(query(&landed, "state").as_deref(), Some(STATE));
    let code = query(&landed, "code").unwrap();
    let page = rig
        .raw
        .get(landed.as_str())
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(page.contains("postMessage") && page.contains(&code) && page.contains(STATE));
    let claims = rig.redeem(&provider, &code).await.unwrap();
    assert_eq!(claims.acr.as_deref(), Some("otp sms"));

    assert_eq!(
        enter(&rig, &url, &form).await.status(),
        410,
        "a page is used once"
    );
}

#[tokio::test]
async fn too_many_wrong_codes_and_cancelling_end_in_a_denial() {
    let rig = Rig::over_http();
    let provider = rig.provider().await;
    let url = Rig::authorize(&provider, "alice", &["otp"]);
    let handle = hidden_handle(&rig.raw.get(&url).send().await.unwrap().text().await.unwrap());
    let form = [("handle", handle.as_str()), ("method", "otp"), ("code", "1")];
    for _ in 0..4 {
        assert_eq!(enter(&rig, &url, &form).await.status(), 200);
    }
    let denied = location(&enter(&rig, &url, &form).await);
    assert_eq!(query(&denied, "error").as_deref(), Some("access_denied"));
    let handle = hidden_handle(&rig.raw.get(&url).send().await.unwrap().text().await.unwrap());
    let denied = location(&enter(&rig, &url, &[("handle", &handle), ("cancel", "1")]).await);
    assert_eq!(query(&denied, "error").as_deref(), Some("access_denied"));
    assert_eq!(query(&denied, "state").as_deref(), Some(STATE));
}

#[tokio::test]
async fn hostile_names_are_escaped_in_pages_and_reach_the_token() {
    let rig = Rig::over_http();
    let provider = rig.provider().await;
    for name in [
        "<script>alert(1)</script>",
        "a\"b'c&d",
        "\u{202e}gro.live",
        "{{script}}",
        "😀#&=+%20",
    ] {
        let url = Rig::authorize(&provider, name, &["otp"]);
        let html = rig.raw.get(&url).send().await.unwrap().text().await.unwrap();
        assert!(
            !html.contains("<script>alert") && !html.contains("a\"b"),
            "{name}"
        );
        assert_eq!(html.matches("<script").count(), 1, "{name}");
        let form = [
            ("handle", &*hidden_handle(&html)),
            ("method", "otp"),
            ("code", "246810"),
        ];
        let landed = location(&enter(&rig, &url, &form).await);
        let claims = rig
            .redeem(&provider, &query(&landed, "code").unwrap())
            .await
            .unwrap();
        assert_eq!(claims.username.as_deref(), Some(name));
    }
    let landing = format!(
        "{}/admin/default/post_stepup?code=%3C/script%3E%22%27&state=%3Cb%3E",
        rig.url
    );
    let html = rig.raw.get(landing).send().await.unwrap().text().await.unwrap();
    assert!(!html.contains("<b>") && html.contains("&lt;b&gt;"));
}

#[tokio::test]
async fn requests_that_must_not_be_answered_are_not() {
    let rig = Rig::over_http();
    let provider = rig.provider().await;
    let url = Rig::authorize(&provider, "alice", &["otp"]);
    for (from, to, status) in [
        ("client_id=demo-client", "client_id=other", 400),
        ("post_stepup", "elsewhere", 400),
        ("response_type=code", "response_type=token", 302),
        ("scope=openid", "scope=nothing", 302),
        ("code_challenge_method=S256", "code_challenge_method=plain", 302),
    ] {
        let broken = url.replacen(from, to, 1);
        assert_ne!(url, broken);
        let answer = rig.raw.get(&broken).send().await.unwrap();
        assert_eq!(answer.status(), status, "{to}");
        if status == 302 {
            assert!(query(&location(&answer), "error").is_some());
        }
        assert!(
            rig.step_up(json!({ "authorize_url": broken }))
                .await
                .get("code")
                .is_none(),
            "{to}"
        );
    }
    let refused = rig
        .step_up(json!({ "authorize_url": url, "method": "otp sms" }))
        .await;
    assert!(
        refused["error"]
            .as_str()
            .unwrap()
            .contains("not one the request offers")
    );
    let denied = rig
        .step_up(json!({ "authorize_url": url, "outcome": "denied" }))
        .await;
    assert_eq!(denied, json!({ "error": "access_denied", "state": STATE }));
    let unknown = rig.step_up(json!({ "authorize_url": url, "surprise": 1 })).await;
    assert!(unknown["error"].as_str().unwrap().contains("surprise"));
}

#[tokio::test]
async fn tenants_communities_and_users_are_kept_apart() {
    let config = blockid_sim::config::Config::from_toml(
        r#"
        strict_users = true
        [[tenants]]
        [[tenants.communities]]
        name = "default"
        clients = [{ id = "demo-client", secret = "canary-secret:+/=&" }]
        users = [{ username = "alice", methods = ["otp"] }]
        [[tenants.communities]]
        name = "second"
        clients = [{ id = "demo-client", secret = "other" }]
        [[tenants]]
        dns = "other.example.test"
        [[tenants.communities]]
        name = "elsewhere"
        "#,
    )
    .unwrap();
    let rig = Rig::with(config);
    let provider = rig.provider().await;
    let url = Rig::authorize(&provider, "alice", &["otp", "otp sms"]);
    assert!(
        rig.step_up(json!({ "authorize_url": url, "method": "otp" }))
            .await["code"]
            .is_string()
    );
    let answer = rig
        .step_up(json!({ "authorize_url": url, "method": "otp sms" }))
        .await;
    assert!(answer["error"].as_str().unwrap().contains("enrolled"));
    let answer = rig
        .step_up(json!({ "authorize_url": url, "username": "mallory", "method": "otp" }))
        .await;
    assert!(answer["error"].as_str().unwrap().contains("no such user"));
    let at = |path: &str| format!("{}{path}", rig.url);
    let keys = |community: &str| at(&format!("/oauth2/community/{community}/v1/jwks"));
    let get = |url: String, host: Option<&'static str>| {
        let mut request = rig.raw.get(url);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        async move { request.send().await.unwrap() }
    };
    let first = get(keys("default"), None).await.text().await.unwrap();
    let second = get(keys("second"), None).await.text().await.unwrap();
    assert_ne!(first, second);
    assert_eq!(get(keys("elsewhere"), None).await.status(), 404);
    assert_eq!(
        get(keys("elsewhere"), Some("other.example.test")).await.status(),
        200
    );
    assert_eq!(
        get(keys("default"), Some("other.example.test")).await.status(),
        404
    );
}
