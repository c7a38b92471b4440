//! Writes back what was changed past Stepgate and is in no other step: settings of the pool, code, settings and roles of
//! the functions, the stack's protection. CloudFormation compares a stack with its template and not with what is there,
//! so it is done by each service's own call, to what the stack says; the stack stays right.
//!
//! App clients, policies and what the triggers are told are for the steps before this one.

use super::super::{
    drift::{self, Difference, Place, role_name},
    failure::StepError,
    pass::{Done, Pass},
    wanted::{self, WantedFunction},
};
use super::{known, outputs, pool_id};
use crate::domain::provisioning::StackOutputs;

pub(super) async fn run(pass: &mut Pass<'_>) -> Result<Done, StepError> {
    let outputs = outputs(pass)?;
    let looked = drift::look(pass.context, &pass.desired).await?;
    let mut written = Vec::new();
    let mut request_id = None;
    let mut pool_written = false;
    for difference in looked.differences {
        // The last look before the write: a worker that lost the tenant writes nothing.
        pass.keep(&format!("{} is being written back", difference.place))
            .await?;
        let answered = match &difference.place {
            Place::PoolSetting(_) | Place::NativeTotp if difference.place.is_healable() && !pool_written => {
                pool_written = true;
                restore_pool(pass, &outputs).await?
            }
            Place::PoolSetting(_) | Place::NativeTotp if difference.place.is_healable() => Written::already(),
            Place::ForeignClient(client_id) => {
                let cognito = pass.context.aws.cognito(pass.region());
                cognito.delete_client(&pool_id(pass)?, client_id).await?;
                Written::already()
            }
            Place::StackProtection => {
                let cloudformation = pass.context.aws.cloudformation(pass.region());
                cloudformation
                    .set_termination_protection(&outputs.stack_id, true)
                    .await?;
                Written::already()
            }
            Place::SecretPolicy("settings") => {
                let arn = known(
                    pass.desired.observed.settings_secret_arn.as_ref(),
                    "The settings secret",
                )?;
                let secrets = pass.context.aws.secrets_manager(pass.region());
                secrets.delete_resource_policy(&arn).await?;
                Written::already()
            }
            Place::FunctionSetting(function, _)
            | Place::Variable(function, _)
            | Place::ForeignVariable(function, _) => {
                restore_function(pass, &of(pass, &outputs, function)?, &difference.place).await?
            }
            Place::Trust(function)
            | Place::InlinePolicy(function, _)
            | Place::AttachedPolicy(function, _) => {
                restore_role(pass, &of(pass, &outputs, function)?, &difference).await?
            }
            // Of the other steps, or nothing that could be written back.
            _ => continue,
        };
        request_id = answered.0.or(request_id);
        written.push(difference.place.to_string());
    }
    if written.is_empty() {
        return Ok(Done::already("nothing is left to write back"));
    }
    // What read-back compares is read anew.
    pass.pool = None;
    Ok(Done::with(
        format!("written back: {}", written.join(", ")),
        request_id,
    ))
}

/// AWS's request id of what was written, where it has one.
struct Written(Option<String>);

impl Written {
    fn already() -> Self {
        Self(None)
    }
}

fn of(pass: &Pass<'_>, outputs: &StackOutputs, name: &str) -> Result<WantedFunction, StepError> {
    let functions = wanted::functions(&pass.desired, outputs);
    known(
        functions.iter().find(|function| function.name == name),
        "The function",
    )
}

async fn restore_pool(pass: &Pass<'_>, outputs: &StackOutputs) -> Result<Written, StepError> {
    let cognito = pass.context.aws.cognito(pass.region());
    let pool_id = pool_id(pass)?;
    // The second factor first: with it on, the other call may not switch it off.
    cognito.switch_native_mfa_off(&pool_id).await?;
    let settings = wanted::pool_settings(&pass.desired, outputs);
    let restored = cognito.restore_pool(&pool_id, &settings).await?;
    Ok(Written(restored.request_id))
}

/// Lambda takes one change at a time and is busy with it for a while; the next try of the step then goes on.
async fn restore_function(
    pass: &Pass<'_>,
    function: &WantedFunction,
    place: &Place,
) -> Result<Written, StepError> {
    let lambda = pass.context.aws.lambda(pass.region());
    let is_code =
        matches!(place, Place::FunctionSetting(_, name) if name == "code_sha256" || name == "architecture");
    let restored = if is_code {
        let bucket = &pass.desired.cell.artifact_bucket;
        lambda
            .update_code(
                &function.arn,
                &function.settings.architecture,
                bucket,
                &function.artifact.key,
            )
            .await?
    } else {
        lambda.update_settings(&function.arn, &function.settings).await?
    };
    Ok(Written(restored.request_id))
}

async fn restore_role(
    pass: &Pass<'_>,
    function: &WantedFunction,
    difference: &Difference,
) -> Result<Written, StepError> {
    let iam = pass.context.aws.iam(pass.region());
    let role = role_name(&function.role_arn);
    let wanted = &difference.wanted;
    let restored = match &difference.place {
        Place::InlinePolicy(_, name) if wanted.is_null() => iam.delete_policy(role, name).await?,
        Place::InlinePolicy(_, name) => iam.put_policy(role, name, wanted).await?,
        Place::AttachedPolicy(_, arn) => iam.detach_policy(role, arn).await?,
        _ => iam.set_trust(role, wanted).await?,
    };
    Ok(Written(restored.request_id))
}
