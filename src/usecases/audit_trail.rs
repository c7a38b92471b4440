//! Reading the audit log and checking its seals: partners their own chain, operators and auditors all.

use super::Request;
use crate::{
    Context, Result,
    domain::{
        actor::ReadScope,
        audit::{Chain, Head, seal},
    },
    ids::{AuditId, PartnerId},
    storage::{
        Page, PageRequest,
        audit_log::{self, AuditFilter, Placed},
        audit_seals,
    },
};
use chrono::TimeDelta;

/// How long an entry may be without a seal before that is a finding. Sealing takes a few seconds.
pub const SEAL_WITHIN: TimeDelta = TimeDelta::minutes(1);
/// Findings that are told; the rest is counted as unsound.
pub const MAX_FINDINGS: usize = 100;
/// Rows read at once.
const BATCH: i64 = 500;

/// Entries, newest first.
#[tracing::instrument(target = "stepgate::trace", name = "audit_trail.list", skip_all)]
pub async fn list(
    context: &Context,
    request: &Request,
    filter: &AuditFilter,
    page: &PageRequest,
) -> Result<Page<Placed>> {
    let scope = request.actor.reader()?;
    audit_log::list(&mut *context.db.begin(&scope).await?, &scope, filter, page).await
}

/// Entries in commit order, a batch at a time: no transaction is open while a slow reader reads.
#[derive(Debug)]
pub struct Export {
    context: Context,
    scope: ReadScope,
    filter: AuditFilter,
    after: i64,
}

impl Export {
    /// Everything that `request` may see, from the beginning.
    pub fn begin(context: &Context, request: &Request, filter: AuditFilter) -> Result<Self> {
        Ok(Self {
            context: context.clone(),
            scope: request.actor.reader()?,
            filter,
            after: 0,
        })
    }

    /// The next entries; empty at the end.
    pub async fn next(&mut self) -> Result<Vec<Placed>> {
        let mut tx = self.context.db.begin(&self.scope).await?;
        let batch = audit_log::next(&mut tx, &self.scope, &self.filter, self.after, BATCH).await?;
        if let Some(last) = batch.last() {
            self.after = last.commit_order;
        }
        Ok(batch)
    }
}

/// A head that somebody wrote down earlier, for example from the worker's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownHead {
    /// Name of the chain.
    pub chain: String,
    /// Place in it.
    pub sequence: i64,
    /// Hash there, hexadecimal.
    pub hash: String,
}

/// What is wrong with a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingKind {
    /// The entry is not the one that was sealed, or the seal is not the one that was made.
    Changed,
    /// The entry is gone; its seal is there.
    Removed,
    /// A seal is gone.
    Gap,
    /// The entry has no seal although it is old enough to have one.
    Unsealed,
    /// The chain does not have the head that is known from elsewhere: it was cut, or made anew.
    HeadDiffers,
}

impl FindingKind {
    /// The stable text form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Removed => "removed",
            Self::Gap => "gap",
            Self::Unsealed => "unsealed",
            Self::HeadDiffers => "head_differs",
        }
    }
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Name of the chain.
    pub chain: String,
    /// Place in it, where there is one.
    pub sequence: Option<i64>,
    /// The entry, where it is there.
    pub entry_id: Option<AuditId>,
    /// What is wrong.
    pub kind: FindingKind,
}

/// What was checked.
#[derive(Debug, Default)]
pub struct Verification {
    /// Chains and their ends.
    pub chains: Vec<(String, Head)>,
    /// Seals that were computed again.
    pub checked: u64,
    /// What is wrong, [`MAX_FINDINGS`] at most.
    pub findings: Vec<Finding>,
}

/// Computes every seal again that the caller may see, and compares with heads that are known from elsewhere.
#[tracing::instrument(target = "stepgate::trace", name = "audit_trail.verify", skip_all)]
pub async fn verify(context: &Context, request: &Request, known: &[KnownHead]) -> Result<Verification> {
    let scope = request.actor.reader()?;
    let names = audit_seals::chains(&mut *context.db.begin(&scope).await?, &scope).await?;
    let mut verification = Verification::default();
    let mut known: Vec<(&KnownHead, bool)> = known.iter().map(|head| (head, false)).collect();
    for name in names {
        let head = verify_chain(context, &scope, &name, &mut known, &mut verification).await?;
        verification.chains.push((name, head));
    }
    for (head, _) in known.iter().filter(|(_, met)| !met) {
        let sequence = Some(head.sequence);
        report(
            &mut verification,
            &head.chain,
            sequence,
            None,
            FindingKind::HeadDiffers,
        );
    }
    let before = context.clock.now() - SEAL_WITHIN;
    let limit = i64::try_from(MAX_FINDINGS).unwrap_or(i64::MAX);
    let overdue = audit_seals::overdue(&mut *context.db.begin(&scope).await?, &scope, before, limit).await?;
    for (id, partner_id) in overdue {
        let chain = Chain(partner_id).to_string();
        report(&mut verification, &chain, None, Some(id), FindingKind::Unsealed);
    }
    if !verification.findings.is_empty() {
        tracing::error!(findings = ?verification.findings, "the audit log is not as it was sealed");
    }
    Ok(verification)
}

async fn verify_chain(
    context: &Context,
    scope: &ReadScope,
    name: &str,
    known: &mut [(&KnownHead, bool)],
    verification: &mut Verification,
) -> Result<Head> {
    let partner_id: Option<PartnerId> = name.parse().ok();
    let chain = Chain(partner_id);
    let mut stored = Head::default();
    loop {
        let mut tx = context.db.begin(scope).await?;
        let batch = audit_seals::next(&mut tx, scope, name, stored.sequence, BATCH).await?;
        drop(tx);
        if batch.is_empty() {
            return Ok(stored);
        }
        for next in batch {
            let sequence = Some(next.head.sequence);
            let id = next.entry.as_ref().map(|entry| entry.record.id);
            if next.head.sequence == stored.sequence + 1 {
                match next.entry {
                    None => report(verification, name, sequence, None, FindingKind::Removed),
                    Some(entry) if seal(chain, stored, &entry.record) != next.head => {
                        report(verification, name, sequence, id, FindingKind::Changed);
                    }
                    Some(_) => {}
                }
            } else {
                report(verification, name, sequence, id, FindingKind::Gap);
            }
            // Compared with what is stored, so that one change is one finding and not every later one too.
            stored = next.head;
            verification.checked += 1;
            for (head, met) in known.iter_mut().filter(|(head, _)| head.chain == name) {
                *met |= head.sequence == stored.sequence
                    && head.hash.eq_ignore_ascii_case(&stored.hash.to_string());
            }
        }
    }
}

fn report(
    verification: &mut Verification,
    chain: &str,
    sequence: Option<i64>,
    entry_id: Option<AuditId>,
    kind: FindingKind,
) {
    if verification.findings.len() < MAX_FINDINGS {
        verification.findings.push(Finding {
            chain: chain.to_owned(),
            sequence,
            entry_id,
            kind,
        });
    }
}
