//! The preflight: each check once, in order, whatever the provider does.

use crate::rig::{Rig, SECRET, loopback};
use blockid::preflight::{Check, Finding, Preflight, Subject, Verdict, run};
use blockid::{ClientCredentials, HttpClient, TenantDns};
use blockid_sim::config::Config;
use blockid_sim::{Options, Simulator};
use serde_json::{Value, json};

async fn preflight(rig: &Rig, secret: &str) -> Preflight {
    let credentials = ClientCredentials {
        client_id: "demo-client".into(),
        client_secret: secret.to_owned().into(),
    };
    let subject = Subject {
        tenant_dns: &rig.tenant,
        community: "default",
        client_id: "demo-client",
        credentials: Some(&credentials),
    };
    let found = run(&rig.client, subject, 0).await;
    assert_eq!(
        found
            .findings
            .iter()
            .map(|finding| finding.check)
            .collect::<Vec<_>>(),
        Check::ALL,
        "each check once, in order"
    );
    found
}

fn finding(found: &Preflight, check: Check) -> &Finding {
    found
        .findings
        .iter()
        .find(|finding| finding.check == check)
        .unwrap()
}

fn verdict(found: &Preflight, check: Check) -> Verdict {
    finding(found, check).verdict
}

#[tokio::test]
async fn a_good_connection_passes_and_a_wrong_secret_is_told_from_a_wrong_code() {
    let rig = Rig::over_http();
    rig.behave(json!({ "frame_ancestors": "https://portal.acme.example 'self'" }))
        .await;
    let found = preflight(&rig, SECRET).await;
    for check in Check::ALL {
        let expected = match check {
            // Plain HTTP on loopback; not in the simulator's metadata.
            Check::Tls => Verdict::Skipped,
            Check::Nonce => verdict(&found, Check::Nonce),
            _ => Verdict::Passed,
        };
        assert_eq!(verdict(&found, check), expected, "{:?}", finding(&found, check));
    }
    assert_ne!(verdict(&found, Check::Nonce), Verdict::Failed);
    let sources = found.frame_ancestors.unwrap();
    assert_eq!(sources, ["https://portal.acme.example", "'self'"]);

    let found = preflight(&rig, "wrong").await;
    assert_eq!(verdict(&found, Check::ClientSecret), Verdict::Failed);
    assert!(finding(&found, Check::ClientSecret).hint.is_some());
    assert_eq!(verdict(&found, Check::Keys), Verdict::Passed);
}

#[tokio::test]
async fn what_is_wrong_is_found_where_it_is() {
    let rig = Rig::over_http();
    let cases: [(Value, Check, Verdict); 13] = [
        (
            json!({"metadata_place": "nowhere", "service_directory": false}),
            Check::Discovery,
            Verdict::Failed,
        ),
        (json!({"issuer": "foreign"}), Check::Issuer, Verdict::Failed),
        (
            json!({"listed_token_endpoint": "https://169.254.169.254/t"}),
            Check::Endpoints,
            Verdict::Failed,
        ),
        (
            json!({"listed_jwks_uri": "https://10.0.0.1/keys"}),
            Check::Endpoints,
            Verdict::Failed,
        ),
        (
            json!({"listed_algorithms": ["none", "HS256"]}),
            Check::Algorithms,
            Verdict::Failed,
        ),
        (json!({"jwks_faults": ["html"]}), Check::Keys, Verdict::Failed),
        (json!({"pkce": "unknown"}), Check::Pkce, Verdict::Skipped),
        (json!({}), Check::FrameAncestors, Verdict::Failed),
        (
            json!({"frame_ancestors": "*"}),
            Check::FrameAncestors,
            Verdict::Failed,
        ),
        (
            json!({"frame_ancestors": "'none'"}),
            Check::FrameAncestors,
            Verdict::Failed,
        ),
        (
            json!({"faults": [{"status": 503}]}),
            Check::ClientSecret,
            Verdict::Unknown,
        ),
        (json!({"faults": ["html"]}), Check::ClientSecret, Verdict::Unknown),
        (
            json!({"faults": [{"redirect": "https://evil.example/"}]}),
            Check::ClientSecret,
            Verdict::Unknown,
        ),
    ];
    for (behaviour, check, expected) in cases {
        rig.behave(behaviour.clone()).await;
        let found = preflight(&rig, SECRET).await;
        assert_eq!(
            verdict(&found, check),
            expected,
            "{behaviour}: {:?}",
            finding(&found, check)
        );
        let host = verdict(&found, Check::Host);
        assert_eq!(host, Verdict::Passed, "{behaviour}");
    }
}

