//! Pure decision logic of a step-up, shared by the API, the console and the Cognito triggers.
//!
//! What belongs here: the policy document and its evaluation, the *define* state machine, assurance
//! levels, and the documents that the control plane writes and the triggers read. What does not:
//! I/O, clocks, random sources, AWS, HTTP. Every function takes the time it needs as an argument in
//! whole seconds since the Unix epoch (`*_unix_s`).
//!
//! Because API and triggers call the same functions on the same types, a simulation in the portal
//! and the decision in a sign-in cannot differ.
//!
//! | module | holds |
//! | --- | --- |
//! | [`policy`] | the policy document: rules, conditions, outcomes; validation; evaluation |
//! | [`assurance`] | methods, their labels, AAL/IAL, comparison of asked and achieved |
//! | [`define`] | the state machine behind Cognito's *define auth challenge* trigger |
//! | [`challenge`] | what *create* hands to the browser and to *verify* |
//! | [`pilot`] | what a pilot step-up teaches about a method |
//! | [`settings`] | the tenant settings the triggers read from Secrets Manager |
//! | [`policy_item`] | the item the triggers read from the policies table |
//! | [`record_keys`] | keys of the records table |
//! | [`link`] | the tie between a BlockID subject and a user, as the records table holds it |
//! | [`reason`] | why a step-up was refused: one closed list |
//! | [`event`] | the one-line JSON event a trigger prints |

pub mod assurance;
pub mod challenge;
pub mod define;
pub mod event;
pub mod link;
pub mod pilot;
pub mod policy;
pub mod policy_item;
pub mod reason;
pub mod record_keys;
pub mod settings;
