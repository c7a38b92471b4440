//! Makes an app client for every app, brings those that are there to what is asked, and removes those of deleted apps.
//!
//! Cognito makes a client without a token, so that a worker killed between the call and the row would make a second
//! one. Therefore clients are named by their app's id, and before one is made the pool's clients are looked through, and
//! once more afterwards.

use super::super::{
    failure::{StepError, StepFailure},
    pass::{Done, Pass, still},
    wanted,
};
use super::pool_id;
use crate::{
    aws::cognito::{ClientName, Cognito},
    domain::{actor::OperatorScope, provisioning::DesiredApp},
    storage::reconcile,
};

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
        remove_strays(pass, &cognito, &pool_id).await?;
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
        let named = present
            .iter()
            .filter(|client| client.name == name)
            .map(|client| &client.client_id);
        for client_id in named {
            cognito.delete_client(pool_id, client_id).await?;
        }
    }
    Ok(deleted.len())
}

/// Removes clients of our apps that are not in their rows. The list that was looked through before may have been older
/// than a client whose answer was lost; nobody was ever told of that one.
async fn remove_strays(pass: &Pass<'_>, cognito: &Cognito, pool_id: &str) -> Result<(), StepError> {
    let apps = &pass.desired.apps;
    for client in cognito.clients(pool_id).await? {
        let strays = |app: &DesiredApp| {
            app.id.to_string() == client.name
                && app
                    .client_id
                    .as_ref()
                    .is_some_and(|known| *known != client.client_id)
        };
        if apps.iter().any(strays) {
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
    let mut named: Vec<_> = present
        .iter()
        .filter(|client| client.name == wanted.name)
        .collect();
    named.sort_by(|one, other| one.client_id.cmp(&other.client_id));
    let (client_id, request_id) = match named.split_first() {
        None => {
            let created = cognito.create_client(pool_id, &wanted).await?;
            (created.value, created.request_id)
        }
        Some((first, others)) => {
            // Nobody was ever told of the others: an app has one client, and it is the one in its row.
            for other in others {
                cognito.delete_client(pool_id, &other.client_id).await?;
            }
            let updated = cognito.update_client(pool_id, &first.client_id, &wanted).await?;
            (first.client_id.clone(), updated.request_id)
        }
    };
    let mut tx = pass.context.db.begin(&OperatorScope::worker()).await?;
    still(reconcile::store_client(&mut tx, pass.claim, app.id, &client_id).await?)?;
    tx.commit().await.map_err(crate::Error::from)?;
    if let Some(stored) = pass.desired.apps.iter_mut().find(|one| one.id == app.id) {
        stored.client_id = Some(client_id);
    }
    pass.written_clients.push(app.id);
    Ok(request_id)
}

pub(super) fn client_missing(app: &DesiredApp) -> StepError {
    StepFailure::lasting(
        "client_missing",
        format!("The app client of {} is gone.", app.id),
        Some("Somebody deleted it outside Stepgate: its id is in use by the app and cannot be had again. Make a new app."),
    )
    .into()
}
