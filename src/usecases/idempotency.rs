//! Requests that may be repeated: the same key and the same body get the same answer, and things are done once, even
//! when the server dies in between.
//!
//! 1. [`begin`] claims the request in a transaction of its own: a lease that [`hold`] renews while the work goes on.
//! 2. The use case calls [`Once::record`] in the transaction that does what was asked. Either both are there or neither,
//!    and a request whose claim was lost meanwhile cannot commit.
//! 3. What fails gives its claim back: nothing was done, so the caller may correct the request and keep the key.
//!
//! A crash leaves a claim that ends by itself; the repeat takes it over. The body is kept as an HMAC only, keyed by the
//! idempotency key, which itself is kept as a hash: a copy of the database tells nothing about what was sent.
//!
//! To make an operation repeatable: the handler runs its use case through [`crate::api::extract::Repeatable`], the use
//! case takes a [`Once`] and calls [`Once::record`] before it commits.

use super::Request;
use crate::{
    Context, Error, Result,
    error::Code,
    storage::idempotency_keys::{self, Answer, Claim, Claimed},
};
use chrono::TimeDelta;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

/// How long a claim outlives the process that made it.
const LEASE: TimeDelta = TimeDelta::seconds(15);
/// How often it is renewed.
const RENEW_EVERY: Duration = Duration::from_secs(5);

/// A claimed request.
#[derive(Debug, Clone)]
pub struct Ticket {
    id: [u8; 32],
    lease_owner: String,
}

/// Makes the answer that repeats get from what a use case returned.
type Render<'a, T> = dyn Fn(&T) -> Result<Answer> + Sync + 'a;

/// Where the answer to a request is written down, if it is one that may be repeated.
pub struct Once<'a, T> {
    ticket: Option<&'a Ticket>,
    render: Option<&'a Render<'a, T>>,
    recorded: AtomicBool,
}

impl<T> std::fmt::Debug for Once<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Once")
            .field("ticket", &self.ticket)
            .finish_non_exhaustive()
    }
}

impl<'a, T> Once<'a, T> {
    /// For a request that came without a key: nothing is written down.
    pub fn never() -> Self {
        Self {
            ticket: None,
            render: None,
            recorded: AtomicBool::new(true),
        }
    }

    /// For a claimed request. `render` makes the answer, without secrets.
    pub fn of(ticket: &'a Ticket, render: &'a Render<'a, T>) -> Self {
        Self {
            ticket: Some(ticket),
            render: Some(render),
            recorded: AtomicBool::new(false),
        }
    }

