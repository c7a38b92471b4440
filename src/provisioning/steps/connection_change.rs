//! Tries the connection or secret that waits, and puts it in force or takes it back.
//!
//! The function `verify` tries it: it alone may read the secret, and tells one word. Nothing is changed before that,
//! so the connection in force goes on working whatever happens here. Then the version of the secret is promoted,
//! and the tenant's row names the new connection; [`super::tenant_settings`] tells the triggers. Between the two the
//! triggers use the previous secret, which is bound to the previous connection.
//!
//! What refuses the new connection takes it back at once. What may pass is tried again, a quarter of an hour at most.

use super::super::{
    failure::{StepError, StepFailure},
    pass::{Done, Pass, still},
    wanted,
};
use super::provider_discovery::{ask, issuer_changed};
use crate::{
    domain::{
        actor::OperatorScope,
        connection_change::ConnectionChange,
        operation::Failure,
        provisioning::{DiscoveredProvider, StepName},
    },
    storage::connection_changes,
};
use serde_json::json;

pub(super) async fn run(pass: &mut Pass<'_>) -> Result<Done, StepError> {
    let mut tx = pass.context.db.begin(&OperatorScope::worker()).await?;
    let waiting = connection_changes::waiting(&mut tx, pass.claim).await?;
    drop(tx);
    let Some(change) = waiting else {
        return Ok(Done::skipped("the connection is not being changed"));
    };
    match put_in_force(pass, &change).await {
        Ok(detail) => Ok(Done::with(detail, None)),
        Err(StepError::Failed(failure))
            if !failure.passes_by_itself || change.tried_enough(pass.context.clock.now()) =>
        {
            take_back(pass, &change, &failure).await
        }
        Err(error) => Err(error),
    }
}

async fn put_in_force(pass: &mut Pass<'_>, change: &ConnectionChange) -> Result<String, StepError> {
    let secrets = pass.context.aws.secrets_manager(pass.region());
    let arn = pass.desired.credentials_secret_arn.clone();
    let promoted = match &change.version_id {
        None => false,
        // A worker was killed between promoting it and saying so.
        Some(version) => secrets.versions(&arn).await?.current.as_ref() == Some(version),
    };
    let provider = provider_of(pass, change).await?;
    if !promoted {
        if let Some(version) = &change.version_id {
            secrets.have_wait(&arn, version).await?;
        }
        probe(pass, change, provider.as_ref()).await?;
    }
    // The last look before the write: a worker that lost the tenant writes nothing.
    pass.keep("it was tried and is being put in force").await?;
    if let Some(version) = &change.version_id {
        secrets.promote(&arn, version).await?;
    }
    if provider.is_some() {
        pass.desired.observed.provider = provider;
    }
    let mut tx = pass.context.db.begin(&OperatorScope::worker()).await?;
    let now = pass.context.clock.now();
    let observed = &pass.desired.observed;
    let held = connection_changes::promote(&mut tx, pass.claim, change, observed, now).await?;
    tx.commit().await.map_err(crate::Error::from)?;
    still(held)?;
    pass.desired.connection = change.connection.clone();
    Ok(match &change.version_id {
        Some(_) => "the new client id and secret are in force".to_owned(),
        None => "the new connection is in force".to_owned(),
    })
}

/// The provider of the new connection. Its issuer is the one in force, or the one that the change names, or, in
/// another place, whatever it says: that change was confirmed.
async fn provider_of(
    pass: &Pass<'_>,
    change: &ConnectionChange,
) -> Result<Option<DiscoveredProvider>, StepError> {
    let observed = &pass.desired.observed;
    if observed.stack.is_none() {
        // No user can sign in yet; discovery is a later step of the same pass.
        return Ok(None);
    }
    let known = observed.provider.as_ref().filter(|_| {
        change.issuer.is_none()
            && change.connection.same_place(&pass.desired.connection)
            && change.connection.extra_ca_pem == pass.desired.connection.extra_ca_pem
    });
    if let Some(known) = known {
        return Ok(Some(known.clone()));
    }
    let found = ask(pass, &change.connection, pass.context.clock.now().timestamp()).await?;
    let expected = match &change.issuer {
        Some(issuer) => Some(issuer),
        None => observed
            .provider
            .as_ref()
            .filter(|_| change.connection.same_place(&pass.desired.connection))
            .map(|known| &known.metadata.issuer),
    };
    match expected {
        Some(expected) if *expected != found.metadata.issuer => {
            Err(issuer_changed(expected, &found.metadata.issuer).into())
        }
        _ => Ok(Some(found)),
    }
}

