//! Recognises callers under `/v1/` by their API key.

use crate::{
    Context, Error, Result,
    api::{middleware::RequestId, problem::ApiError},
    domain::{actor::Actor, api_key::PresentedKey},
    error::Code,
    observability::counters,
    usecases::{self, denials},
};
use actix_web::{
    HttpMessage,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::AUTHORIZATION,
    middleware::Next,
    web::Data,
};

/// Puts the [`Actor`] into the request, or refuses it. What is outside of `/v1/` is open to everybody.
pub async fn authenticate<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    if request.path().starts_with("/v1/") {
        let actor = recognise(&request).await.map_err(|error| {
            if error.code() == Code::Unauthenticated {
                counters::UNKNOWN_CALLERS.add_one();
            }
            ApiError::from(error)
        })?;
        tracing::debug!(key_id = %actor.key_id, role = %actor.role, "caller recognised");
        request.extensions_mut().insert(actor.clone());
        let response = next.call(request).await?;
        note_denial(&response, actor).await;
        return Ok(response);
    }
    next.call(request).await
}

/// Has a refused attempt written down. The answer does not wait for more than the database, and does not fail with it:
/// it is a refusal either way.
async fn note_denial<B>(response: &ServiceResponse<B>, actor: Actor) {
    let denied = response
        .response()
        .error()
        .and_then(|error| error.as_error::<ApiError>());
    let Some(code) = denied
        .map(|error| error.error.code())
        .filter(|code| denials::is_denial(*code))
    else {
        return;
    };
    let request = response.request();
    let Some(context) = request.app_data::<Data<Context>>() else {
        return;
    };
    let id = request
        .extensions()
        .get::<RequestId>()
        .map(|id| id.0.clone())
        .unwrap_or_default();
    let operation = format!(
        "{} {}",
        request.method(),
        request.match_pattern().unwrap_or_default()
    );
    let asked = usecases::Request { actor, id };
    if let Err(error) = denials::note(context, &asked, &operation, request.path(), code).await {
        tracing::error!(%error, operation, "a refused attempt could not be written down");
    }
}

async fn recognise(request: &ServiceRequest) -> Result<Actor> {
    let refused = |detail: &str| Error::new(Code::Unauthenticated, detail);
    let header = request
        .headers()
        .get(AUTHORIZATION)
        .ok_or_else(|| refused("Send an API key in the header `Authorization: Bearer …`."))?;
    let presented = header
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .and_then(|(_, key)| PresentedKey::parse(key.trim()))
        .ok_or_else(|| {
            refused("The header `Authorization` does not hold an API key of the form `Bearer sgk_…`.")
        })?;
    let context = request
        .app_data::<Data<Context>>()
        .ok_or_else(|| Error::internal(anyhow::anyhow!("the application has no context")))?;
    usecases::api_keys::authenticate(context, &presented).await
}
