//! A tenant's secrets, tables and provider behind one address that answers at once, always the same. What is measured in
//! front of it is the functions' own time, beside one more loopback round trip for each call.

use crate::http_stub::{self, Request, Response};
use crate::identity::Signer;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

const TENANT: &str = "tnt_01j8example0000000000000000";
const POOL: &str = "eu-central-1_Ab3dEfGh1";
const CLIENT: &str = "4kq7example2client9id0abc1";
const USER: &str = "f3b5a1c2-7d4e-4f60-9a1b-2c3d4e5f6071";
/// Names of the tables.
pub(crate) const POLICIES: &str = "policies";
pub(crate) const RECORDS: &str = "records";
const SETTINGS: &str = "settings";
const CREDENTIALS: &str = "credentials";

/// The running stage.
pub(crate) struct Stage {
    /// `127.0.0.1:port`
    pub(crate) address: String,
    now_s: u64,
}

/// What is answered.
struct Answers {
    settings: Vec<u8>,
    credentials: Vec<u8>,
    policy: Vec<u8>,
    tokens: Vec<u8>,
}

impl Stage {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let signer = Signer::new()?;
        // The provider's address is in what it answers, so it must be known first.
        let answers: Arc<std::sync::OnceLock<Answers>> = Arc::default();
        let serving = Arc::clone(&answers);
        let address = http_stub::serve(move |request| {
            let answers = Arc::clone(&serving);
            async move { answer(answers.get(), &request) }
        })
        .await?;
        let made = Answers::make(&address, &signer, now_s)?;
        let _first = answers.set(made);
        Ok(Self { address, now_s })
    }

    /// What Lambda would set for both functions.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        [
            ("STEPGATE_TENANT_ID", TENANT),
            ("STEPGATE_SETTINGS_SECRET_ARN", SETTINGS),
            ("STEPGATE_CREDENTIALS_SECRET_ARN", CREDENTIALS),
            ("STEPGATE_POLICIES_TABLE", POLICIES),
            ("STEPGATE_RECORDS_TABLE", RECORDS),
            ("STEPGATE_DEV_INSECURE_LOOPBACK", "1"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "bench"),
            ("AWS_SECRET_ACCESS_KEY", "not-a-secret"),
            ("AWS_LAMBDA_FUNCTION_NAME", "function"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "group"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "stream"),
        ]
        .into_iter()
        .map(|(name, value)| (name, value.to_owned()))
        .chain([("AWS_ENDPOINT_URL", format!("http://{}", self.address))])
        .collect()
    }

    /// *define* after the password.
    pub(crate) fn define() -> Value {
        let mut event = event("DefineAuthChallenge_Authentication");
        event["request"]["session"] = password_passed();
        event
    }

    /// *create* after the password.
    pub(crate) fn create() -> Value {
        let mut event = event("CreateAuthChallenge_Authentication");
        event["request"]["challengeName"] = json!("CUSTOM_CHALLENGE");
        event["request"]["session"] = password_passed();
        event
    }

    /// *verify* with the answer to a challenge that was made when the stage started; `journey` is its number.
    pub(crate) fn verify(&self, journey: u32) -> Value {
        let private = json!({
            "v": 1, "kind": "step_up", "journey": format!("jrn_01k000000000000000{journey:08}"), "round": 1,
            "user_sub": USER, "app_id": "app_1", "client_id": CLIENT, "policy_version": 3, "rule": "default",
            "state": "state-of-the-bench", "nonce": "nonce-of-the-bench", "pkce_verifier": "v".repeat(43),
            "binding": "nonce", "methods": methods(), "min_aal": null, "phishing_resistant": false, "min_ial": null,
            "subject_link": "username", "asserted_username": "ada", "attempts": 2,
            "issued_at_unix_s": self.now_s, "expires_at_unix_s": self.now_s + 900, "max_age_s": 28_800,
        });
        let answer = json!({"code": "code-of-the-bench", "state": "state-of-the-bench"});
        let mut event = event("VerifyAuthChallengeResponse_Authentication");
        event["request"]["privateChallengeParameters"] = json!({"stepgate": private.to_string()});
        event["request"]["challengeAnswer"] = json!(answer.to_string());
        event
    }
}

