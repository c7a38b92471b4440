//! Step-up events: from the queue into the database, and what reports make of them.

mod alarms;
mod boundary;
mod console;
mod ingest;
mod load;
mod outage;
mod path;
mod reports;
pub(crate) mod rig;
