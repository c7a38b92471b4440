//! Writes what the triggers must know of each app into the tenant's `policies` table.

use super::super::{
    failure::{StepError, StepFailure},
    pass::{Done, Pass},
    wanted,
};
use super::{differs, known, outputs};
use crate::{
    aws::dynamodb::{DynamoDb, PutOutcome, StoredPolicy},
    domain::{actor::OperatorScope, provisioning::DesiredApp},
    storage::reconcile,
};
use step_up::policy_item::{MAX_ITEM_BYTES, PolicyItem};

pub(super) async fn run(pass: &mut Pass<'_>) -> Result<Done, StepError> {
    if pass.desired.apps.is_empty() {
        return Ok(Done::skipped("the tenant has no apps"));
    }
    let table = outputs(pass)?.policies_table;
    let dynamodb = pass.context.aws.dynamodb(pass.region());
    let mut request_id = None;
    let mut written = 0;
    for app in pass.desired.apps.clone() {
        if let Some(answered) = bring(pass, &dynamodb, &table, &app).await? {
            written += 1;
            request_id = answered.or(request_id);
        }
    }
    let all = pass.desired.apps.len();
    Ok(Done::with(
        format!("{all} policies: {written} written"),
        request_id,
    ))
}

/// Writes the item if it differs, and reads it back. Returns the request id of a write.
async fn bring(
    pass: &Pass<'_>,
    dynamodb: &DynamoDb,
    table: &str,
    app: &DesiredApp,
) -> Result<Option<Option<String>>, StepError> {
    let client_id = known(app.client_id.as_ref(), "The app client")?;
    let present = dynamodb.policy(table, &client_id).await?;
    let present_generation = present.as_ref().map_or(0, |item| item.generation);
    // Compared as the item of the same generation would be.
    if present
        .as_ref()
        .is_some_and(|item| says(item, &wanted::policy_item(app, &client_id, item.generation)))
    {
        return Ok(None);
    }
    let generation = {
        let mut tx = pass.context.db.begin(&OperatorScope::worker()).await?;
        let next = reconcile::next_item_generation(&mut tx, pass.claim, app.id, present_generation).await?;
        tx.commit().await.map_err(crate::Error::from)?;
        next
    };
    let item = wanted::policy_item(app, &client_id, generation.ok_or(StepError::LeaseLost)?);
    let document = serde_json::to_string(&item).map_err(crate::Error::from)?;
    if document.len() > MAX_ITEM_BYTES {
        return Err(StepFailure::lasting(
            "policy_too_large",
            format!(
                "The policy of {} has {} bytes; {MAX_ITEM_BYTES} is the limit.",
                app.id,
                document.len()
            ),
            Some("Shorten the policy."),
        )
        .into());
    }
    let stored = StoredPolicy {
        generation: item.generation,
        document,
    };
    let put = dynamodb.put_policy(table, &client_id, &stored).await?;
    if put.value == PutOutcome::NotNewer {
        // Somebody wrote since it was read. If it was an earlier try of this very write, it is there.
        tracing::info!(app = %app.id, generation = item.generation, "a policy item was written meanwhile");
    }
    match dynamodb.policy(table, &client_id).await? {
        Some(found) if says(&found, &item) => Ok(Some(put.request_id)),
        Some(found) if found.generation > item.generation => Err(StepFailure::passing(
            "policy_raced",
            format!("The policy of {} was written by somebody else.", app.id),
        )
        .into()),
        _ => Err(differs(&format!("The policy item of {}", app.id), &[])),
    }
}

/// Whether the stored item says this. Compared as values: the order of members does not matter.
fn says(stored: &StoredPolicy, wanted: &PolicyItem) -> bool {
    stored.generation == wanted.generation
        && serde_json::from_str::<PolicyItem>(&stored.document).is_ok_and(|found| found == *wanted)
}
