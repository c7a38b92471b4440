//! Policies of apps: the document is read and judged by the `step-up` crate, the same code the triggers run.

use super::{Request, audit, operations};
use crate::{
    Context, Error, Result,
    domain::{
        actor::PartnerScope,
        app::{App, AppSettings, user_writable_attributes},
        audit::{AuditAction, AuditEntry},
        blockid::BlockIdConnection,
        connection_check::ConnectionReport,
        method::TenantMethods,
        operation::OperationKind,
        policy::PolicyVersion,
        pool::PoolSettings,
        tenant::Tenant,
        validation::Problems,
    },
    error::{Code, FieldError},
    ids::{AppId, TenantId},
    storage,
};
use serde_json::{Value, json};
use step_up::policy::{self, Finding, PolicyDocument, ValidationContext};

/// The newest version of an app's policy.
#[tracing::instrument(target = "stepgate::trace", name = "policies.get", skip_all)]
pub async fn get(
    context: &Context,
    request: &Request,
    tenant_id: TenantId,
    app_id: AppId,
) -> Result<PolicyVersion> {
    let scope = request.actor.reader()?;
    storage::policies::current(&mut *context.db.begin(&scope).await?, &scope, tenant_id, app_id).await
}

/// Changed rules and fields that an audit entry lists.
const MAX_TOLD_CHANGES: usize = 50;

/// What a new version says.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    /// A document.
    Document(&'a Value),
    /// The document of an older version.
    Version(i64),
}

/// A version that was written.
#[derive(Debug)]
pub struct Written {
    /// The version.
    pub version: PolicyVersion,
    /// The work that brings it to the triggers.
    pub operation: operations::Watched,
    /// What its author should know.
    pub warnings: Vec<Finding>,
}

/// Puts a new version in the place of version `replaces`; the worker brings it to the triggers.
#[tracing::instrument(target = "stepgate::trace", name = "policies.put", skip_all)]
pub async fn put(
    context: &Context,
    request: &Request,
    (tenant_id, app_id): (TenantId, AppId),
    replaces: i64,
    says: Content<'_>,
) -> Result<Written> {
    let scope = request.actor.partner_admin()?;
    let mut tx = context.db.begin(&scope).await?;
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
    let accepted = match says {
        Content::Document(document) => {
            let mut problems = Problems::new();
            let accepted = accept(document, &app.settings, &(&tenant).into(), &mut problems);
            problems.finish()?;
            accepted
        }
        Content::Version(version) => Some(older(&mut tx, &scope, (&app, &tenant), version).await?),
    };
    let accepted =
        accepted.ok_or_else(|| Error::internal(anyhow::anyhow!("a refused document without a problem")))?;
    tenant.require_active()?;

    let now = context.clock.now();
    let (_, former) =
        storage::policies::version(&mut tx, &scope.into(), (tenant_id, app_id), replaces).await?;
    let entry = AuditEntry {
        tenant_id: Some(tenant_id),
        resource_id: app_id.to_string(),
        action: AuditAction::PolicyChanged,
        reason: String::new(),
        detail: told(&former, &accepted.document, replaces, says)?,
    };
    audit::record(&mut tx, context, request, &scope, &entry, now).await?;
    let target_generation = storage::tenants::bump_generation(&mut tx, &scope, tenant_id, now).await?;
    let author = request.actor.id();
    let version = PolicyVersion {
        app_id,
        version: replaces + 1,
        document: accepted.document,
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
    Ok(Written {
        version,
        operation,
        warnings: accepted.warnings,
    })
}

/// What the audit log says of a new version. The documents themselves stay where versions are kept.
fn told(before: &PolicyDocument, after: &PolicyDocument, replaces: i64, says: Content<'_>) -> Result<Value> {
    let written_again = match says {
        Content::Document(_) => None,
        Content::Version(version) => Some(version),
    };
    let changes = policy::diff(before, after);
    let more = changes.len().saturating_sub(MAX_TOLD_CHANGES);
    let told: Vec<_> = changes
        .iter()
        .take(MAX_TOLD_CHANGES)
        .map(|change| Ok(json!({"rule": change.rule, "field": change.field, "kind": serde_json::to_value(change.kind)?})))
        .collect::<Result<_>>()?;
    Ok(json!({
        "version": replaces + 1, "replaces": replaces, "written_again": written_again, "rules_changed": told,
        "more_changes": more,
    }))
}

/// The document of an older version, judged as if it were new: the app's settings may have changed since.
async fn older(
    tx: &mut sqlx::PgConnection,
    scope: &PartnerScope,
    (app, tenant): (&App, &Tenant),
    version: i64,
) -> Result<Accepted> {
    let refused = |code: &str, detail: &str| Error::invalid(vec![FieldError::new("/version", code, detail)]);
    if version >= app.policy_version {
        return Err(refused(
            "not_older",
            "must be older than the version in its place",
        ));
    }
    let ids = (app.tenant_id, app.id);
    let stored = storage::policies::version(tx, &(*scope).into(), ids, version).await;
    let (_, document) = stored.map_err(|error| match error.code() {
        Code::NotFound => refused("unknown", "is not a version of this policy"),
        _ => error,
    })?;
    let report = policy::validate(&document, &validation_context(&app.settings, &tenant.into()));
    let mut problems = Problems::new();
    for finding in &report.errors {
        let detail = format!("its document is no longer acceptable: {}", finding.message);
        problems.add("/version", &finding.code, detail);
    }
    problems.finish()?;
    Ok(Accepted {
        document,
        warnings: report.warnings,
    })
}

/// A document that may be stored.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) document: PolicyDocument,
    pub(super) warnings: Vec<Finding>,
}

