//! Tokens of a sign-in: opened by a grant, or by a policy that asks for no step-up.

use super::{Pass, Question};
use crate::records::{Achievement, Evidence, GRANT_LIVES_S, Grant};
use step_up::reason::Reason;

const HOUR_S: i64 = 3_600;

/// Decides on `TokenGeneration_Authentication`.
pub(super) async fn pass(question: &Question<'_>) -> Result<Pass, Reason> {
    let grants = question
        .invocation
        .hop("records", question.function.records.grants(question.user_sub))
        .await;
    let grants = match grants {
        Ok(grants) => candidates(question, grants),
        Err(error) => return Err(question.unavailable(error)),
    };
    for grant in grants {
        let journey = grant.achievement.journey.as_str();
        let stamp = question
            .function
            .records
            .use_grant(question.user_sub, journey, question.now_ms);
        let opened = question.invocation.hop("records", stamp).await;
        if opened.map_err(|error| question.unavailable(error))? {
            return Ok(Pass::StepUp {
                round: Some(grant.round),
                achievement: Box::new(grant.achievement),
                action: grant.action,
                action_ref: grant.action_ref,
            });
        }
    }
    let pass = question.without_step_up().ok_or(Reason::NoGrant)?;
    leave_trace(question).await?;
    Ok(pass)
}

/// The grants that may open the gate, best first: the journey the client names, else sign-ins only, never
/// an action's; unused ones before one that was just used, so that no grant is left over for somebody else.
fn candidates(question: &Question<'_>, grants: Vec<Grant>) -> Vec<Grant> {
    let mut live: Vec<Grant> = grants
        .into_iter()
        .filter(|grant| grant.achievement.client_id == question.item.client_id)
        .filter(|grant| grant.is_live(question.now_ms))
        .filter(|grant| match question.selector {
            Some(journey) => grant.achievement.journey == journey,
            None => grant.action.is_none(),
        })
        .collect();
    live.sort_by_key(|grant| (grant.used_at_unix_ms.is_some(), grant.achievement.at_unix_s));
    live
}

/// Notes that there is a session without step-up, for as long as it can be refreshed. One note an hour is
/// enough: it says nothing but that the weakest session has nothing to show.
pub(super) async fn leave_trace(question: &Question<'_>) -> Result<(), Reason> {
    let refresh_s = i64::from(question.item.refresh_validity_s);
    if refresh_s == 0 {
        return Ok(());
    }
    let now_s = question.now_s();
    let evidence = Evidence {
        achievement: Achievement {
            journey: format!("without-{}", now_s.div_euclid(HOUR_S)),
            client_id: question.item.client_id.clone(),
            issuer: String::new(),
            community: String::new(),
            acr: None,
            amr: Vec::new(),
            method: None,
            aal: None,
            ial: None,
            phishing_resistant: false,
            at_unix_s: now_s,
            policy_version: question.item.policy_version,
        },
        expires_at_unix_s: now_s + refresh_s + 2 * GRANT_LIVES_S,
    };
    let write = question
        .function
        .records
        .note_evidence(question.user_sub, &evidence);
    question
        .invocation
        .hop("records", write)
        .await
        .map_err(|error| question.unavailable(error))
}
