//! The built functions, started as Lambda starts them, on the emulator's Secrets Manager and DynamoDB.

use crate::emulator::{self, ACCESS_KEY_ID, REGION};
use crate::runtime_api::Function;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use step_up::event::{EventType, StepUpEvent};
use step_up::reason::Reason;

const TENANT: &str = "tnt_01j8example0000000000000000";
const CLIENT: &str = "4kq7example2client9id0abc1";
const SECRET: &str = "canary-client-secret";

/// A tenant's secrets and tables.
struct Tenant {
    variables: Vec<(&'static str, String)>,
}

impl Tenant {
    async fn new(policy: &Value) -> Self {
        let config = emulator::config().await;
        let secrets = aws_sdk_secretsmanager::Client::new(&config);
        let dynamodb = aws_sdk_dynamodb::Client::new(&config);
        let credentials = json!({"client_id": "acme-client", "client_secret": SECRET});
        let (settings_arn, credentials_arn) = (
            secret(&secrets, &settings()).await,
            secret(&secrets, &credentials).await,
        );
        let policies = emulator::table(&dynamodb, "policies", &["pk"]).await;
        let records = emulator::table(&dynamodb, "records", &["pk", "sk"]).await;
        let item = json!({
            "generation": 1, "app_id": "app_1", "client_id": CLIENT, "policy_version": 3, "policy": policy,
            "session_validity_s": 180, "refresh_validity_s": 28_800,
        });
        dynamodb
            .put_item()
            .table_name(&policies)
            .item("pk", AttributeValue::S(CLIENT.to_owned()))
            .item("generation", AttributeValue::N("1".to_owned()))
            .item("document", AttributeValue::S(item.to_string()))
            .send()
            .await
            .expect("the policy is written");
        Self {
            variables: vec![
                ("STEPGATE_TENANT_ID", TENANT.to_owned()),
                ("STEPGATE_SETTINGS_SECRET_ARN", settings_arn),
                ("STEPGATE_CREDENTIALS_SECRET_ARN", credentials_arn),
                ("STEPGATE_POLICIES_TABLE", policies),
                ("STEPGATE_RECORDS_TABLE", records),
                ("STEPGATE_DEV_INSECURE_LOOPBACK", "1".to_owned()),
                ("AWS_ENDPOINT_URL", emulator::endpoint()),
                ("AWS_REGION", REGION.to_owned()),
                ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID.to_owned()),
                ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ],
        }
    }

    fn start(&self, name: &str) -> Function {
        let built = match name {
            "challenge" => env!("CARGO_BIN_EXE_challenge"),
            _ => env!("CARGO_BIN_EXE_verify"),
        };
        let binary = emulator::variable("STEPGATE_TEST_TRIGGERS_DIR")
            .map_or_else(|| built.to_owned(), |folder| format!("{folder}/{name}"));
        let variables: Vec<(&str, &str)> = self
            .variables
            .iter()
            .filter(|(variable, _)| name == "verify" || *variable != "STEPGATE_CREDENTIALS_SECRET_ARN")
            .map(|(variable, value)| (*variable, value.as_str()))
            .collect();
        Function::start(&binary, &variables)
    }
}

async fn secret(client: &aws_sdk_secretsmanager::Client, value: &Value) -> String {
    let made = client
        .create_secret()
        .name(emulator::unique("secret"))
        .secret_string(value.to_string());
    made.send().await.expect("a secret").arn.expect("its ARN")
}

/// A provider at an address where nothing listens.
fn settings() -> Value {
    let nowhere = "http://127.0.0.1:9/oauth2/community/default/v1";
    json!({
        "schema_version": 1, "generation": 1, "tenant_id": TENANT, "user_pool_id": "eu-central-1_Ab3dEfGh1",
        "connection": {"tenant_dns": "127.0.0.1:9", "community": "default", "client_id": "acme-client"},
        "provider": {
            "issuer": nowhere, "authorization_endpoint": format!("{nowhere}/authorize"),
            "token_endpoint": format!("{nowhere}/token"), "jwks_uri": format!("{nowhere}/jwks"),
            "redirect_uri": "http://127.0.0.1:9/admin/default/post_stepup",
            "id_token_signing_algorithms": ["RS256"], "pkce_s256": true, "jwks": {"keys": []},
            "fetched_at_unix_s": 1,
        },
        "allowed_provider_networks": ["127.0.0.1/32"],
        "event_hash_key": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
    })
}

fn required() -> Value {
    json!({"schema_version": 1, "default":
        {"step_up": "required", "methods": ["liveID push", "otp sms", "otp email", "otp"], "attempts": 2}})
}

fn fixture(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(&path).expect(&path)).expect(&path)
}

/// Every line is an event or a note; nothing else is ever printed.
fn events(log: &str) -> Vec<StepUpEvent> {
    log.lines()
        .filter(|line| !line.contains("\"stepgate_note\""))
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not an event: {line}")))
        .collect()
}

