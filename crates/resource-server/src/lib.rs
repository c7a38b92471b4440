//! A step-up in front of a route: what an API that receives Stepgate's tokens has to check.
//!
//! An app of Stepgate calls APIs ("resource servers") with the access token of its Cognito user pool.
//! Some calls are worth more than a signed-in session: they want a step-up that is recent, or one that
//! was made for exactly this transfer and no other. This crate decides that for actix-web, and answers
//! a call that falls short as RFC 9470 says, so that a client knows what to do.
//!
//! A handler cannot forget the check, because the check makes its argument:
//!
//! | argument of the handler | there only if |
//! | --- | --- |
//! | [`SteppedUp<R>`] | the token proves a step-up no older than `R` asks |
//! | [`Confirmed<T>`] | the token was issued for the action of `T` and the very transaction in the body, and was never used before |
//!
//! ```no_run
//! use resource_server::{Action, Confirmed, Requirement, Transaction};
//!
//! #[derive(serde::Deserialize)]
//! struct Transfer { to: String, amount: String }
//!
//! impl Action for Transfer {
//!     const NAME: &'static str = "transfer";
//!     const REQUIREMENT: Requirement = Requirement { max_age_s: 120, acr_values: &["liveID push"] };
//!     fn transaction(&self) -> Transaction {
//!         Transaction::new().field("amount", &self.amount).field("to", &self.to)
//!     }
//! }
//!
//! async fn transfer(order: Confirmed<Transfer>) -> String {
//!     format!("{} moved {} to {}", order.token.user_sub, order.request.amount, order.request.to)
//! }
//! ```
//!
//! What belongs here: reading and judging access tokens, the refusal, the single use of a token. What
//! does not: how a user steps up (that is the app's and Cognito's affair), or what the route then does.
//! The README of this crate shows the exchange byte for byte.
//!
//! | module | holds |
//! | --- | --- |
//! | [`guard`] | the decision, free of actix: token, requirement and time in, verdict out |
//! | [`extract`] | the handler arguments |
//! | [`refusal`] | every "no" and its HTTP form |
//! | [`token`] | claims of a Cognito access token |
//! | [`keys`] | the pool's keys: cached, refetched at a limited rate |
//! | [`transaction`] | the canonical form of a transaction and its hash, `action_ref` |
//! | [`used_tokens`] | who remembers that a token was used |
//! | [`clock`] | where the time comes from |

pub mod clock;
pub mod extract;
pub mod guard;
mod jws;
pub mod keys;
pub mod refusal;
pub mod token;
pub mod transaction;
pub mod used_tokens;

pub use clock::{Clock, SystemClock};
pub use extract::{Action, Confirmed, Freshness, SteppedUp};
pub use guard::{Guard, Requirement};
pub use keys::{HttpKeySource, KeyCache, KeyCacheLimits, KeySource};
pub use refusal::{Refusal, Shortfall};
pub use token::{AccessToken, UserPool};
pub use transaction::Transaction;
pub use used_tokens::{InMemoryUsedTokens, UsedTokens};
