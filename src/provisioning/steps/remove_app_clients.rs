//! Deletes the app clients of a tenant that is purged: from here on nobody signs in, whatever becomes of the pool.

use super::super::{
    failure::StepError,
    pass::{Done, Pass},
};
use super::removed;

pub(super) async fn run(pass: &mut Pass<'_>) -> Result<Done, StepError> {
    let Some(pool_id) = pass.desired.observed.user_pool_id.clone() else {
        removed(pass).app_clients.get_or_insert(0);
        return Ok(Done::skipped("the tenant has no user pool"));
    };
    let cognito = pass.context.aws.cognito(pass.region());
    let present = match cognito.clients(&pool_id).await {
        Err(error) if error.is_not_found() => Vec::new(),
        present => present?,
    };
    let found = u32::try_from(present.len()).unwrap_or(u32::MAX);
    // What the first look found is what was there: a pass that was killed half-way has deleted some already.
    let told = *removed(pass).app_clients.get_or_insert(found);
    pass.keep("the app clients are being deleted").await?;
    for client in present {
        cognito.delete_client(&pool_id, &client.client_id).await?;
    }
    Ok(Done::already(format!("{told} app clients deleted")))
}
