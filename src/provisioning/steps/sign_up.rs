//! Closes the sign-up of a deleted tenant, and opens it again when the tenant is restored. Whoever signed up meanwhile
//! would be in no export, and lost with the pool.
//!
//! Part of the step *suspension*: both shut the tenant. The stack is left alone, because of a deleted tenant it may be
//! one that does not come up; it goes on saying what is wanted of a tenant that is not deleted.

use super::super::{
    failure::StepError,
    pass::{Done, Pass},
    wanted,
};
use super::outputs;
use crate::aws::cognito::PoolSettings;

/// Adds what it does to what the step did.
pub(super) async fn run(pass: &mut Pass<'_>, done: Done) -> Result<Done, StepError> {
    let closes = pass.desired.deleted;
    if !closes && !pass.desired.observed.sign_up_closed {
        return Ok(done);
    }
    let Some(pool_id) = pass.desired.observed.user_pool_id.clone() else {
        return Ok(done);
    };
    let cognito = pass.context.aws.cognito(pass.region());
    // A pool that is gone is told of by the steps that need it.
    let Some(pool) = cognito.pool(&pool_id).await? else {
        return Ok(done);
    };
    let settings = wanted::pool_settings(&pass.desired, &outputs(pass)?);
    let admin_creates_users = closes || settings.admin_creates_users;
    if pool.settings.admin_creates_users == admin_creates_users {
        pass.desired.observed.sign_up_closed = closes;
        return Ok(done);
    }
    let (doing, did) = if closes {
        ("sign-up is being closed", "sign-up is closed")
    } else {
        ("sign-up is being opened", "sign-up is open again")
    };
    if closes {
        // Before the write: a pass that dies after it must not forget what it closed.
        pass.desired.observed.sign_up_closed = true;
    }
    pass.keep(doing).await?;
    let settings = PoolSettings {
        admin_creates_users,
        ..settings
    };
    let written = cognito.restore_pool(&pool_id, &settings).await?;
    pass.desired.observed.sign_up_closed = closes;
    pass.pool = None;
    Ok(Done::with(
        format!("{}; {did}", done.detail),
        written.request_id.or(done.request_id),
    ))
}