impl Answers {
    fn make(address: &str, signer: &Signer, now_s: u64) -> anyhow::Result<Self> {
        let provider = format!("http://{address}/oauth2/community/default/v1");
        let settings = json!({
            "schema_version": 1, "generation": 1, "tenant_id": TENANT, "user_pool_id": POOL,
            "connection": {"tenant_dns": address, "community": "default", "client_id": "bench-client"},
            "provider": {
                "issuer": provider, "authorization_endpoint": format!("{provider}/authorize"),
                "token_endpoint": format!("{provider}/token"), "jwks_uri": format!("{provider}/jwks"),
                "redirect_uri": format!("http://{address}/admin/default/post_stepup"),
                "id_token_signing_algorithms": ["RS256"], "pkce_s256": true, "jwks": signer.jwks(),
                "fetched_at_unix_s": now_s,
            },
            "allowed_provider_networks": ["127.0.0.1/32"],
            "event_hash_key": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
        });
        let credentials = json!({"client_id": "bench-client", "client_secret": "not-a-secret"});
        let item = json!({
            "generation": 1, "app_id": "app_1", "client_id": CLIENT, "policy_version": 3,
            "policy": {"schema_version": 1, "default": {"step_up": "required", "methods": methods(), "attempts": 2}},
            "session_validity_s": 180, "refresh_validity_s": 28_800,
        });
        let id_token = signer.sign(&json!({
            "iss": provider, "sub": "blockid-ada", "aud": "bench-client", "nonce": "nonce-of-the-bench",
            "iat": now_s, "exp": now_s + 3_600, "username": "ada", "acr": "liveID push", "amr": ["liveID push"],
        }))?;
        let row = json!({"Item": {"pk": {"S": CLIENT}, "generation": {"N": "1"}, "document": {"S": item.to_string()}}});
        Ok(Self {
            settings: secret(SETTINGS, &settings),
            credentials: secret(CREDENTIALS, &credentials),
            policy: row.to_string().into_bytes(),
            tokens: json!({"access_token": "access", "token_type": "Bearer", "expires_in": 300, "id_token": id_token})
                .to_string()
                .into_bytes(),
        })
    }
}

fn secret(name: &str, value: &Value) -> Vec<u8> {
    let version = "6f8c2d3e-0000-4000-8000-000000000001";
    json!({"ARN": name, "Name": name, "VersionId": version, "SecretString": value.to_string(),
           "VersionStages": ["AWSCURRENT"], "CreatedDate": 1_767_607_200.0})
    .to_string()
    .into_bytes()
}

fn answer(answers: Option<&Answers>, request: &Request) -> Response {
    let Some(answers) = answers else {
        return Response {
            status: "503 Service Unavailable",
            headers: String::new(),
            body: Vec::new(),
        };
    };
    let asks_for = |name: &str| {
        request
            .body
            .windows(name.len())
            .any(|window| window == name.as_bytes())
    };
    match request.target.rsplit('.').next().unwrap_or_default() {
        "GetSecretValue" if asks_for(SETTINGS) => Response::json(answers.settings.clone()),
        "GetSecretValue" => Response::json(answers.credentials.clone()),
        "GetItem" if asks_for(POLICIES) => Response::json(answers.policy.clone()),
        "GetItem" | "TransactWriteItems" => Response::json("{}"),
        "" if request.method == "POST" && request.path.ends_with("/token") => {
            Response::json(answers.tokens.clone())
        }
        _ => Response {
            status: "404 Not Found",
            headers: String::new(),
            body: Vec::new(),
        },
    }
}

fn methods() -> Value {
    json!(["liveID push", "otp sms", "otp email", "otp"])
}

fn password_passed() -> Value {
    let passed =
        |name: &str| json!({"challengeName": name, "challengeResult": true, "challengeMetadata": null});
    json!([passed("SRP_A"), passed("PASSWORD_VERIFIER")])
}

/// What all of Cognito's events have in common.
fn event(source: &str) -> Value {
    json!({
        "version": "1", "region": "eu-central-1", "userPoolId": POOL, "userName": "ada",
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": CLIENT},
        "triggerSource": source,
        "request": {
            "userAttributes": {
                "sub": USER, "cognito:user_status": "CONFIRMED", "email_verified": "true", "email": "ada@example.com",
                "custom:unit": "service-desk",
            },
            "clientMetadata": null, "userNotFound": false,
        },
        "response": {},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(stage: &Stage, target: &str, body: Value) -> (u16, Value) {
        let asked = reqwest::Client::builder()
            .no_proxy()
            .build()
            .unwrap()
            .post(format!("http://{}/", stage.address));
        let answer = asked
            .header("X-Amz-Target", target)
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        (
            status,
            serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default(),
        )
    }

    #[tokio::test]
    async fn the_stage_knows_what_the_functions_ask() {
        drop(rustls::crypto::ring::default_provider().install_default());
        let stage = Stage::start().await.unwrap();
        let (_, secret) = ask(
            &stage,
            "secretsmanager.GetSecretValue",
            json!({"SecretId": SETTINGS}),
        )
        .await;
        let settings: Value = serde_json::from_str(secret["SecretString"].as_str().unwrap()).unwrap();
        assert_eq!(settings["connection"]["tenant_dns"], stage.address.as_str());
        let (_, secret) = ask(
            &stage,
            "secretsmanager.GetSecretValue",
            json!({"SecretId": CREDENTIALS}),
        )
        .await;
        assert!(secret["SecretString"].as_str().unwrap().contains("client_secret"));
        let (_, row) = ask(
            &stage,
            "DynamoDB_20120810.GetItem",
            json!({"TableName": POLICIES}),
        )
        .await;
        assert_eq!(row["Item"]["pk"]["S"], CLIENT);
        let (_, row) = ask(&stage, "DynamoDB_20120810.GetItem", json!({"TableName": RECORDS})).await;
        assert_eq!(row, json!({}));
        let (status, _) = ask(&stage, "DynamoDB_20120810.Scan", json!({"TableName": RECORDS})).await;
        assert_eq!(status, 404, "what is not foreseen is not answered");
    }
}
