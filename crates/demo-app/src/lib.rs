//! The app of the demonstration: what a customer's developer would build on Stepgate, with the wall of the house taken out so that one
//! sees what happens underneath.
//!
//! A page on the browser SDK (`sdk/web/`), served with the Content-Security-Policy that such a page needs; an API behind
//! `crates/resource-server`; and two things that only a demonstration has: the mailbox in which sign-up codes arrive, and the lines that
//! the tenant's triggers write. It holds AWS credentials for those two and for nothing else; a real app holds none.
//!
//! | module | holds |
//! | --- | --- |
//! | [`settings`] | what `cargo xtask demo` tells it |
//! | [`server`] | the routes, wired |
//! | [`page`] | the page and the SDK, compiled in |
//! | [`cognito`] | the emulator's Cognito, with refusals in AWS's words |
//! | [`bank`] | the API: reading a balance wants a recent step-up, a transfer one of its own |
//! | [`mailbox`] | the demonstration's post |
//! | [`timeline`] | the triggers' events |
//!
//! To add a file to the page: put it into `page/`, and its line into [`page::FILES`].

pub mod bank;
pub mod cognito;
pub mod mailbox;
pub mod page;
pub mod server;
pub mod settings;
pub mod timeline;
