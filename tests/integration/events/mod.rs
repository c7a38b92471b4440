//! Step-up events: from the queue into the database, and what reports make of them.

mod console;
mod ingest;
mod path;
mod reports;
mod rig;