/// Has `verify` try the credentials on the provider.
async fn probe(
    pass: &Pass<'_>,
    change: &ConnectionChange,
    provider: Option<&DiscoveredProvider>,
) -> Result<(), StepError> {
    let (Some(stack), Some(provider)) = (&pass.desired.observed.stack, provider) else {
        return Ok(());
    };
    let mut candidate = pass.desired.clone();
    candidate.connection = change.connection.clone();
    candidate.observed.provider = Some(provider.clone());
    let stage = if change.version_id.is_some() {
        "AWSPENDING"
    } else {
        "AWSCURRENT"
    };
    let event = json!({ "stepgate_probe": {
        "version_stage": stage,
        "settings": wanted::tenant_settings(&candidate, 0),
    }});
    let lambda = pass.context.aws.lambda(pass.region());
    let answer = lambda.invoke(&stack.verify_function_arn, &event).await?;
    let outcome = answer.as_ref().and_then(|answer| answer["outcome"].as_str());
    judge(outcome).map_err(StepError::from)
}

const HINT_SECRET: &str =
    "Copy client id and secret from AdminX once more; the client must belong to this community.";

fn judge(outcome: Option<&str>) -> Result<(), StepFailure> {
    match outcome {
        Some("invalid_grant") => Ok(()),
        Some("invalid_client") => Err(StepFailure::lasting(
            "client_rejected",
            "BlockID refuses the client id and secret (invalid_client).",
            Some(HINT_SECRET),
        )),
        Some("address_refused") => Err(StepFailure::lasting(
            "provider_address",
            "The provider's token endpoint is at an address that may not be connected to.",
            None,
        )),
        Some("malformed") => Err(StepFailure::lasting(
            "provider_unusable",
            "The provider's token endpoint answers neither invalid_grant nor invalid_client to a made-up code.",
            None,
        )),
        Some("credentials_mismatch") => Err(StepFailure::lasting(
            "credentials_mismatch",
            "The client secret in the cell was given for another connection.",
            Some("Send the client secret of the new connection with it."),
        )),
        Some("unreachable") => Err(StepFailure::passing(
            "provider_unavailable",
            "The provider's token endpoint does not answer.",
        )),
        _ => Err(StepFailure::passing(
            "probe_failed",
            "The function that tries the client secret could not do so.",
        )),
    }
}

async fn take_back(
    pass: &Pass<'_>,
    change: &ConnectionChange,
    failure: &StepFailure,
) -> Result<Done, StepError> {
    let secrets = pass.context.aws.secrets_manager(pass.region());
    pass.keep("it is taken back").await?;
    if let Some(version) = &change.version_id {
        let arn = &pass.desired.credentials_secret_arn;
        if secrets.versions(arn).await?.current.as_ref() == Some(version) {
            // It was tried and promoted before: what failed now fails for what is in force.
            return Err(StepFailure::passing(&failure.code, failure.message.clone()).into());
        }
        secrets.stop_waiting(arn, version).await?;
    }
    let now = pass.context.clock.now();
    let told = Failure {
        code: failure.code.clone(),
        message: failure.message.clone(),
        hint: failure.hint.map(str::to_owned),
        step: Some(StepName::ConnectionChange.to_string()),
        aws_request_id: failure.aws_request_id.clone(),
        at: now,
    };
    tracing::warn!(
        tenant = %pass.claim.tenant_id, change = %change.id, code = told.code, error = told.message,
        "a change of the connection was taken back"
    );
    let mut tx = pass.context.db.begin(&OperatorScope::worker()).await?;
    let held = connection_changes::fail(&mut tx, pass.claim, change, &told, now).await?;
    tx.commit().await.map_err(crate::Error::from)?;
    still(held)?;
    Ok(Done::already(format!(
        "the connection stays as it was: {}",
        told.message
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refused_code_proves_credentials_and_only_outages_are_tried_again() {
        judge(Some("invalid_grant")).unwrap();
        for (outcome, passes_by_itself) in [
            (Some("invalid_client"), false),
            (Some("address_refused"), false),
            (Some("malformed"), false),
            (Some("credentials_mismatch"), false),
            (Some("unreachable"), true),
            (Some("settings_unavailable"), true),
            (Some("credentials_unavailable"), true),
            (Some("something new"), true),
            (None, true),
        ] {
            let failure = judge(outcome).unwrap_err();
            assert_eq!(failure.passes_by_itself, passes_by_itself, "{outcome:?}");
        }
    }
}
