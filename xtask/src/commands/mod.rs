//! The commands, one file or folder each: options, and the steps in the order they are shown.

pub(crate) mod artifacts;
pub(crate) mod attacks;
pub(crate) mod bench;
pub(crate) mod chaos;
pub(crate) mod chart;
pub(crate) mod demo;
pub(crate) mod fuzz;
pub(crate) mod fuzz_api;
pub(crate) mod image;
pub(crate) mod lint;
pub(crate) mod load_events;
pub(crate) mod openapi_lint;
pub(crate) mod package;
pub(crate) mod services;
pub(crate) mod sqlx;
pub(crate) mod test;
pub(crate) mod workspace;
