//! Makes the `settings` secret, whose ARN the stack needs. It is complete only once the stack exists.

use super::super::{
    failure::StepError,
    pass::{Done, Pass},
    wanted,
};

pub(super) async fn run(pass: &mut Pass<'_>) -> Result<Done, StepError> {
    if pass.desired.observed.settings_secret_arn.is_some() {
        return Ok(Done::already("the secret is there"));
    }
    let document =
        serde_json::to_string(&wanted::tenant_settings(&pass.desired, 1)).map_err(crate::Error::from)?;
    let name = &pass.desired.settings_secret_name;
    let token = wanted::token(&pass.desired, "settings", "create");
    let tags = wanted::tags(&pass.desired);
    let secrets = pass.context.aws.secrets_manager(pass.region());
    // A secret of this name is this tenant's own, from a pass that was killed; it is mended at the end of this one.
    let arn = secrets
        .create_secret(name, document.into(), &token, &tags)
        .await?;
    pass.desired.observed.settings_secret_arn = Some(arn);
    Ok(Done::with("made", None))
}
