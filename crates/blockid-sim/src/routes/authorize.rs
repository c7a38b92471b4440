//! The pages of a person's step-up.

use super::{Place, find, html, notice, redirect};
use crate::authorize::{AuthorizeQuery, Refusal, check, complete};
use crate::chance;
use crate::pages::{self, AuthorizeView};
use crate::state::{Community, OpenPage, State};
use actix_web::http::StatusCode;
use actix_web::web::{Data, Form, Path, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, get, post};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::sync::Arc;
use url::form_urlencoded;

/// Wrong entries after which the page is closed.
const MAX_WRONG: u8 = 5;

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(show).service(enter).service(post_stepup);
}

/// What the form sends.
#[derive(Deserialize)]
struct Entry {
    handle: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    method: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    cancel: String,
}

fn not_found() -> HttpResponse {
    notice(
        "Not found",
        "There is no such community on this host.",
        StatusCode::NOT_FOUND,
    )
}

fn to_client(redirect_uri: &str, parameters: &[(&str, Option<&str>)]) -> HttpResponse {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    // A registered address may have a query of its own (RFC 6749, section 3.1.2).
    let separator = if redirect_uri.contains('?') { '&' } else { '?' };
    redirect(&format!("{redirect_uri}{separator}{}", query.finish()))
}

#[get("/oauth2/community/{community}/v1/authorize")]
async fn show(
    request: HttpRequest,
    state: Data<State>,
    name: Path<String>,
    query: Query<AuthorizeQuery>,
) -> HttpResponse {
    let place = Place::of(&request);
    let Some(community) = find(&state, &place, &name) else {
        return not_found();
    };
    match check(query.into_inner(), &place.base, &community) {
        Ok(asked) => {
            let handle = community.open_page(asked.clone());
            let page = OpenPageView {
                state: &state,
                community: &community,
                handle: &handle,
            };
            page.render(&asked, None, None, StatusCode::OK)
        }
        Err(Refusal::Page(text)) => notice("This request cannot be answered", text, StatusCode::BAD_REQUEST),
        Err(Refusal::Redirect {
            redirect_uri,
            error,
            description,
            state,
        }) => to_client(
            &redirect_uri,
            &[
                ("error", Some(error)),
                ("error_description", Some(description)),
                ("state", state.as_deref()),
            ],
        ),
    }
}

struct OpenPageView<'a> {
    state: &'a State,
    community: &'a Community,
    handle: &'a str,
}

impl OpenPageView<'_> {
    fn render(
        &self,
        asked: &crate::state::Asked,
        entry: Option<&Entry>,
        error: Option<&str>,
        status: StatusCode,
    ) -> HttpResponse {
        let view = AuthorizeView {
            handle: self.handle,
            community: &self.community.name,
            asked,
            demo_code: &self.state.demo_code,
            username: entry.map_or("", |entry| entry.username.as_str()),
            chosen: entry
                .map(|entry| entry.method.as_str())
                .filter(|method| !method.is_empty()),
            error,
        };
        let mut page = pages::authorize(&view, &chance::token());
        if let Some(sources) = self.community.behaviour().frame_ancestors {
            page.csp = format!("{}; frame-ancestors {sources}", page.csp);
        }
        html(page, status)
    }
}

#[post("/oauth2/community/{community}/v1/authorize")]
async fn enter(
    request: HttpRequest,
    state: Data<State>,
    name: Path<String>,
    entry: Form<Entry>,
) -> HttpResponse {
    let place = Place::of(&request);
    let Some(community) = find(&state, &place, &name) else {
        return not_found();
    };
    let Some(page) = community.page(&entry.handle) else {
        let text = "This page was used already or has been open too long. Start again in the application.";
        return notice("This page has expired", text, StatusCode::GONE);
    };
    if !entry.cancel.is_empty() {
        return denied(&community, &page, &entry.handle, "cancelled by the user");
    }
    if entry.code.trim() != state.demo_code {
        if community.wrong_entry(&entry.handle) >= MAX_WRONG {
            return denied(&community, &page, &entry.handle, "too many wrong codes");
        }
        let view = OpenPageView {
            state: &state,
            community: &community,
            handle: &entry.handle,
        };
        return view.render(
            &page.asked,
            Some(&entry),
            Some("That code is not right. Try again."),
            StatusCode::OK,
        );
    }
    finish(&state, &community, &page, &entry)
}

fn finish(state: &State, community: &Arc<Community>, page: &OpenPage, entry: &Entry) -> HttpResponse {
    let username = page
        .asked
        .username
        .clone()
        .unwrap_or_else(|| entry.username.trim().to_owned());
    match complete(
        state,
        community,
        page.asked.clone(),
        &username,
        &entry.method,
        Vec::new(),
    ) {
        Ok(code) => {
            if !community.close_page(&entry.handle) {
                return notice("This page has expired", "It was used already.", StatusCode::GONE);
            }
            let asked = &page.asked;
            to_client(
                &asked.redirect_uri,
                &[("code", Some(&code)), ("state", asked.state.as_deref())],
            )
        }
        Err(text) => {
            let view = OpenPageView {
                state,
                community,
                handle: &entry.handle,
            };
            view.render(&page.asked, Some(entry), Some(text), StatusCode::OK)
        }
    }
}

fn denied(community: &Community, page: &OpenPage, handle: &str, description: &str) -> HttpResponse {
    community.close_page(handle);
    let parameters = [
        ("error", Some("access_denied")),
        ("error_description", Some(description)),
        ("state", page.asked.state.as_deref()),
    ];
    to_client(&page.asked.redirect_uri, &parameters)
}

/// What the redirect carries.
#[derive(Deserialize)]
struct Landing {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

#[get("/admin/{community}/post_stepup")]
async fn post_stepup(
    request: HttpRequest,
    state: Data<State>,
    name: Path<String>,
    landing: Query<Landing>,
) -> HttpResponse {
    if find(&state, &Place::of(&request), &name).is_none() {
        return not_found();
    }
    let landing = landing.into_inner();
    let members = [
        ("code", landing.code),
        ("state", landing.state),
        ("error", landing.error),
        ("error_description", landing.error_description),
    ];
    let present =
        |(name, value): (&str, Option<String>)| value.map(|value| (name.to_owned(), Value::from(value)));
    let message: Map<String, Value> = members.into_iter().filter_map(present).collect();
    html(
        pages::post_stepup(&Value::Object(message), &chance::token()),
        StatusCode::OK,
    )
}
