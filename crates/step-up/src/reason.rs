//! Why something was refused: one closed, documented list, used by triggers, events and reports.

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident => $code:literal,)+) => {
        /// Reason code of a refusal. The text form is stable: dashboards and alarms are built on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Reason { $($(#[doc = $doc])+ #[serde(rename = $code)] $variant,)+ }

        impl Reason {
            /// Every reason, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable code.
            pub const fn code(self) -> &'static str { match self { $(Self::$variant => $code,)+ } }

            /// What it means, one sentence for people.
            pub const fn meaning(self) -> &'static str { match self { $(Self::$variant => concat!($($doc,)+),)+ } }
        }
    };
}

reasons! {
    /// The sign-in did not begin with the password (SRP) and the app has no action step-up.
    PasswordRequired => "password_required",
    /// The password proof failed.
    PasswordFailed => "password_failed",
    /// The session's history has a shape or metadata that this version does not know.
    UnknownHistory => "unknown_history",
    /// The policy changed in the middle of the sign-in: start again.
    PolicyChanged => "policy_changed",
    /// The step-up was answered wrongly as often as the policy allows.
    AttemptsExhausted => "attempts_exhausted",
    /// Too many failed step-ups of this user over time.
    UserRateLimited => "user_rate_limited",
    /// The settings of the tenant could not be read, or the stack is not complete.
    SettingsUnavailable => "settings_unavailable",
    /// The policy could not be read and the cached one is too old.
    PolicyStale => "policy_stale",
    /// The app client is not one of this tenant's apps.
    UnknownClient => "unknown_client",
    /// The event comes from another user pool than this tenant's.
    ForeignPool => "foreign_pool",
    /// The tenant is suspended.
    Suspended => "suspended",
    /// The answer is not a JSON object with `code` and `state`, or is too large.
    MalformedAnswer => "malformed_answer",
    /// The private parameters are missing, or made for another user, client or version.
    MalformedChallenge => "malformed_challenge",
    /// `state` differs from the one of this challenge.
    StateMismatch => "state_mismatch",
    /// The answer came after the challenge had closed.
    ChallengeExpired => "challenge_expired",
    /// This round was answered already.
    AnswerReplayed => "answer_replayed",
    /// The provider refused the code (`invalid_grant`).
    CodeRejected => "code_rejected",
    /// The provider refused our client credentials (`invalid_client`).
    ClientRejected => "client_rejected",
    /// The provider could not be reached, or not in time.
    ProviderUnavailable => "provider_unavailable",
    /// The provider answered something that is not OpenID Connect (HTML, redirect, oversized body, no id_token).
    ProviderMalformed => "provider_malformed",
    /// The provider's address is not public and not allowed for this cell.
    ProviderAddressRefused => "provider_address_refused",
    /// The id_token's signature, algorithm or key is not acceptable.
    SignatureInvalid => "signature_invalid",
    /// `iss` is not the provider's issuer.
    IssuerMismatch => "issuer_mismatch",
    /// `aud` or `azp` is not our client.
    AudienceMismatch => "audience_mismatch",
    /// The id_token has expired, or was issued in the future.
    TokenExpired => "token_expired",
    /// `nonce` is missing or differs from the one of this challenge.
    NonceMismatch => "nonce_mismatch",
    /// The id_token or its authentication is older than the challenge.
    StaleAuthentication => "stale_authentication",
    /// The step-up was made by someone else than the user who signs in.
    SubjectMismatch => "subject_mismatch",
    /// The BlockID subject may not be linked to this user.
    LinkRefused => "link_refused",
    /// The method used is weaker than the policy asks.
    AssuranceNotMet => "assurance_not_met",
    /// The identity proofing level is lower than the policy asks.
    IdentityAssuranceNotMet => "identity_assurance_not_met",
    /// No unused grant of a step-up: tokens were asked for on a path without one.
    NoGrant => "no_grant",
    /// The token source can never carry a step-up (hosted pages, device, unknown).
    SourceRefused => "source_refused",
    /// The first password was set; a normal sign-in must follow. Not counted as a failure.
    FirstPasswordSet => "first_password_set",
    /// No live evidence of a step-up that satisfies the current policy: sign in again.
    EvidenceExpired => "evidence_expired",
    /// The records table could not be read or written.
    RecordsUnavailable => "records_unavailable",
    /// The session proof of an action step-up did not hold.
    SessionProofInvalid => "session_proof_invalid",
    /// The action is not one that the app may step up for.
    ActionRefused => "action_refused",
    /// Something failed inside the trigger.
    Internal => "internal",
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}
