//! Makes or changes the tenant's stack. One that never came up is cleaned away, with the reason kept.

use super::super::{
    failure::{StepError, StepFailure},
    pass::{Done, Pass},
    stacks::{EnsureError, Stacks},
    template, wanted,
};
use super::known;
use crate::{
    aws::cloudformation::Stack,
    domain::provisioning::{ObservedRelease, StackOutputs},
};
use std::collections::BTreeMap;

pub(super) async fn run(pass: &mut Pass<'_>) -> Result<Done, StepError> {
    let settings_secret_arn = known(
        pass.desired.observed.settings_secret_arn.as_ref(),
        "The settings secret",
    )?;
    let context = pass.context;
    let stacks = Stacks {
        client: context.aws.cloudformation(pass.region()),
        ids: &context.ids,
    };
    let template = template::of(&pass.desired);
    let wanted = wanted::stack(&pass.desired, &template, &settings_secret_arn);
    match stacks.ensure(&wanted, pass).await {
        Ok(ensured) => {
            let parameters = wanted.parameters.iter();
            let parameters = parameters.map(|(name, value)| ((*name).to_owned(), value.clone()));
            let outputs = read_outputs(&ensured.stack, parameters.collect())?;
            pass.desired.observed.user_pool_id = Some(output(&ensured.stack, "UserPoolId")?);
            pass.desired.observed.stack = Some(outputs);
            // The stack has every parameter as wanted, and they name artifacts and template.
            pass.desired.observed.release = pass.desired.release.as_ref().map(|release| ObservedRelease {
                id: release.id,
                name: release.name.clone(),
            });
            Ok(Done::with(
                format!("{} {}", wanted.name, ensured.done),
                ensured.request_id,
            ))
        }
        Err(EnsureError::FailedCreate(failure)) => {
            clean_away(pass, &stacks, &wanted.name).await?;
            Err(failure.into())
        }
        Err(EnsureError::Step(error)) => Err(error),
    }
}

/// Cleans a stack away that never came up. One that did once is never touched: its pool has users.
async fn clean_away(pass: &mut Pass<'_>, stacks: &Stacks<'_>, name: &str) -> Result<(), StepError> {
    let in_use = || {
        StepError::from(StepFailure::lasting(
            "stack_stuck",
            format!("Stack {name} is in a failed state, but its user pool was in use; it is left alone."),
            Some("An operator looks into the stack's events in CloudFormation."),
        ))
    };
    if pass.desired.observed.user_pool_id.is_some() {
        return Err(in_use());
    }
    let resources = stacks.client.resources(name).await?;
    if !lift_protections(pass, &resources).await? {
        return Err(in_use());
    }
    pass.keep("the stack failed to come up and is cleaned away")
        .await?;
    stacks.clean_away(name, pass).await?;
    pass.desired.observed.failed_stacks += 1;
    pass.keep("the failed stack is cleaned away").await
}

/// Lifts what protects the pool and the records of a stack that never came up. Returns false, and leaves both as they
/// are, when the pool has users.
pub(super) async fn lift_protections(
    pass: &Pass<'_>,
    resources: &BTreeMap<String, String>,
) -> Result<bool, StepError> {
    if let Some(pool_id) = resources.get("UserPool") {
        let cognito = pass.context.aws.cognito(pass.region());
        if let Some(pool) = cognito.pool(pool_id).await? {
            if pool.estimated_users > 0 {
                return Ok(false);
            }
            cognito.lift_deletion_protection(pool_id).await?;
        }
    }
    if let Some(table) = resources.get("RecordsTable") {
        let dynamodb = pass.context.aws.dynamodb(pass.region());
        match dynamodb.lift_deletion_protection(table).await {
            Err(error) if !error.is_not_found() => return Err(error.into()),
            _ => {}
        }
    }
    Ok(true)
}

/// What a stack that came up with these parameters consists of.
pub(in crate::provisioning) fn read_outputs(
    stack: &Stack,
    parameters: BTreeMap<String, String>,
) -> Result<StackOutputs, StepError> {
    Ok(StackOutputs {
        stack_id: stack.id.clone(),
        challenge_function_arn: output(stack, "ChallengeFunctionArn")?,
        challenge_role_arn: output(stack, "ChallengeRoleArn")?,
        verify_function_arn: output(stack, "VerifyFunctionArn")?,
        verify_role_arn: output(stack, "VerifyRoleArn")?,
        policies_table: output(stack, "PoliciesTableName")?,
        records_table: output(stack, "RecordsTableName")?,
        parameters,
    })
}

fn output(stack: &Stack, key: &str) -> Result<String, StepError> {
    stack.outputs.get(key).cloned().ok_or_else(|| {
        StepFailure::lasting(
            "stack_failed",
            format!("The tenant's stack has no output {key}."),
            None,
        )
        .into()
    })
}
