//! What *create* hands to the browser ([`PublicParameters`]), to *verify* ([`PrivateChallenge`]) and to the
//! next *define* ([`ChallengeMetadata`]).
//!
//! Cognito keeps the session's history and shows *define* and *create* only `challengeMetadata`, and
//! *verify* only the private parameters. So each of the three carries all that its reader must compare.
//!
//! Nothing here draws random values or reads a clock: `state`, `nonce`, the PKCE verifier, the journey and
//! the times are handed in by the trigger.

mod answer;
mod authorize;

pub use answer::{ANSWER_MAX_BYTES, Answer, ProofAnswer};
pub use authorize::{AuthorizeRequest, acr_list, authorize_url, pkce_challenge_s256};

use crate::policy::{Binding, SubjectLink, is_action_name};
use serde::{Deserialize, Serialize};

/// Version of [`ChallengeMetadata`] and [`PrivateChallenge`] that this crate writes and reads.
pub const CHALLENGE_VERSION: u8 = 1;

/// Longest metadata looked at; what *create* writes is far shorter.
const METADATA_MAX_BYTES: usize = 1024;

/// Key of the single private challenge parameter; its value is a [`PrivateChallenge`] as JSON.
pub const PRIVATE_PARAMETER: &str = "stepgate";

/// What a custom challenge round asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundKind {
    /// A BlockID step-up.
    StepUp,
    /// Proof of a signed-in session, the first round of an action step-up.
    SessionProof,
}

/// `challengeMetadata` of a round, as JSON; the only thing by which *define* tells rounds apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChallengeMetadata {
    /// Format version; anything but 1 fails the sign-in.
    pub v: u8,
    /// What the round asked for.
    pub kind: RoundKind,
    /// Journey the round belongs to.
    pub journey: String,
    /// Policy version that decided it.
    pub policy_version: i64,
    /// Wrong answers the policy allows in one session.
    pub attempts: u8,
    /// Action the journey is for, when it is not a sign-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
}

impl ChallengeMetadata {
    /// Reads the metadata of a round; `None` for anything that this version did not write.
    pub fn parse(text: &str) -> Option<Self> {
        // serde would also read the fields from an array, in order; `create` writes an object.
        if text.len() > METADATA_MAX_BYTES || !text.starts_with('{') {
            return None;
        }
        let metadata: Self = serde_json::from_str(text).ok()?;
        let sound = metadata.v == CHALLENGE_VERSION
            && !metadata.journey.is_empty()
            && (1..=3).contains(&metadata.attempts)
            && metadata.action.as_deref().is_none_or(is_action_name);
        sound.then_some(metadata)
    }

    /// The text for Cognito's `challengeMetadata`.
    pub fn to_text(&self) -> String {
        // A struct of plain fields always serializes; an empty text would be refused as unknown metadata.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Everything *verify* compares an answer with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PrivateChallenge {
    /// Format version, 1.
    pub v: u8,
    /// What the round asks for.
    pub kind: RoundKind,
    /// Journey of this sign-in.
    pub journey: String,
    /// Number of the round within the session, from 1; wrong answers open further rounds.
    pub round: u8,
    /// Cognito `sub` the challenge was made for.
    pub user_sub: String,
    /// App the challenge was made for.
    pub app_id: String,
    /// App client the challenge was made for.
    pub client_id: String,
    /// Policy version that decided it.
    pub policy_version: i64,
    /// Rule that decided it; `default` for the default.
    pub rule: String,
    /// OAuth `state`, compared in constant time.
    pub state: String,
    /// OIDC `nonce`; must come back in the id_token unless `binding` is state-only.
    pub nonce: String,
    /// PKCE verifier (RFC 7636), when the provider offers S256.
    pub pkce_verifier: Option<String>,
    /// Whether a nonce must come back.
    pub binding: Binding,
    /// ACR values asked for, in order.
    pub methods: Vec<String>,
    /// Least authenticator assurance level to be achieved, 1–3.
    pub min_aal: Option<u8>,
    /// Whether the achieved method must be phishing-resistant.
    pub phishing_resistant: bool,
    /// Least identity assurance level to be achieved, 1–3.
    pub min_ial: Option<u8>,
    /// How the BlockID subject is tied to the Cognito user.
    pub subject_link: SubjectLink,
    /// Name under which BlockID was asked for the user.
    pub asserted_username: String,
    /// Wrong answers allowed in one session.
    pub attempts: u8,
    /// When the challenge was made; the id_token must not be older (60 s leeway).
    pub issued_at_unix_s: i64,
    /// When an answer comes too late.
    pub expires_at_unix_s: i64,
    /// How long the step-up counts for refreshes, s; 0 when the app gets no refresh.
    pub max_age_s: u32,
    /// Action the journey is for, when it is not a sign-in.
    #[serde(default)]
    pub action: Option<String>,
    /// Hash of the transaction the action is for, when the client gave one.
    #[serde(default)]
    pub action_ref: Option<String>,
    /// Page of the app to which the provider returned, when the step-up took a page of its own.
    #[serde(default)]
    pub return_url: Option<String>,
}

/// The browser's view of the challenge. Names of the first six are those that 1Kosmos's own script reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PublicParameters {
    /// Host name of the BlockID tenant.
    pub tenant: String,
    /// Community name.
    pub community: String,
    /// OAuth client id at BlockID.
    #[serde(rename = "kosmos_clientId")]
    pub kosmos_client_id: String,
    /// Methods as 1Kosmos's script takes them: `'liveID push','otp sms'`.
    pub acr: String,
    /// OAuth `state`.
    pub state: String,
    /// User name to be handed to BlockID.
    pub username: String,
    /// Complete authorize URL with nonce, claims, PKCE, `prompt=login` and `max_age=0`, for our SDK.
    pub authorize_url: String,
    /// Methods offered, JSON array of ACR values, in order.
    pub methods: String,
    /// Journey of this sign-in.
    pub journey_id: String,
    /// When the challenge closes, seconds since the Unix epoch.
    pub expires_at: String,
    /// What our SDK puts in place of `redirect_uri` where frames are blocked; absent when the app has no such page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_url: Option<String>,
}
