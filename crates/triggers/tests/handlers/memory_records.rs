//! Records in memory, with the same conditions as the table's transactions.

use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::Mutex;
use step_up::reason::Reason;
use triggers::outcome::SourceError;
use triggers::records::{
    Claimed, Committed, Evidence, GRANT_REUSE_MS, Grant, Link, LinkWrite, Links, Records, RoundClaim,
    RoundOutcome, SAME_ANSWER_FOR_MS, Success,
};

#[derive(Default)]
pub(crate) struct Tables {
    pub(crate) rounds: HashMap<(String, u8), (String, i64, Option<RoundOutcome>)>,
    pub(crate) counters: HashMap<String, u32>,
    pub(crate) grants: HashMap<(String, String), Grant>,
    pub(crate) evidence: HashMap<(String, String), Evidence>,
    pub(crate) links_of_users: HashMap<(String, String), Link>,
    pub(crate) links_of_subjects: HashMap<(String, String), Link>,
}

#[derive(Default)]
pub(crate) struct MemoryRecords {
    pub(crate) tables: Mutex<Tables>,
    /// When set, every call fails.
    pub(crate) broken: Mutex<bool>,
}

impl MemoryRecords {
    fn check(&self) -> Result<(), SourceError> {
        if *self.broken.lock().unwrap() {
            Err(SourceError::malformed("Broken"))
        } else {
            Ok(())
        }
    }

    fn close(&self, claim: &RoundClaim, outcome: RoundOutcome, refund: bool) {
        let mut tables = self.tables.lock().unwrap();
        tables
            .rounds
            .get_mut(&(claim.journey.clone(), claim.round))
            .expect("claimed")
            .2 = Some(outcome);
        if refund {
            tables.refund(claim);
        }
    }

    /// Makes a link as an administrator does.
    pub(crate) fn link(&self, link: &Link) {
        let mut tables = self.tables.lock().unwrap();
        tables
            .links_of_users
            .insert((link.user_sub.clone(), link.issuer.clone()), link.clone());
        tables
            .links_of_subjects
            .insert((link.issuer.clone(), link.subject.clone()), link.clone());
    }

    /// Attempts counted against a user, in the fullest window.
    pub(crate) fn counted(&self, user_sub: &str) -> u32 {
        let tables = self.tables.lock().unwrap();
        let of_user = tables
            .counters
            .iter()
            .filter(|(key, _)| key.starts_with(&format!("{user_sub}/")));
        of_user.map(|(_, count)| *count).max().unwrap_or(0)
    }
}

impl Tables {
    fn refund(&mut self, claim: &RoundClaim) {
        for window in claim.counted.iter().flat_map(|counted| &counted.per_user) {
            *self
                .counters
                .get_mut(&format!("{}/{}", claim.user_sub, window.key))
                .expect("counted") -= 1;
        }
    }

    fn earlier(&self, claim: &RoundClaim) -> Option<Claimed> {
        let (hash, at_ms, outcome) = self.rounds.get(&(claim.journey.clone(), claim.round))?;
        if *hash != claim.answer_hash || claim.now_ms - at_ms > SAME_ANSWER_FOR_MS {
            return Some(Claimed::Taken);
        }
        Some(outcome.map_or(Claimed::InProgress, Claimed::SameAnswer))
    }
}

#[async_trait]
impl Records for MemoryRecords {
    async fn claim_round(&self, claim: &RoundClaim) -> Result<Claimed, SourceError> {
        self.check()?;
        let mut tables = self.tables.lock().unwrap();
        if let Some(earlier) = tables.earlier(claim) {
            return Ok(earlier);
        }
        if let Some(counted) = &claim.counted {
            let full = |key: &str, limit: u32| tables.counters.get(key).is_some_and(|count| *count >= limit);
            if full(&claim.journey, u32::from(counted.per_journey)) {
                return Ok(Claimed::JourneyLimit);
            }
            let key = |window: &str| format!("{}/{window}", claim.user_sub);
            if counted
                .per_user
                .iter()
                .any(|window| full(&key(&window.key), window.limit))
            {
                return Ok(Claimed::UserLimit);
            }
            *tables.counters.entry(claim.journey.clone()).or_default() += 1;
            for window in &counted.per_user {
                *tables.counters.entry(key(&window.key)).or_default() += 1;
            }
        }
        let round = (claim.answer_hash.clone(), claim.now_ms, None);
        tables.rounds.insert((claim.journey.clone(), claim.round), round);
        Ok(Claimed::Yes)
    }