    /// Writes the answer down. Call it in the transaction that does the work, right before the commit.
    pub async fn record(&self, tx: &mut PgConnection, output: &T) -> Result<()> {
        if let (Some(ticket), Some(render)) = (self.ticket, self.render) {
            idempotency_keys::record(tx, &ticket.id, &ticket.lease_owner, &render(output)?).await?;
            self.recorded.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// The name under which work of several transactions is reserved: the same for every repeat of the request, so that a
    /// repeat goes on at once where a crashed request was.
    pub fn reservation_owner(&self, request: &Request) -> String {
        self.ticket
            .map_or_else(|| request.id.clone(), |ticket| hex::encode(ticket.id))
    }

    /// Whether the use case wrote the answer down, or had nothing to write.
    pub(crate) fn is_recorded(&self) -> bool {
        self.recorded.load(Ordering::Acquire)
    }
}

/// What a request with a key turned out to be.
#[derive(Debug)]
pub enum Begun {
    /// A new one, or one that a crash interrupted.
    Ours(Ticket),
    /// A repeat of one that was answered.
    Done(Answer),
}

/// Claims a request. `operation` and `body_sha256` are what must be the same in a repeat.
#[tracing::instrument(target = "stepgate::trace", name = "idempotency.begin", skip_all)]
pub async fn begin(
    context: &Context,
    request: &Request,
    key: &str,
    operation: &str,
    body_sha256: &[u8; 32],
) -> Result<Begun> {
    let caller = request.actor.id();
    let id = digest(b"id", &caller, key);
    let fingerprint = fingerprint(&digest(b"fingerprint", &caller, key), operation, body_sha256)?;
    // Request ids may be the caller's own and come twice.
    let lease_owner = format!("{}/{}", request.id, context.ids.suffix(12));
    let now = context.clock.now();
    let scope = request.actor.reader()?;
    let mut tx = context.db.begin(&scope).await?;
    let claim = Claim {
        id: &id,
        fingerprint: &fingerprint,
        lease_owner: &lease_owner,
        lease_expires_at: now + LEASE,
        now,
    };
    let claimed = idempotency_keys::claim(&mut tx, &scope, claim).await?;
    tx.commit().await?;
    match claimed {
        Claimed::Ours => Ok(Begun::Ours(Ticket { id, lease_owner })),
        Claimed::Done(answer) => Ok(Begun::Done(answer)),
        Claimed::Busy(until) => {
            let seconds = u64::try_from((until - now).num_seconds() + 1).unwrap_or(1);
            let detail =
                "The request with this `Idempotency-Key` is under way; repeat it after `Retry-After`.";
            Err(Error::new(Code::IdempotencyInProgress, detail).retry_after_s(seconds))
        }
        Claimed::Other => Err(Error::new(
            Code::IdempotencyKeyReused,
            "This `Idempotency-Key` was sent before with another body or to another operation.",
        )),
    }
}

/// Does `work` while the claim is kept; gives it back when the work fails.
#[tracing::instrument(target = "stepgate::trace", name = "idempotency.hold", skip_all)]
pub async fn hold<T>(
    context: &Context,
    request: &Request,
    ticket: &Ticket,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let scope = request.actor.reader()?;
    let renew = async || {
        let until = context.clock.now() + LEASE;
        let mut tx = context.db.begin(&scope).await?;
        let held = idempotency_keys::renew(&mut tx, &ticket.id, &ticket.lease_owner, until).await?;
        tx.commit().await?;
        Ok::<_, Error>(held)
    };
    let mut work = std::pin::pin!(work);
    let outcome = loop {
        tokio::select! {
            outcome = &mut work => break outcome,
            () = tokio::time::sleep(RENEW_EVERY) => {}
        }
        // A claim that is lost is found out at `record`; until then the work may be further than we know.
        if let Err(error) = renew().await {
            tracing::warn!(%error, "the claim of a repeatable request cannot be renewed at the moment");
        }
    };
    if outcome.is_err() {
        let mut tx = context.db.begin(&scope).await?;
        idempotency_keys::release(&mut tx, &ticket.id, &ticket.lease_owner).await?;
        tx.commit().await?;
    }
    outcome
}

/// Writes the answer of a use case down that did not do so itself.
#[tracing::instrument(target = "stepgate::trace", name = "idempotency.record_late", skip_all)]
pub async fn record_late<T>(
    context: &Context,
    request: &Request,
    once: &Once<'_, T>,
    output: &T,
) -> Result<()> {
    let mut tx = context.db.begin(&request.actor.reader()?).await?;
    once.record(&mut tx, output).await?;
    Ok(tx.commit().await?)
}

fn digest(purpose: &[u8], caller: &str, key: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [purpose, caller.as_bytes(), key.as_bytes()] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

fn fingerprint(key: &[u8; 32], operation: &str, body_sha256: &[u8; 32]) -> Result<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(Error::internal)?;
    mac.update(operation.as_bytes());
    mac.update(b"\0");
    mac.update(body_sha256);
    Ok(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_keys_and_bodies_are_told_apart() {
        let id = |caller, key| digest(b"id", caller, key);
        assert_eq!(id("key_a", "k"), id("key_a", "k"));
        assert_ne!(id("key_a", "k"), id("key_b", "k"));
        assert_ne!(
            id("key_a", "bk"),
            id("key_ab", "k"),
            "parts do not run into each other"
        );
        assert_ne!(id("a", "k"), digest(b"fingerprint", "a", "k"));
        let print = |key: &str, operation, body: &str| {
            let body = Sha256::digest(body).into();
            fingerprint(&digest(b"fingerprint", "a", key), operation, &body).unwrap()
        };
        assert_eq!(
            print("k", "POST /v1/tenants", "{}"),
            print("k", "POST /v1/tenants", "{}")
        );
        assert_ne!(
            print("k", "POST /v1/tenants", "{}"),
            print("k", "POST /v1/tenants", "{ }")
        );
        assert_ne!(
            print("k", "POST /v1/tenants", "{}"),
            print("k", "POST /v1/partners", "{}")
        );
        assert_ne!(
            print("k", "POST /v1/tenants", "{}"),
            print("l", "POST /v1/tenants", "{}")
        );
    }
}
