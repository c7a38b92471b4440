//! What happens around every handler.

mod authenticate;
mod close;
mod edge;
mod headers;
mod measure;
mod trace;

pub use authenticate::{authenticate, count};
pub use close::close_when_draining;
pub use edge::{RequestId, edge, into_api_error, log};
pub use trace::TraceParent;
