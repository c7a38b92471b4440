//! Tells the open event streams of this process when their operation has changed.
//!
//! One poller asks the database for the newest revisions of all watched operations at once, whoever watches them, and
//! wakes the streams concerned; each then reads under its own caller's scope. So a thousand watchers cost one query
//! per [`POLL`], and none when nobody watches. It ends when the feed is dropped.

use crate::{Context, Error, Result, domain::actor::OperatorScope, error::Code, ids::OperationId, storage};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Pause between two looks.
const POLL: Duration = Duration::from_millis(300);
/// Streams that one process holds open: each is a connection.
pub const MAX_STREAMS: usize = 256;

/// The watched operations of this process.
#[derive(Debug)]
pub struct OperationFeed {
    watched: Mutex<HashMap<OperationId, watch::Sender<i64>>>,
    free: Arc<Semaphore>,
}

/// A stream's place among the watchers, freed when it is dropped.
#[derive(Debug)]
pub struct Subscription {
    id: OperationId,
    newest: watch::Receiver<i64>,
    _permit: OwnedSemaphorePermit,
}

impl OperationFeed {
    /// A feed and its poller, for at most `max_streams` streams.
    pub fn start(context: Context, max_streams: usize) -> Arc<Self> {
        let feed = Arc::new(Self {
            watched: Mutex::default(),
            free: Arc::new(Semaphore::new(max_streams)),
        });
        tokio::spawn(poll(context, Arc::downgrade(&feed)));
        feed
    }

    /// A place among the watchers of an operation; refused when there are too many in this process.
    pub fn subscribe(&self, id: OperationId) -> Result<Subscription> {
        let full = |_| {
            Error::new(
                Code::Unavailable,
                "Too many event streams are open at the moment.",
            )
        };
        let permit = Arc::clone(&self.free).try_acquire_owned().map_err(full)?;
        let newest = self
            .watched()
            .entry(id)
            .or_insert_with(|| watch::Sender::new(0))
            .subscribe();
        Ok(Subscription {
            id,
            newest,
            _permit: permit,
        })
    }

    fn watched(&self) -> std::sync::MutexGuard<'_, HashMap<OperationId, watch::Sender<i64>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is watched; forgets what nobody watches any more.
    fn ids(&self) -> Vec<OperationId> {
        let mut watched = self.watched();
        watched.retain(|_, sender| sender.receiver_count() > 0);
        watched.keys().copied().collect()
    }

    fn tell(&self, newest: &[(OperationId, i64)]) {
        let watched = self.watched();
        for (id, revision) in newest {
            if let Some(sender) = watched.get(id) {
                sender.send_if_modified(|known| std::mem::replace(known, *revision) != *revision);
            }
        }
    }
}

impl Subscription {
    /// The operation.
    pub fn operation_id(&self) -> OperationId {
        self.id
    }

    /// Returns when the operation may have changed.
    pub async fn changed(&mut self) {
        if self.newest.changed().await.is_err() {
            // The feed is gone, and with it the server: nothing will be told any more.
            std::future::pending::<()>().await;
        }
    }
}

async fn poll(context: Context, feed: Weak<OperationFeed>) {
    loop {
        tokio::time::sleep(POLL).await;
        let Some(feed) = feed.upgrade() else { return };
        let ids = feed.ids();
        if ids.is_empty() {
            continue;
        }
        match look(&context, &ids).await {
            Ok(newest) => feed.tell(&newest),
            Err(error) => tracing::warn!(%error, "watched operations cannot be read at the moment"),
        }
    }
}

async fn look(context: &Context, ids: &[OperationId]) -> Result<Vec<(OperationId, i64)>> {
    let scope = OperatorScope::worker();
    let mut db = context.db.begin(&scope).await?;
    storage::operations::newest_revisions(&mut db, &scope, ids).await
}
