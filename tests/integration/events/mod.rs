//! Step-up events: from the queue into the database, and what reports make of them.

mod ingest;
mod path;
mod reports;
pub(crate) mod rig;
