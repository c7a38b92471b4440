//! The Cognito triggers of a tenant, as two Lambda functions, and what carries their events away.
//!
//! | function | triggers | may read |
//! | --- | --- | --- |
//! | `challenge` | *define*, *create*, the pre-token [`gate`], post-confirmation ([`reset`]) | settings, policies, records |
//! | `verify` | *verify* | the same, and the BlockID client secret |
//!
//! A third, `forwarder`, is not a trigger and belongs to the cell: it carries the events of all functions from
//! their log group to a queue ([`forwarder`]).
//!
//! The triggers are split along that secret and nothing else. What belongs here: reading Cognito's events,
//! asking `step-up` what holds, asking BlockID (through `blockid`), remembering in [`records`]. What does
//! not: rules. Those are pure and live in `step-up`, where the control plane runs the same code.
//!
//! Everything outside (clock, randomness, secrets, tables, provider) is a small trait of our verbs with its
//! real implementation beside it, so the handlers run in tests without AWS. The binaries only put the real
//! ones together.
//!
//! How a trigger says no: *define* with `failAuthentication`, *verify* with `answerCorrect: false`, *create*
//! with parameters that nobody can answer, the gate and [`reset`] with an error whose message is the reason code.
//! Every no, and every yes, is an event ([`events`]).

pub mod app;
pub mod aws;
pub mod cache;
pub mod challenge;
pub mod clock;
pub mod cognito_event;
pub mod create;
pub mod define;
pub mod events;
pub mod forwarder;
pub mod gate;
pub mod outcome;
pub mod policy_cache;
pub mod random;
pub mod records;
pub mod reset;
pub mod runtime;
pub mod settings_cache;
pub mod verify;
