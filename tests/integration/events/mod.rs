//! Step-up events: from the queue into the database, and what reports make of them.

mod ingest;
mod rig;
mod path;
mod reports;
