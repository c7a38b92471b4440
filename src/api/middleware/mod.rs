//! What happens around every handler.

mod authenticate;
mod close;
mod edge;
mod headers;
mod measure;
mod trace;

pub use authenticate::authenticate;
pub use close::close_when_draining;
pub use edge::{RequestId, edge};
pub use trace::TraceParent;
