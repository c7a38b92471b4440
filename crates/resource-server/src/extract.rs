//! Handler arguments that exist only if the token proves enough.

use crate::guard::{Guard, Requirement};
use crate::refusal::Refusal;
use crate::token::AccessToken;
use crate::transaction::Transaction;
use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest, web};
use serde::de::DeserializeOwned;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;

/// A request body that is an action: what must be proven before it is carried out.
pub trait Action: DeserializeOwned + 'static {
    /// Name of the action, as in the app's policy.
    const NAME: &'static str;
    /// What its step-up must be like.
    const REQUIREMENT: Requirement;
    /// What the user agreed to: every field that decides what is done.
    fn transaction(&self) -> Transaction;
}

/// The body of a call whose token was issued for exactly it, and is used up now.
#[derive(Debug)]
pub struct Confirmed<T> {
    /// The body.
    pub request: T,
    /// Whose it is.
    pub token: AccessToken,
}

/// What a route asks of a session, when the step-up is not for one action.
pub trait Freshness: 'static {
    /// What the step-up must be like.
    const REQUIREMENT: Requirement;
}

/// A session whose step-up satisfies `R`.
#[derive(Debug)]
pub struct SteppedUp<R> {
    /// Whose it is.
    pub token: AccessToken,
    requirement: PhantomData<R>,
}

type Extracted<T> = Pin<Box<dyn Future<Output = Result<T, Refusal>>>>;

impl<T: Action> FromRequest for Confirmed<T> {
    type Error = Refusal;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let guard = guard_of(&request)?;
            let token = guard.access_token(bearer(&request)?).await?;
            let body = web::Json::<T>::from_request(&request, &mut payload)
                .await
                .map_err(|error| Refusal::BodyInvalid(error.to_string()))?
                .into_inner();
            guard
                .confirm(&token, T::NAME, &body.transaction(), T::REQUIREMENT)
                .await?;
            Ok(Self { request: body, token })
        })
    }
}

impl<R: Freshness> FromRequest for SteppedUp<R> {
    type Error = Refusal;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let guard = guard_of(&request)?;
            let token = guard.access_token(bearer(&request)?).await?;
            guard.check_fresh(&token, R::REQUIREMENT)?;
            Ok(Self {
                token,
                requirement: PhantomData,
            })
        })
    }
}

/// The guard that the app was built with.
fn guard_of(request: &HttpRequest) -> Result<web::Data<Guard>, Refusal> {
    request.app_data::<web::Data<Guard>>().cloned().ok_or_else(|| {
        tracing::error!("App::app_data(web::Data<Guard>) is missing: every protected route refuses");
        Refusal::NotConfigured
    })
}

/// The token of the `Authorization` header. Tokens in bodies or query strings are not looked for
/// (RFC 6750, sections 2.2 and 2.3, make them optional, and they end up in logs).
fn bearer(request: &HttpRequest) -> Result<&str, Refusal> {
    let mut headers = request.headers().get_all(AUTHORIZATION);
    let Some(header) = headers.next() else {
        return Err(Refusal::TokenMissing);
    };
    if headers.next().is_some() {
        return Err(Refusal::RequestInvalid);
    }
    let text = header.to_str().map_err(|_| Refusal::RequestInvalid)?;
    let (scheme, token) = text.split_once(' ').ok_or(Refusal::RequestInvalid)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refusal::TokenMissing); // another scheme is no attempt at ours
    }
    let token = token.trim_matches(' ');
    if token.is_empty() || token.contains([' ', ',']) {
        return Err(Refusal::RequestInvalid);
    }
    Ok(token)
}
