//! Tells the triggers pool and provider: completes the `settings` secret.

use super::super::{
    failure::StepError,
    pass::{Done, Pass},
    wanted,
};
use super::{differs, known, pool_id};
use step_up::settings::TenantSettings;

pub(super) async fn run(pass: &mut Pass<'_>) -> Result<Done, StepError> {
    pool_id(pass)?;
    let arn = known(
        pass.desired.observed.settings_secret_arn.as_ref(),
        "The settings secret",
    )?;
    let secrets = pass.context.aws.secrets_manager(pass.region());
    let read =
        |text: Option<String>| text.and_then(|text| serde_json::from_str::<TenantSettings>(&text).ok());

    let present = read(secrets.value(&arn).await?);
    let present_generation = present.as_ref().map_or(0, |settings| settings.generation);
    if present == Some(wanted::tenant_settings(&pass.desired, present_generation)) {
        return Ok(Done::already(format!(
            "generation {present_generation} is as wanted"
        )));
    }
    let settings = wanted::tenant_settings(&pass.desired, present_generation + 1);
    let document = serde_json::to_string(&settings).map_err(crate::Error::from)?;
    // The last look before the write: a worker that lost the tenant writes nothing.
    pass.keep("the settings are being written").await?;
    let put = secrets
        .put_value(
            &arn,
            &document,
            &wanted::token(&pass.desired, "settings", &document),
        )
        .await?;
    if read(secrets.value(&arn).await?).as_ref() != Some(&settings) {
        return Err(differs("The settings secret", &[]));
    }
    Ok(Done::with(
        format!("generation {} written", settings.generation),
        put.request_id,
    ))
}