/// Reads and judges a document for an app with these settings; `None` when there were problems.
pub(super) fn accept(
    document: &Value,
    settings: &AppSettings,
    tenant: &Surroundings<'_>,
    problems: &mut Problems,
) -> Option<Accepted> {
    let document = match policy::parse(document) {
        Ok(document) => document,
        Err(error) => {
            problems.add(&error.pointer, error.code, error.message);
            return None;
        }
    };
    let report = policy::validate(&document, &validation_context(settings, tenant));
    for finding in &report.errors {
        problems.add(&finding.pointer, &finding.code, finding.message.clone());
    }
    report.is_ok().then_some(Accepted {
        document,
        warnings: report.warnings,
    })
}

/// What of a tenant a policy is judged by.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pool: &'a PoolSettings,
    methods: &'a TenantMethods,
    connection: &'a BlockIdConnection,
    check: Option<&'a ConnectionReport>,
}

impl<'a> From<&'a Tenant> for Surroundings<'a> {
    fn from(tenant: &'a Tenant) -> Self {
        Self {
            pool: &tenant.pool,
            methods: &tenant.methods,
            connection: &tenant.blockid,
            check: tenant.check.as_ref(),
        }
    }
}

/// What is known of an app with these settings, in such a tenant, when its policy is judged.
pub(super) fn validation_context(settings: &AppSettings, tenant: &Surroundings<'_>) -> ValidationContext {
    let writable = user_writable_attributes(tenant.pool)
        .into_iter()
        .map(str::to_owned);
    ValidationContext {
        catalogue: tenant.methods.catalogue(),
        observed: tenant.methods.observed(tenant.connection),
        user_writable_attributes: writable.collect(),
        session_validity_s: settings.session_validity_min * 60,
        action_step_up: settings.action_step_up,
        // The template lets a forgotten password be reset by e-mail only.
        reset_by_mailbox_only: true,
        frame_ancestors_limited: tenant
            .check
            .is_some_and(|check| check.frames_limited_to(&settings.allowed_origins)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_rule_may_rest_on_what_the_user_can_write() {
        let open = PoolSettings {
            self_sign_up: true,
            ..PoolSettings::default()
        };
        let connection = BlockIdConnection {
            tenant_dns: "acme.1kosmos.net".into(),
            community: "default".into(),
            client_id: "portal".into(),
            extra_ca_pem: None,
        };
        for attribute in user_writable_attributes(&open) {
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
            let tenant = Surroundings {
                pool: &open,
                methods: &TenantMethods::default(),
                connection: &connection,
                check: None,
            };
            let accepted = accept(&document, &AppSettings::default(), &tenant, &mut problems);
            assert!(accepted.is_none(), "{attribute}");
            assert!(
                format!("{problems:?}").contains("attribute_user_writable"),
                "{problems:?}"
            );
        }
    }

    #[test]
    fn the_address_is_the_users_to_write_only_where_users_sign_themselves_up() {
        let closed = PoolSettings::default();
        assert!(!user_writable_attributes(&closed).contains(&"email"));
        let open = PoolSettings {
            self_sign_up: true,
            ..closed
        };
        assert!(user_writable_attributes(&open).contains(&"email"));
    }
}
