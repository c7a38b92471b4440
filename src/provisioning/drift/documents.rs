//! What the triggers read: secrets, the resource policies on them, and the items of the `policies` table.

use super::{Look, Place};
use crate::{
    aws::AwsError,
    provisioning::{template::sha256_hex, wanted},
};
use serde_json::{Value, json};
use step_up::{policy_item::PolicyItem, settings::TenantSettings};

impl Look<'_> {
    pub(super) async fn secrets(&mut self) -> Result<(), AwsError> {
        let credentials = self.desired.credentials_secret_arn.clone();
        let wanted = wanted::credentials_policy(&self.outputs.verify_role_arn);
        self.resource_policy("credentials", &credentials, wanted).await?;
        if let Some(settings) = self.desired.observed.settings_secret_arn.clone() {
            self.resource_policy("settings", &settings, Value::Null).await?;
            self.settings(&settings).await?;
        }
        Ok(())
    }

    async fn resource_policy(
        &mut self,
        secret: &'static str,
        arn: &str,
        wanted: Value,
    ) -> Result<(), AwsError> {
        let secrets = self.context.aws.secrets_manager(self.region());
        let found = match secrets.resource_policy(arn).await {
            Ok(text) => text.map_or(Value::Null, |text| {
                serde_json::from_str(&text).unwrap_or(Value::String(text))
            }),
            Err(error) if error.is_not_found() => {
                self.differs(Place::Secret(secret), json!(arn), Value::Null);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        if found != wanted {
            self.differs(Place::SecretPolicy(secret), wanted, found);
        }
        Ok(())
    }

    async fn settings(&mut self, arn: &str) -> Result<(), AwsError> {
        let secrets = self.context.aws.secrets_manager(self.region());
        let text = secrets.value(arn).await?;
        let found = text
            .as_deref()
            .and_then(|text| serde_json::from_str::<TenantSettings>(text).ok());
        let Some(found) = found else {
            self.differs(
                Place::Settings,
                json!("settings of the tenant"),
                json!(text.map(|_| "unreadable")),
            );
            return Ok(());
        };
        // Compared as the document of the same generation would be.
        let wanted = wanted::tenant_settings(self.desired, found.generation);
        for (name, wanted, found) in wanted::differing(&wanted, &found) {
            self.differs(Place::SettingsField(name), digest(&wanted), digest(&found));
        }
        Ok(())
    }

    pub(super) async fn policies(&mut self) -> Result<(), AwsError> {
        let dynamodb = self.context.aws.dynamodb(self.region());
        let desired = self.desired;
        for app in &desired.apps {
            let Some(client_id) = &app.client_id else { continue };
            let stored = dynamodb.policy(&self.outputs.policies_table, client_id).await?;
            let generation = stored.as_ref().map_or(1, |item| item.generation);
            let wanted = wanted::policy_item(app, client_id, generation);
            let found = stored.as_ref().map(|item| {
                let document = serde_json::from_str::<PolicyItem>(&item.document).ok();
                (document, item)
            });
            let (document, item) = match found {
                Some((Some(document), _)) if document == wanted => continue,
                Some((document, item)) => (document, Some(item)),
                None => (None, None),
            };
            let observed = item.map(|item| {
                json!({
                    "policy_version": document.map(|document| document.policy_version),
                    "sha256": sha256_hex(&[&item.document]),
                })
            });
            let wanted =
                json!({ "policy_version": wanted.policy_version, "sha256": digest_text(&json!(wanted)) });
            self.differs(Place::PolicyItem(app.id), wanted, json!(observed));
        }
        Ok(())
    }
}

/// Documents may hold what is nobody's business: they are told apart by digests.
fn digest(value: &Value) -> Value {
    json!({ "sha256": digest_text(value) })
}

fn digest_text(value: &Value) -> String {
    sha256_hex(&[&value.to_string()])
}
