//! Addresses that must not be connected to, tried for real.

use crate::rig::{Rig, SECRET, loopback, seconds};
use blockid::http::{Addresses, Lookup};
use blockid::{
    ClientCredentials, DiscoveryError, EgressPolicy, ExchangeError, HttpClient, HttpError, TenantDns,
    discover, exchange_code,
};
use serde_json::json;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use step_up::reason::Reason;

#[tokio::test]
async fn urls_are_judged_by_their_text() {
    let client = HttpClient::new(EgressPolicy::default()).unwrap();
    for (url, error) in [
        ("http://customer.1kosmos.net/", HttpError::UrlRefused),
        ("http://127.0.0.1/", HttpError::UrlRefused),
        ("ftp://customer.1kosmos.net/", HttpError::UrlRefused),
        ("file:///etc/passwd", HttpError::UrlRefused),
        ("https://user@customer.1kosmos.net/", HttpError::UrlRefused),
        ("https://:pass@customer.1kosmos.net/", HttpError::UrlRefused),
        ("https://customer.1kosmos.net/#x", HttpError::UrlRefused),
        ("not a url", HttpError::UrlRefused),
        ("https://127.0.0.1/", HttpError::AddressRefused),
        ("https://127.1/", HttpError::AddressRefused),
        ("https://0x7f000001/", HttpError::AddressRefused),
        ("https://2130706433/", HttpError::AddressRefused),
        ("https://0/", HttpError::AddressRefused),
        (
            "https://169.254.169.254/latest/meta-data/",
            HttpError::AddressRefused,
        ),
        ("https://10.0.0.1:8443/", HttpError::AddressRefused),
        ("https://[::1]/", HttpError::AddressRefused),
        ("https://[::ffff:169.254.169.254]/", HttpError::AddressRefused),
        ("https://[fd00:ec2::254]/", HttpError::AddressRefused),
        ("https://[64:ff9b::a9fe:a9fe]/", HttpError::AddressRefused),
        // Resolved by the system to loopback, refused by the resolver.
        ("https://localhost/", HttpError::AddressRefused),
    ] {
        let refused = client.get(url, 1024, seconds(5)).await.unwrap_err();
        assert_eq!(refused, error, "{url}");
        assert_eq!(refused.reason(), Reason::ProviderAddressRefused, "{url}");
    }
}

#[tokio::test]
async fn a_listening_loopback_provider_is_not_reached_without_permission() {
    let rig = Rig::over_http();
    let address = rig.simulator.http_address().unwrap();
    let provider = rig.provider().await;
    let credentials = ClientCredentials {
        client_id: "demo-client".into(),
        client_secret: SECRET.to_owned().into(),
    };
    // What an attacker who rewrote the settings would want: credentials sent to an internal address.
    for (host, policy, error) in [
        ("127.0.0.1", EgressPolicy::default(), HttpError::UrlRefused),
        ("127.0.0.1", loopback(false, None), HttpError::UrlRefused),
        (
            "127.0.0.1",
            EgressPolicy {
                insecure_loopback: true,
                ..EgressPolicy::default()
            },
            HttpError::AddressRefused,
        ),
        (
            "localhost",
            EgressPolicy {
                insecure_loopback: true,
                ..EgressPolicy::default()
            },
            HttpError::AddressRefused,
        ),
    ] {
        let mut moved = provider.clone();
        moved.token_endpoint = format!(
            "http://{host}:{}/oauth2/community/default/v1/token",
            address.port()
        );
        let client = HttpClient::new(policy).unwrap();
        let refused = exchange_code(&client, &moved, &credentials, "code", None, seconds(5)).await;
        assert_eq!(refused.map(|_| ()), Err(ExchangeError::Http(error)), "{host}");
    }
    assert_eq!(rig.requests().await["total"], 0, "nothing arrived");
}

