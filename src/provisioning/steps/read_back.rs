//! Reads everything back that the step-up rests on, and compares it with what is wanted. What CloudFormation or an
//! API call reported as done is not taken for done.

use super::super::{
    failure::StepError,
    pass::{Done, Pass},
    wanted,
};
use super::{app_clients::client_missing, differs, known, outputs, pool_attributes::read_pool, pool_id};
use crate::domain::provisioning::StepName;

pub(super) async fn run(pass: &mut Pass<'_>) -> Result<Done, StepError> {
    let pool_id = pool_id(pass)?;
    // What a pass did not touch is as the pass that did left it; that it still is, is for drift detection to say.
    let stack_touched = pass.desired.steps.contains(&StepName::TenantStack);
    if stack_touched {
        read_back_pool(pass, &pool_id).await?;
        read_back_functions(pass).await?;
    }

    // Those that were not written were read when they were compared.
    let cognito = pass.context.aws.cognito(pass.region());
    for app in pass
        .desired
        .apps
        .iter()
        .filter(|app| pass.written_clients.contains(&app.id))
    {
        let client_id = known(app.client_id.as_ref(), "The app client")?;
        let found = cognito
            .client(&pool_id, &client_id)
            .await?
            .ok_or_else(|| client_missing(app))?;
        compare(
            &format!("The app client of {}", app.id),
            &wanted::client_settings(&pass.desired, app),
            &found,
        )?;
    }
    let what = if stack_touched {
        "pool, functions and app clients"
    } else {
        "app clients"
    };
    Ok(Done::already(format!("{what} are as wanted")))
}

async fn read_back_pool(pass: &mut Pass<'_>, pool_id: &str) -> Result<(), StepError> {
    let pool = read_pool(pass, pool_id).await?;
    let wanted = wanted::pool_settings(&pass.desired, &outputs(pass)?);
    compare("The user pool", &wanted, &pool.settings)?;
    let missing: Vec<_> = wanted::attributes(&pass.desired)
        .into_iter()
        .filter(|attribute| !pool.custom_attributes.contains(&attribute.name))
        .map(|attribute| format!("custom:{} is missing", attribute.name))
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(differs("The user pool", &missing))
    }
}

async fn read_back_functions(pass: &Pass<'_>) -> Result<(), StepError> {
    let lambda = pass.context.aws.lambda(pass.region());
    for function in wanted::functions(&pass.desired, &outputs(pass)?) {
        let found = lambda.function(&function.arn).await?;
        compare(
            &format!("The function {}", function.name),
            &function.settings,
            &found,
        )?;
    }
    Ok(())
}

fn compare<T: PartialEq + serde::Serialize>(what: &str, wanted: &T, found: &T) -> Result<(), StepError> {
    if wanted == found {
        Ok(())
    } else {
        Err(differs(what, &wanted::differences(wanted, found)))
    }
}
