//! What a sign-in leaves behind: round claims, attempt counters, grants, evidence, links.
//!
//! The gate believes nothing but these records, so every write is conditional and every read consistent,
//! and expiry is compared here: DynamoDB deletes late, by days at worst. The keys are
//! [`step_up::record_keys`]; the control plane reads, makes and removes links, and removes evidence and grants.
//!
//! | record | written by | lives |
//! | --- | --- | --- |
//! | round claim | *verify*, before it does anything else with an answer | 1 h |
//! | attempt counters | *verify*, in the same transaction | 1 h (journey), the window and 1 h (user) |
//! | grant | *verify*, for a step-up that satisfied the policy; stamped by the gate at its first use | 60 s |
//! | evidence | *verify*, for a sign-in whose app may refresh; the gate, for one without step-up | as long as the refresh token |
//! | link | *verify* or an administrator | until it is removed |

mod dynamodb;
mod item;
pub mod limits;

pub use dynamodb::RecordsTable;
pub use step_up::link::Link;

use crate::outcome::SourceError;
use async_trait::async_trait;
use sha2::{Digest, Sha256};
use step_up::reason::Reason;

/// How long the same answer to the same round gets the stored outcome, ms: Cognito's three tries of 5 s.
pub const SAME_ANSWER_FOR_MS: i64 = 15_000;
/// How long a grant opens the gate, s.
pub const GRANT_LIVES_S: i64 = 60;
/// How long after its first use a grant may be used again, ms: Cognito's retries, and the emulator's two
/// calls for the access and the ID token.
pub const GRANT_REUSE_MS: i64 = 10_000;
/// How long round claims and counters of a journey are kept, s; no Cognito session lives longer than 15 min.
pub const JOURNEY_KEPT_S: i64 = 3_600;

/// The answer to a round, claimed.
#[derive(Debug, Clone)]
pub struct RoundClaim {
    /// Journey the round belongs to.
    pub journey: String,
    /// Its number.
    pub round: u8,
    /// Who answers.
    pub user_sub: String,
    /// SHA-256 of the answer, hex.
    pub answer_hash: String,
    /// Counted against these limits; `None` for a session proof, which costs no password and thus may
    /// not lock anybody out.
    pub counted: Option<Counted>,
    /// Now, ms.
    pub now_ms: i64,
}

/// The limits an attempt is counted against.
#[derive(Debug, Clone)]
pub struct Counted {
    /// Answers of this journey allowed.
    pub per_journey: u8,
    /// Answers of this user allowed, by window.
    pub per_user: [limits::Window; 2],
}

/// What came of claiming a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// The round is ours and the attempt is counted.
    Yes,
    /// The same answer came within 15 s and had this outcome.
    SameAnswer(RoundOutcome),
    /// The same answer came within 15 s and its outcome is not known yet.
    InProgress,
    /// The round was answered otherwise, or too long ago.
    Taken,
    /// The journey has no answers left.
    JourneyLimit,
    /// The user has no answers left for now.
    UserLimit,
}

/// What became of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoundOutcome {
    /// The answer was right.
    Passed,
    /// It was refused.
    Refused(Reason),
}

impl RoundOutcome {
    /// As stored.
    pub fn code(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Refused(reason) => reason.code(),
        }
    }

    /// From what was stored; a code of a newer version reads as an internal error.
    pub fn from_code(code: &str) -> Self {
        if code == "passed" {
            return Self::Passed;
        }
        let reason = Reason::ALL.iter().find(|reason| reason.code() == code);
        Self::Refused(reason.copied().unwrap_or(Reason::Internal))
    }
}

/// What a step-up achieved, as kept in grants and evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Achievement {
    /// Journey it was made in.
    pub journey: String,
    /// App client it was made for.
    pub client_id: String,
    /// `iss` of the provider.
    pub issuer: String,
    /// Community it was made in.
    pub community: String,
    /// `acr` of the id_token.
    pub acr: Option<String>,
    /// `amr` of the id_token.
    pub amr: Vec<String>,
    /// Method that was recognised (ACR value).
    pub method: Option<String>,
    /// Achieved authenticator assurance level, when it could be told.
    pub aal: Option<u8>,
    /// Achieved identity assurance level.
    pub ial: Option<u8>,
    /// Whether the method resists phishing.
    pub phishing_resistant: bool,
    /// When it was verified, s.
    pub at_unix_s: i64,
    /// Policy version it satisfied.
    pub policy_version: i64,
}

