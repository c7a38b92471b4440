//! Tells the triggers at once which exemptions are in force.
//!
//! Its own step and an early one, as [`super::suspension`] is: an exemption is for the days on which the provider cannot
//! be reached, and its end must not wait for a stack that does not come up. It changes the one field in the policy items
//! that the triggers have; everything else is for [`super::policy_items`], which writes the same field.

use super::super::{
    failure::StepError,
    pass::{Done, Pass},
};
use super::policy_items::put;
use step_up::policy_item::PolicyItem;

pub(super) async fn run(pass: &mut Pass<'_>) -> Result<Done, StepError> {
    let Some(stack) = pass.desired.observed.stack.clone() else {
        return Ok(Done::skipped("the triggers have no policies yet"));
    };
    let dynamodb = pass.context.aws.dynamodb(pass.region());
    let mut request_id = None;
    let (mut in_force, mut written) = (0, 0);
    for app in pass.desired.apps.clone() {
        let Some(client_id) = app.client_id.clone() else {
            continue;
        };
        let Some(stored) = dynamodb.policy(&stack.policies_table, &client_id).await? else {
            continue;
        };
        in_force += app.exemptions.len();
        // What cannot be read, the triggers cannot read either; `policy_items` writes it anew.
        let Ok(present) = serde_json::from_str::<PolicyItem>(&stored.document) else {
            continue;
        };
        if present.exemptions == app.exemptions {
            continue;
        }
        let item_of = |generation| PolicyItem {
            generation,
            exemptions: app.exemptions.clone(),
            ..present
        };
        let key = (client_id.as_str(), stored.generation);
        let answered = put(pass, &dynamodb, &stack.policies_table, &app, key, item_of).await?;
        request_id = answered.or(request_id);
        written += 1;
    }
    Ok(Done::with(
        format!("{in_force} exemptions in force: {written} policies written"),
        request_id,
    ))
}
