//! A tenant's secrets and tables in the emulator, and its functions started as Lambda starts them.

use crate::emulator::{self, ACCESS_KEY_ID, REGION};
use crate::runtime_api::Function;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use step_up::event::StepUpEvent;

pub(crate) const TENANT: &str = "tnt_01j8example0000000000000000";
const CLIENT: &str = "4kq7example2client9id0abc1";
pub(crate) const SECRET: &str = "canary-client-secret";

/// A tenant's secrets and tables.
pub(crate) struct Tenant {
    pub(crate) variables: Vec<(&'static str, String)>,
}

impl Tenant {
    pub(crate) async fn new(settings: &Value, policy: &Value) -> Self {
        Self::made(settings, policy, false).await
    }

    /// With an app whose users may step up for one action.
    pub(crate) async fn with_actions(settings: &Value, policy: &Value) -> Self {
        Self::made(settings, policy, true).await
    }

    async fn made(settings: &Value, policy: &Value, action_step_up: bool) -> Self {
        let config = emulator::config().await;
        let secrets = aws_sdk_secretsmanager::Client::new(&config);
        let dynamodb = aws_sdk_dynamodb::Client::new(&config);
        let credentials = json!({"client_id": settings["connection"]["client_id"], "client_secret": SECRET});
        let (settings_arn, credentials_arn) = (
            secret(&secrets, settings).await,
            secret(&secrets, &credentials).await,
        );
        let policies = emulator::table(&dynamodb, "policies", &["pk"]).await;
        let records = emulator::table(&dynamodb, "records", &["pk", "sk"]).await;
        let item = json!({
            "generation": 1, "app_id": "app_1", "client_id": CLIENT, "policy_version": 3, "policy": policy,
            "session_validity_s": 180, "refresh_validity_s": 28_800,
            "action_step_up": action_step_up,
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

    pub(crate) fn start(&self, name: &str) -> Function {
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

pub(crate) fn required() -> Value {
    json!({"schema_version": 1, "default":
        {"step_up": "required", "methods": ["liveID push", "otp sms", "otp email", "otp"], "attempts": 2}})
}

pub(crate) fn fixture(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(&path).expect(&path)).expect(&path)
}

/// Every line is an event or a note; nothing else is ever printed.
pub(crate) fn events(log: &str) -> Vec<StepUpEvent> {
    log.lines()
        .filter(|line| !line.contains("\"stepgate_note\""))
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not an event: {line}")))
        .collect()
}
