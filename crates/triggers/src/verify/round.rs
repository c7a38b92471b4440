//! One answered round: claimed before anything is done with the answer, closed with its outcome.

use super::step_up::{Proved, Refused};
use super::{Budget, Verify};
use crate::cognito_event::CognitoEvent;
use crate::events::Invocation;
use crate::outcome::SourceError;
use crate::records::{
    Achievement, Claimed, Committed, Counted, Evidence, GRANT_LIVES_S, Grant, LinkWrite, RoundClaim,
    RoundOutcome, Success, answer_hash, limits,
};
use std::time::Duration;
use step_up::challenge::{PrivateChallenge, RoundKind};
use step_up::event::EventType;
use step_up::reason::Reason;
use step_up::settings::TenantSettings;

/// Pause before asking again whether another invocation is done with the same answer, ms.
const IN_PROGRESS_PAUSE_MS: u64 = 150;
/// Evidence outlives the refresh token by the time between step-up and tokens, s.
const EVIDENCE_MARGIN_S: i64 = 2 * GRANT_LIVES_S;

/// An answer that never became a round.
pub(super) fn refused_early(invocation: &Invocation<'_>, reason: Reason) {
    invocation.emit(&invocation.event(EventType::Failed, None, None, Some(reason)));
}

impl Verify {
    /// Whether the answer is right. Claims, judges, stores and reports.
    pub(super) async fn round(
        &self,
        invocation: &Invocation<'_>,
        event: &CognitoEvent,
        settings: &TenantSettings,
        challenge: &PrivateChallenge,
        budget: Budget,
    ) -> bool {
        let report = Report {
            invocation,
            challenge,
        };
        let claim = self.claim_of(event, challenge);
        if claim.now_ms.div_euclid(1_000) >= challenge.expires_at_unix_s {
            return report.refused(&Refused::from(Reason::ChallengeExpired));
        }
        match self.claim(invocation, &claim, budget).await {
            Err(reason) | Ok(Some(RoundOutcome::Refused(reason))) => {
                return report.refused(&Refused::from(reason));
            }
            Ok(Some(RoundOutcome::Passed)) => return report.passed_before(),
            Ok(None) => {}
        }
        match challenge.kind {
            RoundKind::SessionProof => {
                let work = self.session_proof(invocation, event, settings, challenge, budget);
                let judged = within(budget, work, Reason::Internal).await;
                self.close_session_proof(&report, &claim, judged, budget).await
            }
            RoundKind::StepUp => {
                let work = self.step_up(invocation, event, settings, challenge, budget);
                let judged = match tokio::time::timeout_at(budget.judged_by.into(), work).await {
                    Ok(judged) => judged,
                    Err(_) => Err(Refused::from(Reason::ProviderUnavailable)),
                };
                self.close_step_up(&report, settings, &claim, judged, budget)
                    .await
            }
        }
    }

    fn claim_of(&self, event: &CognitoEvent, challenge: &PrivateChallenge) -> RoundClaim {
        let now_ms = self.clock.now_unix_ms();
        RoundClaim {
            journey: challenge.journey.clone(),
            round: challenge.round,
            user_sub: challenge.user_sub.clone(),
            answer_hash: answer_hash(&event.request.challenge_answer),
            counted: (challenge.kind == RoundKind::StepUp).then(|| Counted {
                per_journey: challenge.attempts,
                per_user: limits::windows(now_ms.div_euclid(1_000)),
            }),
            now_ms,
        }
    }

    /// `None`: the round is ours. An outcome: the same answer was judged a moment ago.
    async fn claim(
        &self,
        invocation: &Invocation<'_>,
        claim: &RoundClaim,
        budget: Budget,
    ) -> Result<Option<RoundOutcome>, Reason> {
        let attempt = async {
            loop {
                match self.records.claim_round(claim).await {
                    Ok(Claimed::InProgress) => {
                        tokio::time::sleep(Duration::from_millis(IN_PROGRESS_PAUSE_MS)).await;
                    }
                    done => return done,
                }
            }
        };
        let timed = tokio::time::timeout_at(budget.judged_by.into(), attempt);
        match invocation.hop("records", timed).await {
            // Either the table does not answer, or the invocation that has the answer never finished.
            Err(_) => Err(Reason::AnswerReplayed),
            Ok(Err(error)) => Err(unavailable(invocation, error)),
            Ok(Ok(claimed)) => match claimed {
                Claimed::Yes => Ok(None),
                Claimed::SameAnswer(outcome) => Ok(Some(outcome)),
                Claimed::Taken | Claimed::InProgress => Err(Reason::AnswerReplayed),
                Claimed::JourneyLimit => Err(Reason::AttemptsExhausted),
                Claimed::UserLimit => Err(Reason::UserRateLimited),
            },
        }
    }

    async fn close_session_proof(
        &self,
        report: &Report<'_>,
        claim: &RoundClaim,
        judged: Result<(), Reason>,
        budget: Budget,
    ) -> bool {
        let reason = match judged {
            // A session proof is no step-up and no event: what counts comes after it.
            Ok(()) => match stored(report.invocation, self.records.pass_round(claim), budget).await {
                Ok(()) => return true,
                Err(reason) => reason,
            },
            Err(reason) => reason,
        };
        self.close(report, claim, Refused::from(reason), budget).await
    }

