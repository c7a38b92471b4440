//! What a page of the console sends. Only a page of the same session can: it repeats a token that no other site knows.

use super::session::Visitor;
use crate::{Error, api::problem::ApiError, error::Code};
use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, http::header::HeaderMap, web::Bytes};
use std::{collections::BTreeMap, future::Future, pin::Pin};

/// Name of the field that repeats the session's token.
pub(super) const TOKEN: &str = "form_token";
/// Largest form, bytes: a policy document and what is about it.
pub(super) const MAX_BYTES: usize = 384 * 1024;

/// A form of a page of this session.
#[derive(Debug)]
pub(super) struct Posted(BTreeMap<String, String>);

impl Posted {
    /// A field; empty when it was not sent.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |text| text.trim())
    }
}

impl FromRequest for Posted {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let visitor = request.extensions().get::<Visitor>().cloned();
        let foreign = is_foreign(request.headers());
        let body = Bytes::from_request(request, payload);
        Box::pin(async move {
            let body = body.await.map_err(|error| {
                Error::new(Code::PayloadTooLarge, "The form could not be read.")
                    .caused_by(anyhow::anyhow!("{error}"))
            })?;
            if body.len() > MAX_BYTES {
                return Err(Error::new(Code::PayloadTooLarge, "The form is too large.").into());
            }
            let fields: BTreeMap<_, _> = url::form_urlencoded::parse(&body).into_owned().collect();
            let token = fields.get(TOKEN).map_or("", String::as_str);
            let own = visitor.is_some_and(|visitor| visitor.accepts_form(token));
            if foreign || !own {
                let detail = "The form is not of a page of your session, so nothing was done. Load the page again and repeat it.";
                return Err(Error::new(Code::Forbidden, detail).into());
            }
            Ok(Self(fields))
        })
    }
}

/// Whether the browser says that a page of another origin sends it (Fetch Metadata). Old browsers do not say.
fn is_foreign(headers: &HeaderMap) -> bool {
    headers
        .get("sec-fetch-site")
        .is_some_and(|site| site.as_bytes() != b"same-origin")
}
