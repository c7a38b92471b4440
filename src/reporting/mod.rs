//! Step-up events: reading what comes from the cells, and making reports of it.
//!
//! | module | holds |
//! | --- | --- |
//! | [`batch`] | a queue message into rows, or a reason why it is none; pure |
//! | [`histogram`] | latencies as counts by bucket, which add up; pure |
//! | [`journeys`] | a user's last journeys from their events; pure |
//! | [`question`] | what a report asks; pure |
//! | [`report`] | a report's figures from what the rollups gave; pure |
//! | [`tally`] | new events into counts by minute, hour and day; pure |
//!
//! Events arrive by [`crate::worker::jobs::ingest_events`], are stored by [`crate::storage::step_up_events`] and
//! counted in the same transaction. A report reads rollups only: its cost does not grow with the events.
//!
//! **When an event counts.** By its own time; only the answer that ends a journey is also counted at the journey's
//! beginning, so that of the journeys begun in an hour those without an answer can be told: they are abandoned.

pub mod batch;
pub mod histogram;
pub mod journeys;
pub mod question;
pub mod report;
pub mod tally;