    async fn close_round(&self, claim: &RoundClaim, reason: Reason, refund: bool) -> Result<(), SourceError> {
        self.check()?;
        self.close(claim, RoundOutcome::Refused(reason), refund);
        Ok(())
    }

    async fn pass_round(&self, claim: &RoundClaim) -> Result<(), SourceError> {
        self.check()?;
        self.close(claim, RoundOutcome::Passed, false);
        Ok(())
    }

    async fn commit(&self, success: &Success) -> Result<Committed, SourceError> {
        self.check()?;
        {
            let mut tables = self.tables.lock().unwrap();
            let sub = success.claim.user_sub.clone();
            match &success.link {
                LinkWrite::Keep(link) => {
                    let held = tables.links_of_users.get(&(sub.clone(), link.issuer.clone()));
                    if held.is_none_or(|held| held.subject != link.subject) {
                        return Ok(Committed::LinkChanged);
                    }
                }
                LinkWrite::Make(link) => {
                    let user = (sub.clone(), link.issuer.clone());
                    let subject = (link.issuer.clone(), link.subject.clone());
                    if tables.links_of_users.contains_key(&user)
                        || tables.links_of_subjects.contains_key(&subject)
                    {
                        return Ok(Committed::LinkChanged);
                    }
                    tables.links_of_users.insert(user, link.clone());
                    tables.links_of_subjects.insert(subject, link.clone());
                }
            }
            let journey = success.grant.achievement.journey.clone();
            tables
                .grants
                .insert((sub.clone(), journey.clone()), success.grant.clone());
            if let Some(evidence) = &success.evidence {
                tables.evidence.insert((sub, journey), evidence.clone());
            }
        }
        self.close(&success.claim, RoundOutcome::Passed, true);
        Ok(Committed::Yes)
    }

    async fn links(&self, user_sub: &str, issuer: &str, subject: &str) -> Result<Links, SourceError> {
        self.check()?;
        let tables = self.tables.lock().unwrap();
        Ok(Links {
            of_user: tables
                .links_of_users
                .get(&(user_sub.to_owned(), issuer.to_owned()))
                .cloned(),
            of_subject: tables
                .links_of_subjects
                .get(&(issuer.to_owned(), subject.to_owned()))
                .cloned(),
        })
    }

    async fn grants(&self, user_sub: &str) -> Result<Vec<Grant>, SourceError> {
        self.check()?;
        let tables = self.tables.lock().unwrap();
        Ok(tables
            .grants
            .iter()
            .filter(|((sub, _), _)| sub == user_sub)
            .map(|(_, g)| g.clone())
            .collect())
    }

    async fn use_grant(&self, user_sub: &str, journey: &str, now_ms: i64) -> Result<bool, SourceError> {
        self.check()?;
        let mut tables = self.tables.lock().unwrap();
        let Some(grant) = tables.grants.get_mut(&(user_sub.to_owned(), journey.to_owned())) else {
            return Ok(false);
        };
        let reusable = grant
            .used_at_unix_ms
            .is_none_or(|used| used >= now_ms - GRANT_REUSE_MS);
        if grant.expires_at_unix_s <= now_ms.div_euclid(1_000) || !reusable {
            return Ok(false);
        }
        grant.used_at_unix_ms.get_or_insert(now_ms);
        Ok(true)
    }

    async fn note_evidence(&self, user_sub: &str, evidence: &Evidence) -> Result<(), SourceError> {
        self.check()?;
        let key = (user_sub.to_owned(), evidence.achievement.journey.clone());
        self.tables.lock().unwrap().evidence.insert(key, evidence.clone());
        Ok(())
    }

    async fn evidence(&self, user_sub: &str, client_id: &str) -> Result<Vec<Evidence>, SourceError> {
        self.check()?;
        let tables = self.tables.lock().unwrap();
        let of_user = tables.evidence.iter().filter(|((sub, _), _)| sub == user_sub);
        Ok(of_user
            .map(|(_, evidence)| evidence.clone())
            .filter(|evidence| evidence.achievement.client_id == client_id)
            .collect())
    }

    async fn forget_step_ups(&self, user_sub: &str) -> Result<usize, SourceError> {
        self.check()?;
        let mut tables = self.tables.lock().unwrap();
        let before = tables.grants.len() + tables.evidence.len();
        tables.grants.retain(|(sub, _), _| sub != user_sub);
        tables.evidence.retain(|(sub, _), _| sub != user_sub);
        Ok(before - tables.grants.len() - tables.evidence.len())
    }
}
