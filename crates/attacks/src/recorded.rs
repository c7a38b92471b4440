//! Events as Cognito sends them to triggers, for what an emulator does not produce.
//!
//! The shapes follow the developer guide and captured events: explicit nulls, a verify event without
//! `session`, `userNotFound` for unknown users, no client metadata from `InitiateAuth`.

use serde_json::{Value, json};

/// Whom and what an event is about.
#[derive(Debug, Clone)]
pub struct Scene {
    /// Pool id.
    pub pool_id: String,
    /// App client id.
    pub client_id: String,
    /// `event.userName`.
    pub user_name: String,
    /// The user's attributes; `None` for a user that does not exist.
    pub attributes: Option<Value>,
}

impl Scene {
    fn envelope(&self, version: &str, source: &str, request: &Value, response: &Value) -> Value {
        let region = self.pool_id.split('_').next().unwrap_or_default();
        json!({
            "version": version,
            "triggerSource": source,
            "region": region,
            "userPoolId": self.pool_id,
            "userName": self.user_name,
            "callerContext": { "awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": self.client_id },
            "request": request,
            "response": response,
        })
    }

    fn attributes(&self) -> Value {
        self.attributes.clone().unwrap_or_else(|| json!({}))
    }

    /// *define* asked with this history.
    pub fn define(&self, history: &[Value]) -> Value {
        let request = json!({
            "userAttributes": self.attributes(), "session": history, "userNotFound": self.attributes.is_none()
        });
        let response = json!({ "challengeName": null, "issueTokens": null, "failAuthentication": null });
        self.envelope("1", "DefineAuthChallenge_Authentication", &request, &response)
    }

    /// *create* asked with this history.
    pub fn create(&self, history: &[Value]) -> Value {
        let request = json!({
            "userAttributes": self.attributes(), "challengeName": "CUSTOM_CHALLENGE", "session": history,
            "userNotFound": self.attributes.is_none()
        });
        let response = json!({
            "publicChallengeParameters": null, "privateChallengeParameters": null, "challengeMetadata": null
        });
        self.envelope("1", "CreateAuthChallenge_Authentication", &request, &response)
    }

    /// *verify* asked about an answer to what *create* made.
    pub fn verify(&self, private: &Value, answer: &str) -> Value {
        let request = json!({
            "userAttributes": self.attributes(), "privateChallengeParameters": private,
            "challengeAnswer": answer, "userNotFound": self.attributes.is_none()
        });
        self.envelope(
            "1",
            "VerifyAuthChallengeResponse_Authentication",
            &request,
            &json!({ "answerCorrect": null }),
        )
    }

    /// Post-confirmation after a password was reset with a code from the mailbox.
    pub fn password_reset(&self) -> Value {
        let request = json!({ "userAttributes": self.attributes() });
        self.envelope(
            "1",
            "PostConfirmation_ConfirmForgotPassword",
            &request,
            &json!({}),
        )
    }

    /// The gate asked for tokens from a source such as `TokenGeneration_HostedAuth`.
    pub fn pre_token(&self, source: &str) -> Value {
        let request = json!({
            "userAttributes": self.attributes(),
            "groupConfiguration": { "groupsToOverride": [], "iamRolesToOverride": [], "preferredRole": null },
            "scopes": ["aws.cognito.signin.user.admin"]
        });
        self.envelope(
            "2",
            source,
            &request,
            &json!({ "claimsAndScopeOverrideDetails": null }),
        )
    }
}

/// A round of a session.
pub fn round(name: &str, passed: bool, metadata: Option<&str>) -> Value {
    json!({ "challengeName": name, "challengeResult": passed, "challengeMetadata": metadata })
}

/// The history after a passed password.
pub fn after_password() -> Vec<Value> {
    vec![round("SRP_A", true, None), round("PASSWORD_VERIFIER", true, None)]
}