#[tokio::test]
async fn nothing_of_a_hostile_answer_is_repeated() {
    let rig = Rig::over_http();
    let evil = "<script>alert(1)</script>";
    for behaviour in [
        json!({"frame_ancestors": evil}),
        json!({"listed_token_endpoint": format!("https://10.0.0.1/{evil}")}),
        json!({"listed_algorithms": [evil]}),
        json!({"faults": [{"oauth_error": evil}]}),
    ] {
        rig.behave(behaviour.clone()).await;
        let found = preflight(&rig, SECRET).await;
        let shown = format!("{:?} {:?}", found.findings, found.frame_ancestors);
        assert!(!shown.contains("script"), "{behaviour}: {shown}");
        assert!(!shown.contains(SECRET), "{behaviour}: {shown}");
        assert!(shown.len() < 8_000, "{}", shown.len());
    }
}

#[tokio::test]
async fn a_provider_that_hangs_ends_in_time_with_every_check_told() {
    let rig = Rig::over_http();
    rig.behave(json!({"metadata_faults": ["hang"]})).await;
    let begun = std::time::Instant::now();
    let found = preflight(&rig, SECRET).await;
    assert!(begun.elapsed() < blockid::preflight::LONGEST + std::time::Duration::from_secs(1));
    assert_eq!(verdict(&found, Check::Discovery), Verdict::Unknown);
    assert_eq!(verdict(&found, Check::ClientSecret), Verdict::Skipped);
}

#[tokio::test]
async fn an_untrusted_certificate_is_told_and_its_ca_mends_it() {
    let options = Options {
        config: Config::seeded(SECRET),
        http: None,
        tls: Some("127.0.0.1:0".parse().unwrap()),
    };
    // Installs the crypto provider.
    drop(Rig::over_http());
    let simulator = Simulator::start(&options).unwrap();
    let address = simulator.tls_address().unwrap().to_string();
    for (ca, expected) in [
        (None, Verdict::Failed),
        (simulator.ca_pem().map(str::to_owned), Verdict::Passed),
    ] {
        let policy = loopback(false, ca);
        let tenant_dns = TenantDns::parse(&address, &policy).unwrap();
        let client = HttpClient::new(policy).unwrap();
        let subject = Subject {
            tenant_dns: &tenant_dns,
            community: "default",
            client_id: "demo-client",
            credentials: None,
        };
        let found = run(&client, subject, 0).await;
        assert_eq!(verdict(&found, Check::Tls), expected, "{:?}", found.findings);
    }
}

#[tokio::test]
async fn a_host_at_a_private_address_is_refused_before_anything_is_sent() {
    let rig = Rig::over_http();
    let client = HttpClient::new(blockid::EgressPolicy::default()).unwrap();
    let tenant_dns = TenantDns::parse("localhost:9", &loopback(true, None)).unwrap();
    let subject = Subject {
        tenant_dns: &tenant_dns,
        community: "default",
        client_id: "demo-client",
        credentials: None,
    };
    let found = run(&client, subject, 0).await;
    assert_eq!(verdict(&found, Check::Host), Verdict::Failed);
    assert!(
        found.findings[1..]
            .iter()
            .all(|finding| finding.verdict == Verdict::Skipped)
    );
    drop(rig);
}
