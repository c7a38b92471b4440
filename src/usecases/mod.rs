//! What callers can have done: authorise, apply a domain rule, store, in one transaction.
//!
//! One file a noun. A use case takes the [`crate::Context`], the [`crate::domain::actor::Actor`] and plain
//! input; it knows nothing of HTTP.
