//! OpenID Connect client for 1Kosmos BlockID.
//!
//! What belongs here: everything Stepgate says to a BlockID tenant and everything it believes of the
//! answer. The control plane uses it to [discover](discovery) a tenant's provider when it is onboarded,
//! the *verify* trigger to [exchange](exchange) a code and to [verify](verify) the id_token. What does
//! not: policy (crate `step-up` compares the verified [`verify::Claims`] with what was asked), storage,
//! AWS. Nothing here reads a clock to decide; times come in as `*_unix_s`, deadlines as `Instant`.
//!
//! Three rules hold for every module:
//!
//! 1. The provider's host name is input of a customer. Every connection goes through [`http::HttpClient`],
//!    which obeys an [`egress::EgressPolicy`] at the moment of connecting, follows no redirect, reads no
//!    more than it was told to, and ends in time.
//! 2. Errors and `Debug` never hold a secret, a code, a token or a body. They say which rule was broken
//!    and map onto the closed list [`step_up::reason::Reason`].
//! 3. What 1Kosmos does not publish is not guessed silently: discovery reports what it tried, and claims
//!    whose form is not known (`acr`, `amr`, `auth_time`) are read in every sensible form.
//!
//! | module | holds |
//! | --- | --- |
//! | [`egress`] | which addresses may be connected to |
//! | [`http`] | the HTTP client that enforces it |
//! | [`tenant_dns`] | the host name of a tenant, validated |
//! | [`discovery`] | provider metadata and keys, with a report of every check |
//! | [`jwks`] | fetching and cleaning of key sets |
//! | [`exchange`] | code for id_token; probe of client credentials |
//! | [`preflight`] | everything that can be known of a connection before anybody signs in |
//! | [`verify`] | the id_token |

pub mod discovery;
pub mod egress;
pub mod exchange;
pub mod http;
pub mod jwks;
pub mod preflight;
pub mod tenant_dns;
pub mod verify;

pub use discovery::{DiscoveryError, DiscoveryReport, discover, examine};
pub use egress::EgressPolicy;
pub use exchange::{ClientCredentials, ExchangeError, Probe, TokenSet, exchange_code, probe_client};
pub use http::{HttpClient, HttpError};
pub use jwks::{JwksError, fetch_jwks};
pub use tenant_dns::{TenantDns, TenantDnsError, base_url};
pub use verify::{Claims, Expectation, VerifyError, verify_id_token};
