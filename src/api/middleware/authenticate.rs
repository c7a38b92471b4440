//! Recognises callers under `/v1/` by their API key.

use crate::{
    Context, Error, Result,
    api::problem::ApiError,
    domain::{actor::Actor, api_key::PresentedKey},
    error::Code,
    usecases,
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
        let actor = recognise(&request).await.map_err(ApiError::from)?;
        tracing::debug!(key_id = %actor.key_id, role = %actor.role, "caller recognised");
        request.extensions_mut().insert(actor);
    }
    next.call(request).await
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
