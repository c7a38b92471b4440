//! Partners: operators only.

use super::Request;
use crate::{
    Context, Result,
    domain::partner::{self, Partner},
    ids::PartnerId,
    storage,
};

/// Adds a partner.
pub async fn create(context: &Context, request: &Request, name: String) -> Result<Partner> {
    let scope = request.actor.operator()?;
    partner::validate_name(&name)?;
    let now = context.clock.now();
    let partner = Partner {
        id: PartnerId::generate(&context.ids, now),
        name,
        created_at: now,
    };
    let mut tx = context.db.begin(&scope).await?;
    storage::partners::insert(&mut tx, &scope, &partner).await?;
    tx.commit().await?;
    tracing::info!(partner_id = %partner.id, "partner created");
    Ok(partner)
}
