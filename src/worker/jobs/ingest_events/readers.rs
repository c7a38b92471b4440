//! Readers of the cells' queues: so many a cell, each for the queue and the way into the account that the cell has now.
//!
//! One that ends is followed by another. When a cell gets another queue or another role, its readers end and others
//! begin; the message that one had in its hands then comes again.

use crate::{
    domain::cell::{Cell, CellAccess},
    ids::CellId,
};
use std::collections::HashMap;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What readers need to know of a cell; with another one they are others.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Source {
    queue_url: String,
    region: String,
    access: Option<CellAccess>,
}

struct OfCell {
    source: Source,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

/// The readers of all cells.
pub(super) struct Readers {
    per_cell: usize,
    stop: CancellationToken,
    cells: HashMap<CellId, OfCell>,
    /// Those that were told to end.
    ending: JoinSet<()>,
}

impl Readers {
    pub(super) fn new(per_cell: usize, stop: CancellationToken) -> Self {
        Self {
            per_cell,
            stop,
            cells: HashMap::new(),
            ending: JoinSet::new(),
        }
    }

    /// Sees to it that each of these cells is read, and no other. `read` reads until its token is cancelled.
    pub(super) fn keep<F, R>(&mut self, cells: Vec<Cell>, read: F)
    where
        F: Fn(Cell, String, CancellationToken) -> R,
        R: Future<Output = ()> + Send + 'static,
    {
        while self.ending.try_join_next().is_some() {}
        let mut sources: HashMap<CellId, (Source, Cell)> = HashMap::new();
        for cell in cells {
            if let Some(queue_url) = cell.event_queue_url.clone() {
                let source = Source {
                    queue_url,
                    region: cell.region.clone(),
                    access: cell.access.clone(),
                };
                sources.insert(cell.id, (source, cell));
            }
        }
        let stale: Vec<CellId> = self
            .cells
            .iter()
            .filter(|(id, of_cell)| {
                sources
                    .get(id)
                    .is_none_or(|(source, _)| *source != of_cell.source)
            })
            .map(|(id, _)| *id)
            .collect();
        for id in stale {
            if let Some(mut of_cell) = self.cells.remove(&id) {
                tracing::info!(cell = %id, "the way to the cell's events has changed");
                of_cell.stop.cancel();
                self.ending
                    .spawn(async move { while of_cell.tasks.join_next().await.is_some() {} });
            }
        }
        for (id, (source, cell)) in sources {
            let of_cell = self.cells.entry(id).or_insert_with(|| OfCell {
                source,
                stop: self.stop.child_token(),
                tasks: JoinSet::new(),
            });
            while let Some(ended) = of_cell.tasks.try_join_next() {
                if let Err(error) = ended {
                    tracing::error!(cell = %id, %error, "a reader of events died; another follows");
                }
            }
            while of_cell.tasks.len() < self.per_cell {
                let (queue_url, stop) = (of_cell.source.queue_url.clone(), of_cell.stop.clone());
                of_cell.tasks.spawn(read(cell.clone(), queue_url, stop));
            }
        }
    }

    /// Waits until all have ended, which the token given to [`Readers::new`] tells them.
    pub(super) async fn end(mut self) {
        for (_, mut of_cell) in self.cells.drain() {
            while of_cell.tasks.join_next().await.is_some() {}
        }
        while self.ending.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests;
