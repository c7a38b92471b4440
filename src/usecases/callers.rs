//! Recognising callers: by API key, or by the token of a trusted issuer.

use super::api_keys;
use crate::{
    Context, Error, Result,
    domain::{
        actor::{Actor, OperatorScope, ReadScope},
        api_key::PresentedKey,
    },
    error::Code,
    storage,
};

/// Whose credential this is. Why one is not accepted is logged, and told to nobody who sent it.
#[tracing::instrument(target = "stepgate::trace", name = "callers.authenticate", skip_all)]
pub async fn authenticate(context: &Context, bearer: &str) -> Result<Actor> {
    if let Some(presented) = PresentedKey::parse(bearer) {
        return api_keys::authenticate(context, &presented).await;
    }
    if bearer.starts_with("sgk_") || bearer.split('.').count() != 3 {
        let detail =
            "The header `Authorization` does not hold an API key of the form `Bearer sgk_…` or a token.";
        return Err(Error::new(Code::Unauthenticated, detail));
    }
    let refused = || Error::new(Code::Unauthenticated, "The token is not valid.");
    let actor = context
        .trust
        .recognise(bearer, context.clock.now())
        .await
        .map_err(|error| refused().caused_by(error))?;
    if let Some(partner_id) = actor.partner_id {
        let scope = ReadScope::from(OperatorScope::authentication());
        let mut tx = context.db.begin(&scope).await?;
        storage::partners::get(&mut tx, &scope, partner_id)
            .await
            .map_err(|error| match error.code() {
                Code::NotFound => refused().caused_by(anyhow::anyhow!("{partner_id} does not exist")),
                _ => error,
            })?;
    }
    Ok(actor)
}
