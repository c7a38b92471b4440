//! Cells. They are put up and registered by `stepgate cell apply`.

pub mod get;
pub mod list;
