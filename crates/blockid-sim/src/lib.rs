//! `blockid-sim`: a 1Kosmos BlockID provider for development and tests. Never shipped.
//!
//! It behaves as far as 1Kosmos publishes it, and where nothing is published a switch chooses
//! ([`behaviour::Behaviour`]), so that both answers can be tested. On top it breaks on demand
//! ([`behaviour::Fault`]). A person can use it with a browser; a test completes a step-up with one call.
//!
//! # As a provider
//!
//! | path | what |
//! | --- | --- |
//! | `GET /oauth2/community/{community}/v1/authorize` | page with the methods of the request's ACR on the left, the code entry on the right |
//! | `POST /oauth2/community/{community}/v1/token` | code for tokens: HTTP Basic, form, single-use codes, PKCE |
//! | `GET /oauth2/community/{community}/v1/jwks` | the community's keys |
//! | `GET /oauth2/community/{community}/v1/.well-known/openid-configuration` | metadata (place switchable) |
//! | `GET /admin/{community}/post_stepup` | posts `{code, state}` to the parent frame |
//! | `GET /caas/sd` | service directory |
//! | `GET` anything else | the "web application": HTML with status 200, as the real host answers |
//!
//! # For development (JSON; not part of BlockID)
//!
//! | path | what |
//! | --- | --- |
//! | `POST /sim/step-ups` | completes a step-up without a person: `{authorize_url, username?, method?, outcome?, faults?, session_age_s?}` → `{code, state}` |
//! | `GET`, `PUT`, `DELETE /sim/communities/{community}/behaviour` | reads, replaces, resets the switches |
//! | `POST /sim/communities/{community}/keys` | `{keep_old}`: rotates the signing key |
//! | `POST /sim/clients/{client_id}/secret` | `{secret, overlap_s?}`: new client secret, the old one valid for the overlap |
//! | `GET /sim/requests` | recent token calls, without secrets; `DELETE` forgets them |
//!
//! The tenant is chosen by the `Host` header, as on the real service; a tenant without `dns` in the
//! configuration answers for every host. The crate's README shows a configuration file and calls.
//!
//! # In a test
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! let simulator = blockid_sim::Simulator::start(&blockid_sim::Options {
//!     config: blockid_sim::config::Config::seeded("a-secret"),
//!     http: Some("127.0.0.1:0".parse()?),
//!     tls: None,
//! })?;
//! let tenant_dns = simulator.http_address().map(|address| address.to_string());
//! # drop(tenant_dns); Ok(()) }
//! ```
//!
//! What does not belong here: anything the product needs. Nothing depends on this crate but tests.

pub mod authorize;
pub mod behaviour;
pub mod chance;
pub mod config;
pub mod keys;
pub mod mint;
pub mod pages;
pub mod routes;
pub mod server;
pub mod state;
pub mod tls;

pub use server::{Options, Simulator};