#[tokio::test]
async fn a_sign_in_up_to_a_provider_that_is_down() {
    let tenant = Tenant::new(&required()).await;
    let challenge = tenant.start("challenge");
    let asked = challenge.invoke(&fixture("define_srp_a")).expect("define");
    assert_eq!(asked["response"]["challengeName"], "PASSWORD_VERIFIER");
    assert_eq!(asked["userName"], "ada", "the event is echoed");
    let asked = challenge
        .invoke(&fixture("define_password_passed"))
        .expect("define");
    assert_eq!(asked["response"]["challengeName"], "CUSTOM_CHALLENGE");
    let made = challenge
        .invoke(&fixture("create_after_password"))
        .expect("create");
    let public = &made["response"]["publicChallengeParameters"];
    let state = public["state"].as_str().expect("state").to_owned();

    let verify = tenant.start("verify");
    let mut event = fixture("verify");
    event["request"]["privateChallengeParameters"] = made["response"]["privateChallengeParameters"].clone();
    event["request"]["challengeAnswer"] = json!(json!({"code": "canary-code", "state": state}).to_string());
    let judged = verify.invoke(&event).expect("verify never fails");
    assert_eq!(judged["response"]["answerCorrect"], false);
    let again = verify.invoke(&event).expect("the same answer again");
    assert_eq!(again["response"]["answerCorrect"], false);
    let probe = json!({"stepgate_probe": {"version_stage": "AWSCURRENT"}});
    assert_eq!(
        verify.invoke(&probe).expect("probe"),
        json!({"outcome": "unreachable"})
    );

    let refused = challenge
        .invoke(&fixture("pretoken_v2_Authentication"))
        .expect_err("no tokens");
    assert_eq!(refused["errorMessage"], "no_grant");
    let unreadable = challenge.invoke(&json!("not an event")).expect_err("no tokens");
    assert_eq!(unreadable["errorMessage"], "foreign_pool");

    let (asked, judged) = (challenge.stop(), verify.stop());
    let types: Vec<_> = events(&asked).iter().map(|event| event.event_type).collect();
    assert_eq!(
        types,
        [
            EventType::Started,
            EventType::Offered,
            EventType::RefusedTokens,
            EventType::RefusedTokens
        ]
    );
    let judged_events = events(&judged);
    assert_eq!(judged_events.len(), 2);
    assert!(
        judged_events
            .iter()
            .all(|event| event.reason == Some(Reason::ProviderUnavailable))
    );
    assert_eq!(judged_events[0].event_id, judged_events[1].event_id);
    for canary in [SECRET, "canary-code", &state, "ada", "example.com"] {
        assert!(
            !asked.contains(canary) && !judged.contains(canary),
            "{canary} was printed"
        );
    }
}

#[tokio::test]
async fn a_policy_without_step_up_gives_tokens_with_claims_of_both_versions() {
    let tenant =
        Tenant::new(&json!({"schema_version": 1, "default": {"step_up": "not_required", "reason": "pilot"}}))
            .await;
    let challenge = tenant.start("challenge");
    let asked = challenge
        .invoke(&fixture("define_password_passed"))
        .expect("define");
    assert_eq!(asked["response"]["issueTokens"], true);
    let tokens = challenge
        .invoke(&fixture("pretoken_v1_Authentication"))
        .expect("tokens");
    assert_eq!(
        tokens["response"]["claimsOverrideDetails"],
        json!({"claimsToAddOrOverride": {"stepup_policy": "3"}})
    );
    let tokens = challenge
        .invoke(&fixture("pretoken_v2_RefreshTokens"))
        .expect("tokens");
    let details = &tokens["response"]["claimsAndScopeOverrideDetails"];
    assert_eq!(details["accessTokenGeneration"], details["idTokenGeneration"]);
    drop(challenge);
}

#[tokio::test]
async fn a_function_that_can_read_nothing_refuses_with_a_reason() {
    let mut tenant = Tenant::new(&required()).await;
    for (name, value) in &mut tenant.variables {
        if *name == "STEPGATE_SETTINGS_SECRET_ARN" {
            *value = "arn:aws:secretsmanager:eu-central-1:1:secret:gone".to_owned();
        }
    }
    let challenge = tenant.start("challenge");
    let asked = challenge
        .invoke(&fixture("define_srp_a"))
        .expect("define answers");
    assert_eq!(asked["response"]["failAuthentication"], true);
    let refused = challenge
        .invoke(&fixture("pretoken_v1_HostedAuth"))
        .expect_err("no tokens");
    assert_eq!(refused["errorMessage"], "settings_unavailable");
    let log = challenge.stop();
    assert!(log.contains("ResourceNotFoundException"), "{log}");
    assert!(
        events(&log)
            .iter()
            .all(|event| event.reason == Some(Reason::SettingsUnavailable))
    );
}
