//! Deletes the secrets of a tenant that is purged. AWS keeps them for a week, in which an operator can restore them.

use super::super::{
    failure::StepError,
    pass::{Done, Pass},
};
use super::removed;
use crate::domain::deletion::DeletedSecret;

pub(super) async fn run(pass: &mut Pass<'_>) -> Result<Done, StepError> {
    let names = [
        pass.desired.credentials_secret_name.clone(),
        pass.desired.settings_secret_name.clone(),
    ];
    let secrets = pass.context.aws.secrets_manager(pass.region());
    for name in names {
        let Some(restorable_until) = secrets.delete(&name).await? else {
            continue;
        };
        let deleted = &mut removed(pass).secrets;
        if deleted.iter().all(|secret| secret.name != name) {
            deleted.push(DeletedSecret {
                name,
                restorable_until,
            });
        }
        pass.keep("the secrets are being deleted").await?;
    }
    let count = removed(pass).secrets.len();
    Ok(Done::already(format!("{count} secrets deleted")))
}
