//! `Idempotency-Key`: a request that creates something may be repeated under it (draft-ietf-httpapi-idempotency-key-header).

use crate::{
    Context, Error,
    api::{
        problem::ApiError,
        respond::{Answer, Reply},
    },
    error::{Code, FieldError},
    usecases::{
        self,
        idempotency::{self, Begun, Once},
    },
};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, dev::Payload, http::StatusCode};
use std::future::{Ready, ready};

/// Name of the header.
pub const HEADER: &str = "idempotency-key";
/// Fewest characters: the key also keeps the body's fingerprint from being guessed.
const MIN_CHARS: usize = 16;
const MAX_CHARS: usize = 255;

/// SHA-256 of the body, left in the request by [`super::Body`].
#[derive(Debug, Clone, Copy)]
pub struct BodyDigest(pub [u8; 32]);

/// The header of operations that may be repeated.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only documents what `Repeatable` reads")]
pub struct IdempotencyParams {
    /// Unique to the request, for example a UUID. The same key with the same body gets the same answer for a day, and
    /// nothing is done twice.
    #[param(
        rename = "Idempotency-Key",
        min_length = 16,
        max_length = 255,
        pattern = r"^[!#-\[\]-~]+$",
        example = "0f7b1c9e-6f43-4a57-9a0e-5f2f6d2f1b7a"
    )]
    idempotency_key: Option<String>,
}

/// A request that may be repeated.
#[derive(Debug)]
pub struct Repeatable(HttpRequest);

impl FromRequest for Repeatable {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(request.clone())))
    }
}

impl Repeatable {
    /// Runs a use case once for all repeats of this request, and answers with `reply` of what it returned.
    pub async fn run<T>(
        &self,
        context: &Context,
        request: &usecases::Request,
        reply: fn(&T) -> Result<Reply, Error>,
        work: impl AsyncFnOnce(&Once<'_, T>) -> Result<T, Error>,
    ) -> Answer {
        let Some(key) = self.key()? else {
            let output = Box::pin(work(&Once::never())).await?;
            return Ok(reply(&output)?.into_response());
        };
        let operation = format!("{} {}", self.0.method(), self.0.path());
        let body = self
            .0
            .extensions()
            .get::<BodyDigest>()
            .map_or([0; 32], |digest| digest.0);
        let ticket = match idempotency::begin(context, request, &key, &operation, &body).await? {
            Begun::Ours(ticket) => ticket,
            Begun::Done(answer) => return Ok(replayed(answer)?),
        };
        let render = |output: &T| Ok(reply(output)?.to_stored());
        let once = Once::of(&ticket, &render);
        let output = idempotency::hold(context, request, &ticket, Box::pin(work(&once))).await?;
        if !once.is_recorded() {
            idempotency::record_late(context, request, &once, &output).await?;
        }
        Ok(reply(&output)?.into_response())
    }

    fn key(&self) -> Result<Option<String>, Error> {
        let Some(value) = self.0.headers().get(HEADER) else {
            return Ok(None);
        };
        // The draft's form is a quoted string; most clients send it bare.
        let text = value.to_str().unwrap_or_default().trim();
        let bare = text
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .unwrap_or(text);
        let sound = (MIN_CHARS..=MAX_CHARS).contains(&bare.len())
            && bare
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
            && self.0.headers().get_all(HEADER).count() == 1;
        if sound {
            return Ok(Some(bare.to_owned()));
        }
        let detail = format!(
            "`Idempotency-Key` must be one text of {MIN_CHARS} to {MAX_CHARS} visible ASCII characters other than `\"` and `\\`, for example a UUID."
        );
        let field = FieldError::new("header:Idempotency-Key", "invalid", detail.as_str());
        Err(Error::new(Code::InvalidHeader, detail).with_fields(vec![field]))
    }
}

fn replayed(answer: crate::storage::idempotency_keys::Answer) -> Result<HttpResponse, Error> {
    let status = u16::try_from(answer.status).map_err(Error::internal)?;
    let status = StatusCode::from_u16(status).map_err(Error::internal)?;
    let mut response = HttpResponse::build(status);
    response.insert_header(("idempotency-replayed", "true"));
    if let Some(location) = answer.location {
        response.insert_header(("location", location));
    }
    Ok(response.content_type("application/json").body(answer.body))
}
