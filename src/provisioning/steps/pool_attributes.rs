//! Adds the pool's custom attributes. They are not in the stack, because a static template cannot list them.

use super::super::{
    failure::{StepError, StepFailure},
    pass::{Done, Pass},
    wanted,
};
use super::pool_id;
use crate::aws::cognito::{NewAttribute, Pool};

pub(super) async fn run(pass: &mut Pass<'_>) -> Result<Done, StepError> {
    let wanted = wanted::attributes(&pass.desired);
    if wanted.is_empty() {
        return Ok(Done::skipped("the pool has no custom attributes"));
    }
    let pool_id = pool_id(pass)?;
    let pool = read_pool(pass, &pool_id).await?;
    let missing: Vec<NewAttribute> = wanted
        .into_iter()
        .filter(|attribute| !pool.custom_attributes.contains(&attribute.name))
        .collect();
    if missing.is_empty() {
        return Ok(Done::already("the attributes are there"));
    }
    let added = pass
        .context
        .aws
        .cognito(pass.region())
        .add_attributes(&pool_id, &missing)
        .await?;
    pass.pool = None;
    let names: Vec<_> = missing.iter().map(|attribute| attribute.name.as_str()).collect();
    Ok(Done::with(
        format!("added {}", names.join(", ")),
        added.request_id,
    ))
}

/// The pool, read once a pass unless it was changed.
pub(super) async fn read_pool(pass: &mut Pass<'_>, pool_id: &str) -> Result<Pool, StepError> {
    if let Some(pool) = &pass.pool {
        return Ok(pool.clone());
    }
    let pool = pass
        .context
        .aws
        .cognito(pass.region())
        .pool(pool_id)
        .await?
        .ok_or_else(|| {
            StepFailure::lasting(
                "pool_missing",
                format!("The user pool {pool_id} is gone."),
                Some("Somebody deleted it outside Stepgate. An operator restores it or makes a new tenant."),
            )
        })?;
    pass.pool = Some(pool.clone());
    Ok(pool)
}
