//! Deletes the user pool and the table of records of a tenant that is purged, or leaves both: the one without the other
//! is of no use. They are deleted because the purge says so, and for no other reason; and only if they are the very users
//! that were exported, unless it was said that nobody wants them.

use super::super::{
    failure::{StepError, StepFailure},
    pass::{Done, Pass},
};
use super::removed;
use crate::{
    aws::AwsError,
    domain::deletion::{PoolFate, UserSet},
};

pub(super) async fn run(pass: &mut Pass<'_>) -> Result<Done, StepError> {
    let retains = pass
        .desired
        .purging
        .as_ref()
        .and_then(|deletion| deletion.purge)
        .is_none_or(|purge| purge.retain_user_pool);
    let report = removed(pass).clone();
    let cognito = pass.context.aws.cognito(pass.region());
    if let Some(pool_id) = &report.user_pool_id {
        match cognito.pool(pool_id).await? {
            Some(pool) => {
                removed(pass).users.get_or_insert(i64::from(pool.estimated_users));
                if retains {
                    removed(pass).user_pool = Some(PoolFate::Retained);
                    return Ok(Done::skipped(format!("user pool {pool_id} stays, as asked")));
                }
                refuse_unexported(pass, pool_id).await?;
                pass.keep("the user pool is being deleted").await?;
                unless_gone(cognito.lift_deletion_protection(pool_id).await)?;
                cognito.delete_pool(pool_id).await?;
                if cognito.pool(pool_id).await?.is_some() {
                    return Err(StepFailure::passing("pool_remains", "The user pool is still there.").into());
                }
                removed(pass).user_pool = Some(PoolFate::Deleted);
                pass.keep("the user pool is deleted").await?;
            }
            // It went with a stack that never came up, or somebody deleted it outside Stepgate.
            None if retains => removed(pass).user_pool = Some(PoolFate::Absent),
            // A killed pass may have deleted it without saying so.
            None => removed(pass).user_pool = Some(PoolFate::Deleted),
        }
    } else {
        removed(pass).user_pool = Some(PoolFate::Absent);
    }
    if retains {
        return Ok(Done::skipped("there is no user pool"));
    }
    let request_id = match &report.records_table {
        Some(table) => remove_table(pass, table).await?,
        None => None,
    };
    Ok(Done::with(
        match removed(pass).user_pool {
            Some(PoolFate::Deleted) => "user pool and records are deleted",
            _ => "there was no user pool",
        },
        request_id,
    ))
}

/// Refuses while the pool holds others than the export had. Read to its end right before the pool is deleted, when its
/// app clients are gone: Cognito's own count is an estimate, and says nothing of who they are.
async fn refuse_unexported(pass: &Pass<'_>, pool_id: &str) -> Result<(), StepError> {
    let deletion = pass.desired.purging.as_ref();
    if deletion
        .and_then(|deletion| deletion.purge)
        .is_some_and(|purge| purge.without_export)
    {
        return Ok(());
    }
    let cognito = pass.context.aws.cognito(pass.region());
    let mut present = UserSet::default();
    let mut from = None;
    loop {
        let (users, next) = cognito.user_records(pool_id, from).await?;
        for user in &users {
            present.add(user.identity());
        }
        // Large pools take minutes: a worker that lost the tenant stops here.
        pass.keep(&format!("{} users are compared with the export", present.users))
            .await?;
        match next {
            Some(token) => from = Some(token),
            None => break,
        }
    }
    let export = deletion.and_then(|deletion| deletion.export.as_ref());
    if present.users == 0 || export.is_some_and(|export| present.is_of(export)) {
        return Ok(());
    }
    let exported = export.map_or(0, |export| export.users);
    Err(StepFailure::lasting(
        "users_not_exported",
        format!(
            "The user pool holds {} users, who are not the {exported} that were exported; none was deleted.",
            present.users
        ),
        Some("Export the users again; the purge then goes on by itself."),
    )
    .into())
}

async fn remove_table(pass: &Pass<'_>, table: &str) -> Result<Option<String>, StepError> {
    let dynamodb = pass.context.aws.dynamodb(pass.region());
    unless_gone(dynamodb.lift_deletion_protection(table).await)?;
    match dynamodb.delete_table(table).await {
        // It is being changed, or deleted already.
        Err(error) if error.is(&["ResourceInUseException"]) => Err(StepFailure::passing(
            "table_busy",
            "The table of records is being changed; it is deleted a little later.",
        )
        .into()),
        deleted => Ok(deleted?.request_id),
    }
}

fn unless_gone(result: Result<(), AwsError>) -> Result<(), AwsError> {
    result.or_else(|error| {
        if error.is_not_found() || error.is(&["ResourceInUseException"]) {
            Ok(())
        } else {
            Err(error)
        }
    })
}
