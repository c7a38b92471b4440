//! The user pool and its app clients.

use super::{Look, Place};
use crate::{aws::AwsError, provisioning::wanted};
use serde_json::{Value, json};
use std::collections::BTreeSet;

impl Look<'_> {
    pub(super) async fn pool(&mut self, pool_id: &str) -> Result<(), AwsError> {
        let cognito = self.context.aws.cognito(self.region());
        let Some(pool) = cognito.pool(pool_id).await? else {
            self.differs(Place::Pool, json!(pool_id), Value::Null);
            return Ok(());
        };
        let settings = wanted::pool_settings(self.desired, self.outputs);
        for (name, wanted, found) in wanted::differing(&settings, &pool.settings) {
            self.differs(Place::PoolSetting(name), wanted, found);
        }
        if cognito.native_totp(pool_id).await? {
            self.differs(Place::NativeTotp, json!(false), json!(true));
        }
        Ok(())
    }

    pub(super) async fn clients(&mut self, pool_id: &str) -> Result<(), AwsError> {
        // A pool that is gone is told already.
        if self.differences.iter().any(|one| one.place == Place::Pool) {
            return Ok(());
        }
        let cognito = self.context.aws.cognito(self.region());
        let mut ours = BTreeSet::new();
        let desired = self.desired;
        for app in &desired.apps {
            let Some(client_id) = &app.client_id else { continue };
            ours.insert(client_id.as_str());
            let Some(found) = cognito.client(pool_id, client_id).await? else {
                self.differs(Place::Client(app.id), json!(client_id), Value::Null);
                continue;
            };
            let settings = wanted::client_settings(desired, app);
            for (name, wanted, found) in wanted::differing(&settings, &found) {
                self.differs(Place::ClientSetting(app.id, name), wanted, found);
            }
        }
        for client in cognito.clients(pool_id).await? {
            // One that our own call made too many goes by itself (`remove_surplus_clients`).
            let is_surplus = desired
                .apps
                .iter()
                .any(|app| app.client_in_doubt && app.id.to_string() == client.name);
            if !ours.contains(client.client_id.as_str()) && !is_surplus {
                self.differs(
                    Place::ForeignClient(client.client_id),
                    Value::Null,
                    json!({ "name": client.name }),
                );
            }
        }
        Ok(())
    }
}
