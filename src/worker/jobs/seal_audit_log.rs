//! Seals new entries of the audit log in commit order, and closes windows of refused attempts.
//!
//! Workers share by an advisory lock: whoever has it seals, the others look again a second later. A sealing that is
//! killed was not committed and leaves nothing behind.

use crate::{
    Context, Result,
    domain::{
        actor::OperatorScope,
        audit::{Chain, Head, seal},
    },
    storage::audit_seals::{self, NewSeal},
    usecases::denials,
};
use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// Pause between looks. An entry is sealed within 5 s also when one look fails.
const EVERY: Duration = Duration::from_secs(1);
/// Entries sealed in one transaction.
const BATCH: i64 = 500;

/// Seals until `stop`.
pub async fn run(context: &Context, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = denials::close_windows(context).await {
            tracing::warn!(%error, "refused attempts cannot be summed up at the moment");
        }
        if let Err(error) = seal_all(context).await {
            tracing::warn!(%error, "the audit log cannot be sealed at the moment");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Seals everything there is; returns how many entries were sealed.
pub async fn seal_all(context: &Context) -> Result<usize> {
    let mut sealed = 0;
    loop {
        let batch = seal_batch(context).await?;
        sealed += batch;
        if batch < usize::try_from(BATCH).unwrap_or(usize::MAX) {
            return Ok(sealed);
        }
    }
}

async fn seal_batch(context: &Context) -> Result<usize> {
    let scope = OperatorScope::worker();
    let mut tx = context.db.begin(&scope).await?;
    if !audit_seals::try_lock(&mut tx, &scope).await? {
        return Ok(0);
    }
    let entries = audit_seals::unsealed(&mut tx, &scope, BATCH).await?;
    if entries.is_empty() {
        return Ok(0);
    }
    let touched: BTreeSet<Chain> = entries
        .iter()
        .map(|entry| Chain(entry.record.partner_id))
        .collect();
    let names: Vec<String> = touched.iter().map(ToString::to_string).collect();
    let found = audit_seals::heads(&mut tx, &scope, &names).await?;
    let mut heads: HashMap<Chain, Head> = HashMap::new();
    let mut seals = Vec::with_capacity(entries.len());
    for entry in entries {
        let chain = Chain(entry.record.partner_id);
        let head = heads
            .entry(chain)
            .or_insert_with(|| found.get(&chain.to_string()).copied().unwrap_or_default());
        *head = seal(chain, *head, &entry.record);
        seals.push(NewSeal {
            chain,
            head: *head,
            commit_order: entry.commit_order,
        });
    }
    audit_seals::insert(&mut tx, &scope, &seals, context.clock.now()).await?;
    tx.commit().await?;
    // Heads in a log that leaves this machine are what a chain that was cut or made anew is told by.
    for (chain, Head { sequence, hash }) in &heads {
        tracing::info!(%chain, sequence, %hash, "audit log sealed");
    }
    Ok(seals.len())
}
