//! Policies of apps: the document is read and judged by the `step-up` crate, the same code the triggers run.

use super::{Request, operations};
use crate::{
    Context, Error, Result,
    domain::{
        app::{AppSettings, USER_WRITABLE_ATTRIBUTES},
        operation::OperationKind,
        policy::PolicyVersion,
        validation::Problems,
    },
    error::Code,
    ids::{AppId, TenantId},
    storage,
};
use serde_json::Value;
use step_up::policy::{self, PolicyDocument, ValidationContext};

/// The newest version of an app's policy.
pub async fn get(
    context: &Context,
    request: &Request,
    tenant_id: TenantId,
    app_id: AppId,
) -> Result<PolicyVersion> {
    let scope = request.actor.reader()?;
    storage::policies::current(&mut *context.db.acquire().await?, &scope, tenant_id, app_id).await
}

/// Puts a new version in the place of version `replaces`; the worker brings it to the triggers.
pub async fn put(
    context: &Context,
    request: &Request,
    (tenant_id, app_id): (TenantId, AppId),
    replaces: i64,
    document: &Value,
) -> Result<(PolicyVersion, operations::Watched)> {
    let scope = request.actor.partner_admin()?;
    let mut tx = context.db.begin().await?;
    let tenant = storage::tenants::lock(&mut tx, &scope, tenant_id).await?;
    let app = storage::apps::get(&mut tx, &scope.into(), tenant_id, app_id).await?;
    if app.policy_version != replaces {
        return Err(Error::new(
            Code::PreconditionFailed,
            format!(
                "The policy is at version {}, not {replaces}: read it again.",
                app.policy_version
            ),
        ));
    }
    let mut problems = Problems::new();
    let document = accept(document, &app.settings, &mut problems);
    problems.finish()?;
    let document =
        document.ok_or_else(|| Error::internal(anyhow::anyhow!("a refused document without a problem")))?;
    tenant.require_active()?;

    let now = context.clock.now();
    let target_generation = storage::tenants::bump_generation(&mut tx, &scope, tenant_id, now).await?;
    let author = request.actor.key_id.to_string();
    let version = PolicyVersion {
        app_id,
        version: replaces + 1,
        document,
        author,
        created_at: now,
        in_force: false,
    };
    storage::policies::insert(&mut tx, &scope, &version).await?;
    storage::apps::set_policy_version(&mut tx, &scope, app_id, version.version, now).await?;
    let subject = operations::Subject {
        kind: OperationKind::UpdatePolicy,
        tenant_id,
        resource_id: app_id.to_string(),
        target_generation,
        now,
    };
    let operation = operations::open(&mut tx, context, request, &scope, subject).await?;
    tx.commit().await?;
    Ok((version, operation))
}

/// Reads and judges a document for an app with these settings; `None` when there were problems.
pub(super) fn accept(
    document: &Value,
    settings: &AppSettings,
    problems: &mut Problems,
) -> Option<PolicyDocument> {
    let document = match policy::parse(document) {
        Ok(document) => document,
        Err(error) => {
            problems.add(&error.pointer, error.code, error.message);
            return None;
        }
    };
    let context = ValidationContext {
        user_writable_attributes: USER_WRITABLE_ATTRIBUTES.map(str::to_owned).into(),
        session_validity_s: settings.session_validity_min * 60,
        action_step_up: settings.action_step_up,
        // The template lets a forgotten password be reset by e-mail only.
        reset_by_mailbox_only: true,
        ..ValidationContext::unlearned()
    };
    let report = policy::validate(&document, &context);
    for finding in &report.errors {
        problems.add(&finding.pointer, &finding.code, finding.message.clone());
    }
    report.is_ok().then_some(document)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_rule_may_rest_on_what_the_user_can_write() {
        for attribute in USER_WRITABLE_ATTRIBUTES {
            let document = json!({
                "schema_version": 1,
                "rules": [{
                    "id": "self-declared",
                    "when": { "attribute": { "name": attribute, "equals": "vip" } },
                    "then": { "step_up": "not_required", "reason": "said so" },
                }],
                "default": PolicyDocument::initial().default,
            });
            let mut problems = Problems::default();
            let accepted = accept(&document, &AppSettings::default(), &mut problems);
            assert!(accepted.is_none(), "{attribute}");
            assert!(
                format!("{problems:?}").contains("attribute_user_writable"),
                "{problems:?}"
            );
        }
    }
}
