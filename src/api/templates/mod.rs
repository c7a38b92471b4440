//! Templates for people who deploy by hand.

pub mod standalone;
