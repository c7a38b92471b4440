//! What happens around every handler.

mod authenticate;
mod edge;
mod headers;
mod trace;

pub use authenticate::authenticate;
pub use edge::{RequestId, edge};
pub use trace::TraceParent;
