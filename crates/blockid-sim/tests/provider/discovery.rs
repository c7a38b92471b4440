//! Discovery wherever the metadata may be, and the traps on the way.

use crate::rig::Rig;
use blockid::discovery::Outcome;
use blockid::{DiscoveryError, HttpError, JwksError, discover, examine};
use serde_json::json;
use step_up::reason::Reason;

#[tokio::test]
async fn the_metadata_is_found_at_every_known_place() {
    let rig = Rig::over_http();
    for place in [
        "community",
        "community_without_version",
        "well_known_first",
        "root",
        "service_directory",
    ] {
        rig.behave(json!({ "metadata_place": place })).await;
        let report = examine(&rig.client, &rig.tenant, "default", 7).await;
        let provider = report.result.unwrap_or_else(|error| panic!("{place}: {error}"));
        assert_eq!(
            provider.issuer,
            format!("{}/oauth2/community/default/v1", rig.url)
        );
        assert_eq!(provider.fetched_at_unix_s, 7);
        let failed = report
            .checks
            .iter()
            .filter(|check| check.outcome == Outcome::Failed)
            .count();
        assert_eq!(
            failed == 0,
            place == "community",
            "{place}: what was tried in vain is told"
        );
    }
}

#[tokio::test]
async fn the_web_application_is_not_mistaken_for_metadata() {
    let rig = Rig::over_http();
    rig.behave(json!({ "metadata_place": "nowhere", "service_directory": false }))
        .await;
    let report = examine(&rig.client, &rig.tenant, "default", 0).await;
    assert_eq!(report.result, Err(DiscoveryError::NotFound));
    let tried: Vec<_> = report
        .checks
        .iter()
        .filter(|check| check.name == "metadata")
        .collect();
    assert!(tried.len() >= 4 && tried.iter().all(|check| check.outcome == Outcome::Failed));
    assert!(
        tried
            .iter()
            .any(|check| check.hint.is_some_and(|hint| hint.contains("web application")))
    );
}

#[tokio::test]
async fn an_issuer_of_another_host_is_refused() {
    let rig = Rig::over_http();
    rig.behave(json!({ "issuer": "foreign" })).await;
    let refused = discover(&rig.client, &rig.tenant, "default", 0)
        .await
        .unwrap_err();
    assert_eq!(refused, DiscoveryError::IssuerMismatch);
    assert_eq!(refused.reason(), Reason::IssuerMismatch);
    rig.behave(json!({ "issuer": "host" })).await;
    let report = examine(&rig.client, &rig.tenant, "default", 0).await;
    let issuer = report.checks.iter().find(|check| check.name == "issuer").unwrap();
    assert_eq!(issuer.outcome, Outcome::Warning);
    assert_eq!(report.result.unwrap().issuer, rig.url);
}

#[tokio::test]
async fn only_asymmetric_algorithms_are_taken() {
    let rig = Rig::over_http();
    for (listed, expected) in [
        (
            json!(["none", "HS256", "RS256", "ES256"]),
            Ok(vec!["RS256".to_owned(), "ES256".to_owned()]),
        ),
        (
            json!(["none", "HS256", "HS512"]),
            Err(DiscoveryError::NoAlgorithm),
        ),
        (json!([]), Err(DiscoveryError::NoAlgorithm)),
    ] {
        rig.behave(json!({ "listed_algorithms": listed })).await;
        let found = discover(&rig.client, &rig.tenant, "default", 0).await;
        assert_eq!(
            found.map(|provider| provider.id_token_signing_algorithms),
            expected
        );
    }
}

#[tokio::test]
async fn faults_of_keys_and_metadata_are_named() {
    let rig = Rig::over_http();
    for (fault, error) in [
        (json!("html"), HttpError::NotJson),
        (json!({"status": 500}), HttpError::Status(500)),
        (
            json!({"redirect": "http://127.0.0.1:1/"}),
            HttpError::Redirect(307),
        ),
        (
            json!({"huge_body": 1_000_000}),
            HttpError::TooLarge { limit_bytes: 262_144 },
        ),
    ] {
        rig.behave(json!({ "jwks_faults": [fault] })).await;
        let refused = discover(&rig.client, &rig.tenant, "default", 0)
            .await
            .unwrap_err();
        assert_eq!(refused, DiscoveryError::Jwks(JwksError::Http(error)), "{fault}");
        rig.behave(json!({ "metadata_faults": [fault] })).await;
        let refused = discover(&rig.client, &rig.tenant, "default", 0)
            .await
            .unwrap_err();
        assert_eq!(refused, DiscoveryError::NotFound, "{fault}");
    }
}

#[tokio::test]
async fn community_names_stay_one_path_segment() {
    let rig = Rig::over_http();
    for name in [
        "",
        "a/b",
        "..",
        ".",
        "a?b",
        "a#b",
        "a\\b",
        " a",
        "a\n",
        &"x".repeat(129),
    ] {
        let refused = discover(&rig.client, &rig.tenant, name, 0).await.unwrap_err();
        assert_eq!(refused, DiscoveryError::CommunityName, "{name:?}");
    }
    // A name that needs encoding reaches the server as one segment; there is no such community.
    let refused = discover(&rig.client, &rig.tenant, "a b%2Fc", 0)
        .await
        .unwrap_err();
    assert_eq!(refused, DiscoveryError::NotFound);
}