    async fn close_step_up(
        &self,
        report: &Report<'_>,
        settings: &TenantSettings,
        claim: &RoundClaim,
        judged: Result<Proved, Refused>,
        budget: Budget,
    ) -> bool {
        let proved = match judged {
            Ok(proved) => proved,
            Err(refused) => return self.close(report, claim, refused, budget).await,
        };
        let success = self.success(settings, report.challenge, claim, &proved);
        let refused = match stored(report.invocation, self.records.commit(&success), budget).await {
            Ok(Committed::Yes) => return report.passed(&success, &proved),
            Ok(Committed::LinkChanged) => Reason::LinkRefused,
            Err(reason) => reason,
        };
        self.close(report, claim, proved.refused(refused), budget).await
    }

    async fn close(&self, report: &Report<'_>, claim: &RoundClaim, refused: Refused, budget: Budget) -> bool {
        let refund = claim.counted.is_some() && !is_users_fault(refused.reason);
        let close = self.records.close_round(claim, refused.reason, refund);
        // The answer is refused whether or not that could be stored.
        let _ = stored(report.invocation, close, budget).await;
        report.refused(&refused)
    }

    fn success(
        &self,
        settings: &TenantSettings,
        challenge: &PrivateChallenge,
        claim: &RoundClaim,
        proved: &Proved,
    ) -> Success {
        let now_s = self.clock.now_unix_s();
        let achievement = Achievement {
            journey: challenge.journey.clone(),
            client_id: challenge.client_id.clone(),
            issuer: proved.issuer.clone(),
            community: settings.connection.community.clone(),
            acr: proved.achieved.acr.clone(),
            amr: proved.achieved.amr.clone(),
            method: proved.achieved.method.clone(),
            aal: proved.achieved.aal,
            ial: proved.achieved.ial,
            phishing_resistant: proved.achieved.phishing_resistant,
            at_unix_s: now_s,
            policy_version: challenge.policy_version,
        };
        let refreshable = challenge.action.is_none() && challenge.max_age_s > 0;
        Success {
            claim: claim.clone(),
            link: proved.link.clone(),
            evidence: refreshable.then(|| Evidence {
                achievement: achievement.clone(),
                expires_at_unix_s: now_s + i64::from(challenge.max_age_s) + EVIDENCE_MARGIN_S,
            }),
            grant: Grant {
                achievement,
                round: challenge.round,
                action: challenge.action.clone(),
                action_ref: challenge.action_ref.clone(),
                expires_at_unix_s: now_s + GRANT_LIVES_S,
                used_at_unix_ms: None,
            },
        }
    }
}

/// Whether a refusal counts against the user over time. An outage must not lock anybody out.
fn is_users_fault(reason: Reason) -> bool {
    !matches!(
        reason,
        Reason::ProviderUnavailable
            | Reason::ProviderAddressRefused
            | Reason::ClientRejected
            | Reason::SettingsUnavailable
            | Reason::RecordsUnavailable
            | Reason::Internal
    )
}

fn unavailable(invocation: &Invocation<'_>, error: SourceError) -> Reason {
    invocation.note("the records could not be used", Some(error.code));
    Reason::RecordsUnavailable
}

async fn stored<T>(
    invocation: &Invocation<'_>,
    write: impl Future<Output = Result<T, SourceError>>,
    budget: Budget,
) -> Result<T, Reason> {
    let timed = tokio::time::timeout_at(budget.stored_by.into(), write);
    match invocation.hop("records", timed).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(unavailable(invocation, error)),
        Err(_) => Err(unavailable(invocation, SourceError::malformed("Timeout"))),
    }
}

async fn within<T>(
    budget: Budget,
    work: impl Future<Output = Result<T, Reason>>,
    late: Reason,
) -> Result<T, Reason> {
    tokio::time::timeout_at(budget.judged_by.into(), work)
        .await
        .unwrap_or(Err(late))
}

/// Prints what became of the round; gives Cognito's answer.
struct Report<'a> {
    invocation: &'a Invocation<'a>,
    challenge: &'a PrivateChallenge,
}

impl Report<'_> {
    fn event(&self, event_type: EventType, reason: Option<Reason>) -> step_up::event::StepUpEvent {
        let challenge = self.challenge;
        let round = Some(challenge.round);
        let mut event = self
            .invocation
            .event(event_type, Some(&challenge.journey), round, reason);
        event.action.clone_from(&challenge.action);
        event
    }

    fn refused(&self, refused: &Refused) -> bool {
        let mut event = self.event(EventType::Failed, Some(refused.reason));
        event.acr.clone_from(&refused.acr);
        event.amr.clone_from(&refused.amr);
        self.invocation.emit(&event);
        false
    }

    fn passed(&self, success: &Success, proved: &Proved) -> bool {
        if let LinkWrite::Make(_) = success.link {
            self.invocation.emit(&self.event(EventType::Linked, None));
        }
        let mut event = self.event(EventType::Succeeded, None);
        event.method.clone_from(&proved.achieved.method);
        event.fallback = event
            .method
            .as_ref()
            .zip(self.challenge.methods.first())
            .map(|(used, first)| used != first);
        event.acr.clone_from(&proved.achieved.acr);
        event.amr.clone_from(&proved.achieved.amr);
        event.aal = proved.achieved.aal;
        event.ial = proved.achieved.ial;
        self.invocation.emit(&event);
        true
    }

    /// Cognito asks again about an answer that was right: the same event, in case the first was lost.
    fn passed_before(&self) -> bool {
        if self.challenge.kind == RoundKind::StepUp {
            self.invocation.emit(&self.event(EventType::Succeeded, None));
        }
        true
    }
}
