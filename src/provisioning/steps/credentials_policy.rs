//! Lets nobody but the verify function read the client secret. The worker may set this policy and not read the secret.

use super::super::{
    failure::StepError,
    pass::{Done, Pass},
    wanted,
};
use super::{differs, outputs};
use serde_json::Value;

pub(super) async fn run(pass: &mut Pass<'_>) -> Result<Done, StepError> {
    let wanted = wanted::credentials_policy(&outputs(pass)?.verify_role_arn);
    let secrets = pass.context.aws.secrets_manager(pass.region());
    let arn = &pass.desired.credentials_secret_arn;
    let present = |text: Option<String>| text.and_then(|text| serde_json::from_str::<Value>(&text).ok());
    if present(secrets.resource_policy(arn).await?).as_ref() == Some(&wanted) {
        return Ok(Done::already("only verify reads the client secret"));
    }
    let put = secrets.put_resource_policy(arn, &wanted.to_string()).await?;
    if present(secrets.resource_policy(arn).await?).as_ref() != Some(&wanted) {
        return Err(differs("The resource policy of the credentials secret", &[]));
    }
    Ok(Done::with("only verify reads the client secret", put.request_id))
}