#[tokio::test]
async fn endpoints_named_by_the_provider_are_judged_too() {
    let rig = Rig::over_http();
    for (url, error) in [
        ("https://169.254.169.254/token", HttpError::AddressRefused),
        ("https://10.0.0.1/token", HttpError::AddressRefused),
        ("https://[::ffff:10.0.0.1]/token", HttpError::AddressRefused),
        ("http://customer.1kosmos.net/token", HttpError::UrlRefused),
        ("http://localhost.evil.example/token", HttpError::UrlRefused),
        ("https://user:password@127.0.0.1/token", HttpError::UrlRefused),
        ("file:///etc/passwd", HttpError::UrlRefused),
    ] {
        for member in ["token_endpoint", "jwks_uri"] {
            let mut behaviour = serde_json::Map::new();
            behaviour.insert(format!("listed_{member}"), url.into());
            rig.behave(behaviour.into()).await;
            let refused = discover(&rig.client, &rig.tenant, "default", 0)
                .await
                .unwrap_err();
            assert_eq!(refused, DiscoveryError::Endpoint { member, error }, "{url}");
            assert_eq!(refused.reason(), Reason::ProviderAddressRefused);
        }
    }
}

#[tokio::test]
async fn a_name_that_resolves_to_a_private_address_is_refused_before_anything_is_sent() {
    let client = HttpClient::new(EgressPolicy::default()).unwrap();
    let tenant = TenantDns::parse("localhost:9", &loopback(true, None)).unwrap();
    let refused = discover(&client, &tenant, "default", 0).await.unwrap_err();
    assert_eq!(refused, DiscoveryError::Unreachable(HttpError::AddressRefused));
    assert_eq!(refused.reason(), Reason::ProviderAddressRefused);
}

/// Answers differently each time: what an attacker's name server does between a check and a connection.
struct Rebinding(Mutex<Vec<&'static str>>);

impl Lookup for Rebinding {
    fn addresses(&self, _: String) -> Addresses {
        let mut answers = self.0.lock().unwrap();
        let answer = if answers.len() > 1 {
            answers.remove(0)
        } else {
            answers[0]
        };
        Box::pin(async move { Ok(vec![answer.parse().unwrap()]) })
    }
}

#[tokio::test]
async fn a_name_that_changes_its_answer_after_the_check_is_refused_at_connect() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    for private in [
        "127.0.0.1",
        "169.254.169.254",
        "10.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
    ] {
        let lookup = Arc::new(Rebinding(Mutex::new(vec!["1.1.1.1", private])));
        let client = HttpClient::with_lookup(EgressPolicy::default(), lookup).unwrap();
        let url = format!("https://customer.1kosmos.example:{port}/token");
        client.check_host(&url, seconds(5)).await.unwrap();
        let refused = client.get(&url, 1024, seconds(5)).await.unwrap_err();
        assert_eq!(refused, HttpError::AddressRefused, "{private}");
        let page = client.page(&url, seconds(5)).await.unwrap_err();
        assert_eq!(page, HttpError::AddressRefused, "{private}");
    }
    let arrived = listener.accept();
    assert!(arrived.is_err(), "somebody connected: {arrived:?}");
}

#[tokio::test]
async fn a_closed_port_and_an_unknown_name_are_unavailable() {
    let client = HttpClient::new(loopback(true, None)).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let closed = client
        .get(&format!("http://127.0.0.1:{port}/"), 1024, seconds(5))
        .await
        .unwrap_err();
    assert_eq!(closed, HttpError::ConnectFailed);
    let unknown = client
        .get("https://no-such-host.invalid/", 1024, seconds(10))
        .await
        .unwrap_err();
    assert!(
        matches!(unknown, HttpError::NameNotFound | HttpError::Timeout),
        "{unknown:?}"
    );
    assert_eq!(unknown.reason(), Reason::ProviderUnavailable);
}

#[tokio::test]
async fn errors_and_debug_hold_no_secret_code_or_token() {
    let rig = Rig::over_http();
    let provider = rig.provider().await;
    let mut shown = format!("{:?} {:?}", rig.client, Rig::credentials());
    for fault in [
        json!("html"),
        json!({"status": 500}),
        json!("garbled"),
        json!("invalid_client"),
        json!("cut_off"),
    ] {
        let code = rig.code(&provider, json!([fault])).await;
        let refusal = rig.redeem(&provider, &code).await.unwrap_err();
        write!(shown, "{refusal:?}").unwrap();
        assert!(!shown.contains(&code));
    }
    let code = rig.code(&provider, json!([])).await;
    let tokens = exchange_code(
        &rig.client,
        &provider,
        &Rig::credentials(),
        &code,
        Some("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        seconds(5),
    )
    .await
    .unwrap();
    write!(shown, "{tokens:?}").unwrap();
    assert!(!shown.contains("canary") && !shown.contains("eyJ"), "{shown}");
    assert!(HttpClient::new(loopback(false, Some("not a certificate".into()))).is_err());
}
