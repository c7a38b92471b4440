//! Recognises callers under `/v1/` by their API key or token, and counts their requests.

use crate::{
    Context, Error, Result,
    api::{middleware::RequestId, problem::ApiError, rate_limit::Quota, rate_limit::RateLimiter},
    domain::actor::Actor,
    error::Code,
    observability::metrics::metrics,
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
use std::{cell::Cell, rc::Rc};

/// What the caller has left, told to the edge, which writes it into every answer.
#[derive(Debug, Clone, Default)]
pub(super) struct QuotaSlot(pub(super) Rc<Cell<Option<Quota>>>);

/// Puts the [`Actor`] into the request, or refuses it. What is outside of `/v1/` is open to everybody.
pub async fn authenticate<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    if request.path().starts_with("/v1/") {
        let actor = recognise(&request).await.map_err(|error| {
            if error.code() == Code::Unauthenticated {
                // They are counted and not audited: anybody can make them, as often as they like.
                metrics().unknown_callers.add([], 1);
            }
            ApiError::from(error)
        })?;
        tracing::debug!(caller = %actor.identity, role = %actor.role, "caller recognised");
        count(&request, &actor).map_err(ApiError::from)?;
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
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone());
    let operation = format!(
        "{} {}",
        request.method(),
        request.match_pattern().unwrap_or_default()
    );
    let asked = usecases::Request::new(actor, id.unwrap_or_default());
    if let Err(error) = denials::note(context, &asked, &operation, request.path(), code).await {
        tracing::error!(%error, operation, "a refused attempt could not be written down");
    }
}

fn context(request: &ServiceRequest) -> Result<&Data<Context>> {
    request
        .app_data::<Data<Context>>()
        .ok_or_else(|| Error::internal(anyhow::anyhow!("the application has no context")))
}

async fn recognise(request: &ServiceRequest) -> Result<Actor> {
    let refused = |detail: &str| Error::new(Code::Unauthenticated, detail);
    let header = request
        .headers()
        .get(AUTHORIZATION)
        .ok_or_else(|| refused("Send an API key or a token in the header `Authorization: Bearer …`."))?;
    let bearer = header
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, bearer)| bearer.trim())
        .ok_or_else(|| {
            refused(
                "The header `Authorization` does not hold an API key of the form `Bearer sgk_…` or a token.",
            )
        })?;
    usecases::callers::authenticate(context(request)?, bearer).await
}

/// Counts a request of a caller; refuses one too many.
pub fn count(request: &ServiceRequest, actor: &Actor) -> Result<()> {
    let Some(limiter) = request.app_data::<Data<RateLimiter>>() else {
        return Ok(());
    };
    let Some(quota) = limiter.take(&actor.id(), context(request)?.clock.now()) else {
        return Ok(());
    };
    if let Some(slot) = request.extensions().get::<QuotaSlot>() {
        slot.0.set(Some(quota));
    }
    if quota.remaining.is_some() {
        return Ok(());
    }
    let detail = format!("This caller may send {} requests a minute.", quota.limit);
    Err(Error::new(Code::RateLimited, detail).retry_after_s(quota.reset_s))
}
