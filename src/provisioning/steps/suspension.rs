//! Tells the triggers at once whether the tenant is suspended.
//!
//! Its own step and the first: a suspension must not wait for a stack that does not come up or a provider that
//! cannot be reached. It changes the one field in the settings that the triggers have; everything else is for
//! [`super::tenant_settings`], which writes the same field.

use super::super::{
    failure::StepError,
    pass::{Done, Pass},
    wanted,
};
use super::differs;
use step_up::settings::TenantSettings;

pub(super) async fn run(pass: &mut Pass<'_>) -> Result<Done, StepError> {
    let Some(arn) = pass.desired.observed.settings_secret_arn.clone() else {
        return Ok(Done::skipped("the triggers have no settings yet"));
    };
    let suspended = pass.desired.suspended;
    let secrets = pass.context.aws.secrets_manager(pass.region());
    let read =
        |text: Option<String>| text.and_then(|text| serde_json::from_str::<TenantSettings>(&text).ok());
    let Some(present) = read(secrets.value(&arn).await?) else {
        return Ok(Done::skipped("the triggers have no settings yet"));
    };
    let state = if suspended { "suspended" } else { "not suspended" };
    if present.suspended == suspended {
        return Ok(Done::already(format!("the tenant is {state}")));
    }
    let settings = TenantSettings {
        suspended,
        generation: present.generation + 1,
        ..present
    };
    let document = serde_json::to_string(&settings).map_err(crate::Error::from)?;
    // The last look before the write: a worker that lost the tenant writes nothing.
    pass.keep("the settings are being written").await?;
    let token = wanted::token(&pass.desired, "suspension", &document);
    let put = secrets.put_value(&arn, &document, &token).await?;
    if read(secrets.value(&arn).await?).as_ref() != Some(&settings) {
        return Err(differs("The settings secret", &[]));
    }
    Ok(Done::with(format!("the tenant is {state}"), put.request_id))
}
