//! Deletes the stack of a tenant that is purged. Its template retains the pool and the table of records, so what becomes
//! of the users is not decided here.

use super::super::{
    failure::StepError,
    pass::{Done, Pass},
    stacks::Stacks,
    wanted,
};
use super::{removed, tenant_stack::lift_protections};
use crate::aws::cloudformation::StackState;

pub(super) async fn run(pass: &mut Pass<'_>) -> Result<Done, StepError> {
    let context = pass.context;
    let stacks = Stacks {
        client: context.aws.cloudformation(pass.region()),
        ids: &context.ids,
    };
    let name = wanted::stack_name(&pass.desired);
    let Some(stack) = stacks.client.describe(&name).await? else {
        note(pass, None, None).await?;
        return Ok(match &removed(pass).stack {
            Some(name) => Done::already(format!("{name} is deleted")),
            None => Done::skipped("the tenant has no stack"),
        });
    };
    // Noted before the stack is gone, because nothing else knows what it leaves behind.
    let resources = stacks.client.resources(&stack.id).await?;
    let physical = |name: &str| resources.get(name).cloned();
    note(pass, physical("UserPool"), physical("RecordsTable")).await?;
    if pass.desired.observed.user_pool_id.is_none() && stack.status != StackState::Complete {
        // It never came up. Then CloudFormation deletes the pool, which has no users, with the rest.
        lift_protections(pass, &resources).await?;
    }
    removed(pass).stack = Some(name.clone());
    pass.keep("the stack is being deleted").await?;
    stacks.clean_away(&name, pass).await?;
    Ok(Done::already(format!("{name} deleted")))
}

/// Keeps what outlives the stack; what was noted before stays.
async fn note(pass: &mut Pass<'_>, pool: Option<String>, table: Option<String>) -> Result<(), StepError> {
    let observed = pass.desired.observed.clone();
    let report = removed(pass);
    let pool = pool.or(observed.user_pool_id);
    let table = table.or(observed.stack.map(|stack| stack.records_table));
    report.user_pool_id = report.user_pool_id.take().or(pool);
    report.records_table = report.records_table.take().or(table);
    pass.keep("what the stack leaves behind is noted").await
}
