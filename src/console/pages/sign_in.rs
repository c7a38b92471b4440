//! `/console/sign-in`, and the ways in and out.

use crate::{
    Context, Error,
    api::respond::Answer,
    console::{
        form::Posted,
        layout::{self, Section},
        params::Params,
        session::{self, Visitor, own_page, redirect, request_id},
    },
    domain::console_session::BrowserSecret,
    error::Code,
    trust::login::{ATTEMPT_LIFETIME_S, LoginAttempt},
    usecases::console_sessions,
};
use actix_web::{
    HttpRequest, HttpResponse, get, post,
    web::{Data, Path},
};
use maud::html;

/// The ways to sign in.
#[get("/sign-in")]
pub(in crate::console) async fn choose(context: Data<Context>, params: Params) -> Answer {
    let return_to = own_page(params.text("return_to"));
    let issuers: Vec<_> = context.trust.logins().collect();
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("return_to", return_to)
        .finish();
    let body = html! {
        div class="narrow card" {
            h1 { "Sign in" }
            @if params.text("ended").is_some() {
                p class="note warn" role="status" { "Your session is over. What you last sent was not done." }
            }
            @if issuers.is_empty() && context.config.console.demo_link {
                p { "This is a demonstration: open the link that it printed. Each link signs in once." }
            } @else if issuers.is_empty() {
                p { "No issuer is configured for signing in. The operator of this installation gives one a " code { "login" }
                    " in the file of trusted issuers, and sets " code { "STEPGATE_CONSOLE_ORIGIN" } "." }
            } @else {
                p { "You are sent to an issuer that this installation trusts, and back." }
                ul class="choices" {
                    @for issuer in issuers {
                        li { a class="button" href={ "/console/sign-in/" (issuer) "?" (query) } { "Sign in with " (issuer) } }
                    }
                }
            }
        }
    };
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .body(layout::page(None, "Sign in", Section::None, &body).into_string()))
}

/// To an issuer.
#[get("/sign-in/{issuer}")]
pub(in crate::console) async fn begin(
    context: Data<Context>,
    issuer: Path<String>,
    params: Params,
) -> Answer {
    let return_to = own_page(params.text("return_to"));
    let attempt = LoginAttempt::begin(&context.ids, &issuer, return_to, context.clock.now());
    let url = console_sessions::authorize_url(&context, &attempt).await?;
    let mut response = redirect(&url);
    add(
        &mut response,
        session::hold_attempt(&attempt.reveal(), ATTEMPT_LIFETIME_S),
    );
    Ok(response)
}

/// Back from an issuer.
#[get("/callback")]
pub(in crate::console) async fn complete(
    context: Data<Context>,
    params: Params,
    request: HttpRequest,
) -> Answer {
    let refused = || {
        Error::new(
            Code::Forbidden,
            "This browser did not begin this sign-in, or began it too long ago. Begin it again.",
        )
    };
    let now = context.clock.now();
    let attempt = session::attempt_of(&request)
        .and_then(|held| LoginAttempt::parse(&held, now))
        .filter(|attempt| attempt.accepts_state(params.text("state").unwrap_or_default()))
        .ok_or_else(refused)?;
    let query = url::form_urlencoded::parse(request.query_string().as_bytes());
    // Codes are longer than what a page's parameters may be.
    let mut codes = query
        .filter(|(name, _)| name == "code")
        .map(|(_, code)| code.into_owned());
    let (Some(code), None) = (codes.next(), codes.next()) else {
        let told = params.text("error").unwrap_or("no code");
        tracing::info!(
            issuer = attempt.issuer(),
            error = told,
            "a sign-in to the console ended at the issuer"
        );
        let detail = "The issuer did not sign you in. Begin again, or ask whoever runs it.";
        return Err(Error::new(Code::Forbidden, detail).into());
    };
    let former = session::browser_of(&request);
    let id = request_id(&request);
    let browser = console_sessions::sign_in(&context, &attempt, &code, former.as_ref(), &id).await?;
    let mut response = redirect(own_page(Some(attempt.return_to())));
    add(&mut response, session::hold_session(&browser));
    add(&mut response, session::forget_attempt());
    Ok(response)
}

/// In by a link of the demonstration.
#[get("/enter/{link}")]
pub(in crate::console) async fn by_link(
    context: Data<Context>,
    link: Path<String>,
    request: HttpRequest,
) -> Answer {
    let link = BrowserSecret::parse(&link).ok_or_else(|| Error::not_found("page"))?;
    let former = session::browser_of(&request);
    let id = request_id(&request);
    let browser = console_sessions::sign_in_by_link(&context, &link, former.as_ref(), &id).await?;
    let mut response = redirect("/console");
    add(&mut response, session::hold_session(&browser));
    Ok(response)
}

/// Out.
#[post("/sign-out")]
pub(in crate::console) async fn sign_out(visitor: Visitor, _form: Posted, context: Data<Context>) -> Answer {
    console_sessions::sign_out(&context, visitor.browser()).await?;
    let mut response = redirect("/console/sign-in");
    add(&mut response, session::forget_session());
    Ok(response)
}

fn add(response: &mut HttpResponse, (name, value): (actix_web::http::header::HeaderName, String)) {
    if let Ok(value) = value.parse() {
        response.headers_mut().append(name, value);
    }
}
