//! The console: pages for operators, auditors and partners, made on the server and complete without JavaScript.
//!
//! A page reads through use cases, as the API does and with the same rights, so a figure here is the API's figure; nothing
//! here reads storage. Templates are [`maud`]'s: checked when they are compiled, and everything that is put into one is
//! escaped. `PreEscaped` is for our own files and nothing else.
//!
//! | module | holds |
//! | --- | --- |
//! | [`session`] | who looks: the cookie, the way to the sign-in, the limits, pages for errors |
//! | [`form`] | what a page sends: only from a page of the same session |
//! | [`params`] | query parameters of pages |
//! | [`layout`] | the frame around every page |
//! | [`words`] | numbers, times and states for people |
//! | [`charts`] | charts as SVG |
//! | [`assets`] | the files that pages refer to, from the binary |
//! | [`pages`] | one page a file |
//!
//! To add a page: a file in [`pages`] with a handler that takes [`session::Visitor`] first, and a line in [`configure`].
//! To add something that changes anything: the same with [`form::Posted`] as second; it answers with a redirect.

mod assets;
mod charts;
mod form;
mod layout;
mod pages;
mod params;
mod session;
mod words;

use actix_web::{middleware::from_fn, web};

/// Registers every page.
pub(crate) fn configure(config: &mut web::ServiceConfig) {
    let pages = web::scope("/console")
        .app_data(web::PayloadConfig::new(form::MAX_BYTES))
        .service(assets::file)
        .service(pages::sign_in::choose)
        .service(pages::sign_in::begin)
        .service(pages::sign_in::complete)
        .service(pages::sign_in::by_link)
        .service(pages::sign_in::sign_out)
        .service(pages::overview::show)
        .service(pages::tenants::list)
        .service(pages::tenant::show)
        .service(pages::suspension::suspend)
        .service(pages::suspension::resume)
        .service(pages::drift::check)
        .service(pages::app::show)
        .service(pages::app::simulate)
        .service(pages::policy_version::show)
        .service(pages::policy_version::write_again)
        .service(pages::users::find)
        .service(pages::users::show)
        .service(pages::users::sign_out)
        .service(pages::journey::show)
        .service(pages::operations::list)
        .service(pages::operation::show)
        .service(pages::operation::cancel)
        .service(pages::rollouts::list)
        .service(pages::rollout::show)
        .service(pages::rollout::pause)
        .service(pages::rollout::resume)
        .service(pages::rollout::cancel)
        .service(pages::audit::list)
        .service(pages::audit::verify)
        .service(pages::cells::list)
        .default_service(web::to(session::no_such_page))
        .wrap(from_fn(session::guard));
    config.service(pages);
}
