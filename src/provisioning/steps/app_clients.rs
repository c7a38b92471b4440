//! Makes an app client for every app, brings those that are there to what is asked, and removes those of deleted apps.
//!
//! Cognito makes a client without a token: a call that lost its answer, or whose worker was killed, made one of which
//! nobody knows, or makes it still. Therefore clients are named by their app's id, the pool's clients are looked through
//! before one is made, and the app is put in doubt before the call ([`crate::domain::app_client`]). Where a call may have
//! made another, the pool is looked through once more here, and later by `remove_surplus_clients` until that is certain.
//! Nothing is deleted before the row says which client stays.

use super::super::{
    failure::{StepError, StepFailure},
    pass::{Done, Pass, still},
    wanted,
};
use super::pool_id;
use crate::{
    aws::{
        AwsErrorKind,
        cognito::{ClientName, ClientSettings, Cognito},
    },
    domain::{actor::OperatorScope, app_client::FIRST_LOOK, provisioning::DesiredApp},
    ids::AppId,
    storage::{Tx, app_clients},
};
use std::collections::BTreeSet;

pub(super) async fn run(pass: &mut Pass<'_>) -> Result<Done, StepError> {
    if pass.desired.apps.is_empty() && pass.desired.deleted_apps.is_empty() {
        return Ok(Done::skipped("the tenant has no apps"));
    }
    let pool_id = pool_id(pass)?;
    let cognito = pass.context.aws.cognito(pass.region());
    let mut request_id = None;
    let (mut made, mut changed) = (0, 0);

    let (known, unknown): (Vec<_>, Vec<_>) = pass
        .desired
        .apps
        .clone()
        .into_iter()
        .partition(|app| app.client_id.is_some());
    let removed = remove_deleted(pass, &cognito, &pool_id).await?;
    if !unknown.is_empty() {
        let present = cognito.clients(&pool_id).await?;
        for app in unknown {
            let answered = adopt_or_make(pass, &cognito, &pool_id, &app, &present).await?;
            made += 1;
            request_id = answered.or(request_id);
        }
    }
    if pass.desired.apps.iter().any(|app| app.client_in_doubt) {
        remove_surplus(pass, &cognito, &pool_id).await?;
    }
    for app in known {
        let client_id = super::known(app.client_id.as_ref(), "The app client")?;
        let wanted = wanted::client_settings(&pass.desired, &app);
        let found = cognito
            .client(&pool_id, &client_id)
            .await?
            .ok_or_else(|| client_missing(&app))?;
        if found != wanted {
            let updated = cognito.update_client(&pool_id, &client_id, &wanted).await?;
            pass.written_clients.push(app.id);
            changed += 1;
            request_id = updated.request_id.or(request_id);
        }
    }
    let all = pass.desired.apps.len();
    Ok(Done::with(
        format!("{all} app clients: {made} made, {changed} changed, {removed} removed"),
        request_id,
    ))
}

/// Removes the clients of deleted apps: the one in the row, and any whose answer was lost. Returns of how many apps.
async fn remove_deleted(pass: &Pass<'_>, cognito: &Cognito, pool_id: &str) -> Result<usize, StepError> {
    let deleted = &pass.desired.deleted_apps;
    if deleted.is_empty() {
        return Ok(0);
    }
    let present = cognito.clients(pool_id).await?;
    for app in deleted {
        let name = app.id.to_string();
        let named = present.iter().filter(|client| client.name == name);
        // The list may be older than the client in the row.
        let gone: BTreeSet<_> = named
            .map(|client| &client.client_id)
            .chain(&app.client_id)
            .collect();
        for client_id in gone {
            cognito.delete_client(pool_id, client_id).await?;
        }
    }
    Ok(deleted.len())
}

/// Removes clients of apps in doubt that are not in their rows: nobody was ever told of those.
async fn remove_surplus(pass: &Pass<'_>, cognito: &Cognito, pool_id: &str) -> Result<(), StepError> {
    for client in cognito.clients(pool_id).await? {
        let is_surplus = |app: &DesiredApp| {
            app.client_in_doubt
                && app.id.to_string() == client.name
                && app
                    .client_id
                    .as_ref()
                    .is_some_and(|known| *known != client.client_id)
        };
        if pass.desired.apps.iter().any(is_surplus) {
            cognito.delete_client(pool_id, &client.client_id).await?;
        }
    }
    Ok(())
}