/// One journey's right to tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What was achieved.
    pub achievement: Achievement,
    /// Round that was answered.
    pub round: u8,
    /// Action the journey is for, when it is not a sign-in.
    pub action: Option<String>,
    /// Hash of the transaction the action is for.
    pub action_ref: Option<String>,
    /// When it dies, s.
    pub expires_at_unix_s: i64,
    /// When it was first used, ms.
    pub used_at_unix_ms: Option<i64>,
}

impl Grant {
    /// Whether it could open the gate now.
    pub fn is_live(&self, now_ms: i64) -> bool {
        now_ms < self.expires_at_unix_s.saturating_mul(1_000)
            && self
                .used_at_unix_ms
                .is_none_or(|used| now_ms.saturating_sub(used) <= GRANT_REUSE_MS)
    }
}

/// What a refresh rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What was achieved.
    pub achievement: Achievement,
    /// When it dies, s.
    pub expires_at_unix_s: i64,
}

/// Links as found, from either side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// The user's link to this issuer.
    pub of_user: Option<Link>,
    /// The subject's link to a user.
    pub of_subject: Option<Link>,
}

/// A step-up that satisfied the policy, written in one transaction.
#[derive(Debug, Clone)]
pub struct Success {
    /// The round that was answered.
    pub claim: RoundClaim,
    /// The link it rests on.
    pub link: LinkWrite,
    /// Opens the gate.
    pub grant: Grant,
    /// Carries refreshes; `None` for actions and for apps without refresh.
    pub evidence: Option<Evidence>,
}

/// What the success transaction does about the link.
#[derive(Debug, Clone)]
pub enum LinkWrite {
    /// It is made now, both ways, if neither side has one.
    Make(Link),
    /// It must still be there.
    Keep(Link),
}

/// What came of a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// Everything is written.
    Yes,
    /// Somebody else made or removed the link meanwhile; nothing is written.
    LinkChanged,
}

/// The records of a tenant.
#[async_trait]
pub trait Records: Send + Sync {
    /// Claims a round and counts the attempt, both or neither.
    async fn claim_round(&self, claim: &RoundClaim) -> Result<Claimed, SourceError>;

    /// Stores a refusal; `refund` gives the attempt back to the user when it was not the user who failed.
    async fn close_round(&self, claim: &RoundClaim, reason: Reason, refund: bool) -> Result<(), SourceError>;

    /// Stores that a round without step-up (a session proof) was passed.
    async fn pass_round(&self, claim: &RoundClaim) -> Result<(), SourceError>;

    /// Writes link, grant, evidence and outcome, and gives the attempt back, all or nothing.
    async fn commit(&self, success: &Success) -> Result<Committed, SourceError>;

    /// Links of a user and of a subject.
    async fn links(&self, user_sub: &str, issuer: &str, subject: &str) -> Result<Links, SourceError>;

    /// All grants of a user that DynamoDB still has.
    async fn grants(&self, user_sub: &str) -> Result<Vec<Grant>, SourceError>;

    /// Stamps a grant's first use, or passes within 10 s of it; `false` when it is gone, dead or used up.
    async fn use_grant(&self, user_sub: &str, journey: &str, now_ms: i64) -> Result<bool, SourceError>;

    /// Notes a sign-in that needed no step-up, as the weakest evidence there is.
    async fn note_evidence(&self, user_sub: &str, evidence: &Evidence) -> Result<(), SourceError>;

    /// All evidence of a user for one app client that DynamoDB still has.
    async fn evidence(&self, user_sub: &str, client_id: &str) -> Result<Vec<Evidence>, SourceError>;

    /// Deletes all evidence and grants of a user, of every app client; how many there were. Links and counters stay.
    async fn forget_step_ups(&self, user_sub: &str) -> Result<usize, SourceError>;
}

/// SHA-256 of an answer, hex: answers hold codes and tokens, which are not stored.
pub fn answer_hash(answer: &str) -> String {
    hex::encode(Sha256::digest(answer.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_survive_being_stored() {
        assert_eq!(
            RoundOutcome::from_code(RoundOutcome::Passed.code()),
            RoundOutcome::Passed
        );
        for reason in Reason::ALL {
            let outcome = RoundOutcome::Refused(*reason);
            assert_eq!(RoundOutcome::from_code(outcome.code()), outcome);
        }
        assert_eq!(
            RoundOutcome::from_code("of the future"),
            RoundOutcome::Refused(Reason::Internal)
        );
    }
}
