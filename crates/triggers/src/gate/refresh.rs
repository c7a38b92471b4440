//! Tokens of a refresh. The event does not say which session is refreshed, so it is taken for the worst.

use super::{Pass, Question};
use crate::create::LEAST_REFRESH_AGE_MIN;
use crate::records::{Achievement, Evidence};
use step_up::assurance::{catalogue_with, judge};
use step_up::challenge::{CHALLENGE_VERSION, PrivateChallenge, RoundKind};
use step_up::policy::Requirement;
use step_up::reason::Reason;

/// Decides on `TokenGeneration_RefreshTokens`.
pub(super) async fn pass(question: &Question<'_>) -> Result<Pass, Reason> {
    if let Some(pass) = question.without_step_up() {
        return Ok(pass);
    }
    let asked = question.judged.requirement.ok_or(Reason::EvidenceExpired)?;
    let read = question
        .function
        .records
        .evidence(question.user_sub, &question.item.client_id);
    let found = question
        .invocation
        .hop("records", read)
        .await
        .map_err(|error| question.unavailable(error))?;
    let live = live(question, found);
    if live.is_empty()
        || !live
            .iter()
            .all(|evidence| satisfies(question, asked, &evidence.achievement))
    {
        return Err(Reason::EvidenceExpired);
    }
    let achievement = oldest_and_weakest(live).ok_or(Reason::EvidenceExpired)?;
    Ok(Pass::StepUp {
        achievement: Box::new(Achievement {
            policy_version: question.item.policy_version,
            ..achievement
        }),
        action: None,
        action_ref: None,
        round: None,
    })
}

/// Evidence that has not expired. That of another issuer or community is void, but the session it belongs
/// to still exists: it stays in as evidence of nothing.
fn live(question: &Question<'_>, found: Vec<Evidence>) -> Vec<Evidence> {
    let now_s = question.now_s();
    let issuer = question
        .settings
        .provider
        .as_ref()
        .map_or("", |provider| provider.issuer.as_str());
    let community = question.settings.connection.community.as_str();
    found
        .into_iter()
        .filter(|evidence| now_s < evidence.expires_at_unix_s)
        .map(|mut evidence| {
            let achievement = &mut evidence.achievement;
            if achievement.issuer != issuer || achievement.community != community {
                achievement.acr = None;
                achievement.amr.clear();
            }
            evidence
        })
        .collect()
}

/// Whether a step-up would be enough under the policy in force: young enough, and strong enough by the same
/// comparison that *verify* makes.
fn satisfies(question: &Question<'_>, asked: &Requirement, achievement: &Achievement) -> bool {
    let max_age_s = match asked.max_age_min {
        Some(age_min) if age_min < LEAST_REFRESH_AGE_MIN => return false,
        Some(age_min) => i64::from(age_min) * 60,
        None => i64::from(question.item.refresh_validity_s),
    };
    let age_s = question.now_s() - achievement.at_unix_s;
    if age_s > max_age_s {
        return false;
    }
    let catalogue = catalogue_with(&question.settings.extra_methods);
    judge(
        &as_challenge(asked),
        achievement.acr.as_deref(),
        &achievement.amr,
        &catalogue,
        &question.settings.observed_methods,
    )
    .is_ok()
}

/// The requirement in the form that is judged; who and when were compared by *verify*.
fn as_challenge(asked: &Requirement) -> PrivateChallenge {
    PrivateChallenge {
        v: CHALLENGE_VERSION,
        kind: RoundKind::StepUp,
        journey: String::new(),
        round: 1,
        user_sub: String::new(),
        app_id: String::new(),
        client_id: String::new(),
        policy_version: 0,
        rule: String::new(),
        state: String::new(),
        nonce: String::new(),
        pkce_verifier: None,
        binding: asked.binding,
        methods: asked.methods.clone(),
        min_aal: asked.min_aal,
        phishing_resistant: asked.phishing_resistant,
        min_ial: asked.min_ial,
        subject_link: asked.subject_link,
        asserted_username: String::new(),
        attempts: asked.attempts,
        issued_at_unix_s: 0,
        expires_at_unix_s: 0,
        max_age_s: 0,
        action: None,
        action_ref: None,
        return_url: None,
    }
}

/// What may be claimed of a session nobody can name: the weakest of all step-ups, at the time of the oldest.
fn oldest_and_weakest(live: Vec<Evidence>) -> Option<Achievement> {
    let oldest = live.iter().map(|evidence| evidence.achievement.at_unix_s).min()?;
    let weakest = live
        .into_iter()
        .map(|evidence| evidence.achievement)
        .min_by_key(|a| (a.aal, a.phishing_resistant, a.ial, a.at_unix_s))?;
    Some(Achievement {
        at_unix_s: oldest,
        ..weakest
    })
}
