//! What happens around every handler.

mod authenticate;
mod edge;
mod headers;

pub use authenticate::authenticate;
pub use edge::{RequestId, edge};