async fn adopt_or_make(
    pass: &mut Pass<'_>,
    cognito: &Cognito,
    pool_id: &str,
    app: &DesiredApp,
    present: &[ClientName],
) -> Result<Option<String>, StepError> {
    let wanted = wanted::client_settings(&pass.desired, app);
    let named: BTreeSet<_> = present
        .iter()
        .filter(|client| client.name == wanted.name)
        .map(|client| client.client_id.as_str())
        .collect();
    let several = named.len() > 1;
    let (client_id, request_id, certain) = if let Some(client_id) = chosen(pass, &named).await? {
        if several {
            // Whatever the row says: it may have come out of a backup.
            doubt(pass, app.id).await?;
        }
        let updated = cognito.update_client(pool_id, &client_id, &wanted).await?;
        (client_id, updated.request_id, false)
    } else {
        make(pass, cognito, pool_id, app.id, &wanted).await?
    };
    let mut tx = begin(pass).await?;
    still(app_clients::store(&mut tx, pass.claim, app.id, &client_id, certain).await?)?;
    tx.commit().await.map_err(crate::Error::from)?;
    if let Some(stored) = pass.desired.apps.iter_mut().find(|one| one.id == app.id) {
        stored.client_id = Some(client_id);
        stored.client_in_doubt |= several;
    }
    pass.written_clients.push(app.id);
    Ok(request_id)
}

/// Which of the clients of an app's name is the app's: the one that the triggers know, if its row was lost after users
/// signed in with it; else any, but always the same.
async fn chosen(pass: &Pass<'_>, named: &BTreeSet<&str>) -> Result<Option<String>, StepError> {
    if let (true, Some(stack)) = (named.len() > 1, &pass.desired.observed.stack) {
        let dynamodb = pass.context.aws.dynamodb(pass.region());
        for client_id in named {
            if dynamodb.policy(&stack.policies_table, client_id).await?.is_some() {
                return Ok(Some((*client_id).to_owned()));
            }
        }
    }
    Ok(named.first().map(|client_id| (*client_id).to_owned()))
}

/// Makes a client. Returns its id, AWS's request id, and whether it is certain that no other was made.
async fn make(
    pass: &Pass<'_>,
    cognito: &Cognito,
    pool_id: &str,
    app: AppId,
    wanted: &ClientSettings,
) -> Result<(String, Option<String>, bool), StepError> {
    let first = doubt(pass, app).await?;
    let error = match cognito.create_client(pool_id, wanted).await {
        Ok(created) => return Ok((created.value, created.request_id, first)),
        Err(error) => error,
    };
    let was_refused = matches!(
        error.kind(),
        AwsErrorKind::Throttled | AwsErrorKind::Denied | AwsErrorKind::Quota
    );
    if first && was_refused {
        let mut tx = begin(pass).await?;
        still(app_clients::refused(&mut tx, pass.claim, app).await?)?;
        tx.commit().await.map_err(crate::Error::from)?;
    }
    Err(error.into())
}

/// Puts an app in doubt; whether it was not before. A worker that lost the tenant goes no further.
async fn doubt(pass: &Pass<'_>, app: AppId) -> Result<bool, StepError> {
    let now = pass.context.clock.now();
    let mut tx = begin(pass).await?;
    let first = app_clients::ask(&mut tx, pass.claim, app, now, now + FIRST_LOOK).await?;
    tx.commit().await.map_err(crate::Error::from)?;
    first.ok_or(StepError::LeaseLost)
}

async fn begin(pass: &Pass<'_>) -> crate::Result<Tx> {
    pass.context.db.begin(&OperatorScope::worker()).await
}

pub(super) fn client_missing(app: &DesiredApp) -> StepError {
    StepFailure::lasting(
        "client_missing",
        format!("The app client of {} is gone.", app.id),
        Some("Somebody deleted it outside Stepgate: its id is in use by the app and cannot be had again. Make a new app."),
    )
    .into()
}
