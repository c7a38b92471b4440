//! The frame around every page, and the parts that several pages have.

use super::{
    assets, form,
    params::{Params, RANGES, Range},
    session::Visitor,
    words,
};
use crate::storage::Cursor;
use actix_web::HttpResponse;
use maud::{DOCTYPE, Markup, html};

/// Where in the console a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// Everything at a glance.
    Overview,
    /// Tenants and what belongs to them.
    Tenants,
    /// Operations.
    Operations,
    /// Rollouts.
    Rollouts,
    /// The audit log.
    Audit,
    /// Cells.
    Cells,
    /// Nowhere.
    None,
}

/// A whole page.
pub(super) fn page(visitor: Option<&Visitor>, title: &str, section: Section, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Stepgate" }
                link rel="icon" href=(assets::address("icon.svg")) type="image/svg+xml";
                link rel="stylesheet" href=(assets::address("style.css"));
                script src=(assets::address("live.js")) defer {}
            }
            body {
                a class="skip" href="#main" { "Skip to the content" }
                header class="top" { div class="bar" { (top(visitor, section)) } }
                main id="main" tabindex="-1" { (body) }
                footer { "Times are UTC." }
            }
        }
    }
}

fn top(visitor: Option<&Visitor>, section: Section) -> Markup {
    let Some(visitor) = visitor else {
        return html! { span class="brand" { (brand()) } };
    };
    let mut sections = vec![
        (Section::Overview, "/console", "Overview"),
        (Section::Tenants, "/console/tenants", "Tenants"),
        (Section::Operations, "/console/operations", "Operations"),
        (Section::Audit, "/console/audit", "Audit"),
    ];
    if visitor.reads_installation() {
        sections.push((Section::Rollouts, "/console/rollouts", "Rollouts"));
        sections.push((Section::Cells, "/console/cells", "Cells"));
    }
    html! {
        a class="brand" href="/console" { (brand()) }
        nav aria-label="Console" {
            ul {
                @for (of, address, label) in sections {
                    li { a href=(address) aria-current=[(of == section).then_some("page")] { (label) } }
                }
            }
        }
        div class="who" {
            span { (visitor.request.actor.identity) ", " (words::plain(visitor.request.actor.role.as_str())) }
            form method="post" action="/console/sign-out" class="inline" {
                (token(visitor))
                button class="plain" { "Sign out" }
            }
        }
    }
}

fn brand() -> Markup {
    html! {
        svg width="24" height="24" viewBox="0 0 32 32" aria-hidden="true" {
            rect class="accent" width="32" height="32" rx="7" {}
            path d="M7 25v-6h6v-6h6V7h6" fill="none" stroke="var(--accent-text)" stroke-width="3.4" stroke-linecap="round" stroke-linejoin="round" {}
        }
        "Stepgate"
    }
}

/// A page as an answer.
pub(super) fn answer(visitor: &Visitor, title: &str, section: Section, body: &Markup) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .body(page(Some(visitor), title, section, body).into_string())
}

/// The hidden field that makes a form one of this session.
pub(super) fn token(visitor: &Visitor) -> Markup {
    html! { input type="hidden" name=(form::TOKEN) value=(visitor.form_token()); }
}

/// The pages above a page.
pub(super) fn trail(steps: &[(String, &str)]) -> Markup {
    html! {
        nav class="trail" aria-label="Where you are" {
            ol { @for (address, label) in steps { li { a href=(address) { (label) } } } }
        }
    }
}

/// Links to the same page about other times.
pub(super) fn ranges(path: &str, params: &Params, range: Range) -> Markup {
    html! {
        nav class="ranges" aria-label="Time shown" {
            ul {
                @for known in &RANGES {
                    li {
                        a href=(params.with(path, "range", known.name))
                            aria-current=[(known.name == range.known.name).then_some("true")] { (known.label) }
                    }
                }
            }
        }
    }
}

/// A table that is scrolled sideways where it does not fit, with the keyboard too.
pub(super) fn scroll(label: &str, table: &Markup) -> Markup {
    html! { div class="scroll" role="group" aria-label=(label) tabindex="0" { (table) } }
}

/// A link to the next part of a list.
pub(super) fn next(path: &str, params: &Params, cursor: Option<&Cursor>) -> Markup {
    html! {
        @if let Some(cursor) = cursor {
            p { a href=(params.with(path, "cursor", &cursor.encode())) { "Next page" } }
        }
    }
}

/// A field for a reason, which the audit log keeps.
pub(super) fn reason(id: &str) -> Markup {
    html! {
        div {
            label for=(id) { "Reason" }
            input id=(id) name="reason" required maxlength="500" autocomplete="off" aria-describedby={ (id) "-hint" };
            p class="hint" id={ (id) "-hint" } { "The audit log keeps it." }
        }
    }
}
