//! Apps of a tenant.

use super::{Request, audit, idempotency::Once, operations, policies};
use crate::{
    Context, Error, Result,
    domain::{
        actor::PartnerScope,
        app::{self, App, AppChange, AppSettings},
        audit::{AuditAction, AuditEntry},
        operation::OperationKind,
        policy::PolicyVersion,
        validation::Problems,
    },
    error::Code,
    ids::{AppId, TenantId},
    storage::{self, Page, PageRequest},
};
use serde_json::{Value, json};
use step_up::policy::PolicyDocument;

/// What a caller gives.
#[derive(Debug)]
pub struct NewApp {
    /// Name, unique in the tenant.
    pub name: String,
    /// Settings.
    pub settings: AppSettings,
    /// First policy; without one everybody steps up with any shipped method.
    pub policy: Option<Value>,
}

/// Adds an app to a tenant, with the first version of its policy.
#[tracing::instrument(target = "stepgate::trace", name = "apps.create", skip_all)]
pub async fn create(
    context: &Context,
    request: &Request,
    tenant_id: TenantId,
    new: NewApp,
) -> Result<(App, operations::Watched)> {
    create_once(context, request, tenant_id, new, &Once::never()).await
}

/// The same, once for all repeats of the request.
#[tracing::instrument(target = "stepgate::trace", name = "apps.create_once", skip_all)]
pub async fn create_once(
    context: &Context,
    request: &Request,
    tenant_id: TenantId,
    new: NewApp,
    once: &Once<'_, (App, operations::Watched)>,
) -> Result<(App, operations::Watched)> {
    let scope = request.actor.partner_admin()?;
    let mut tx = context.db.begin(&scope).await?;
    let tenant = storage::tenants::lock(&mut tx, &scope, tenant_id).await?;
    let mut problems = Problems::new();
    app::validate(&new.name, &new.settings, &mut problems);
    let mut document = PolicyDocument::initial();
    if let Some(value) = &new.policy {
        problems.within("/policy", |problems| {
            if let Some(accepted) = policies::accept(value, &new.settings, &(&tenant).into(), problems) {
                document = accepted.document;
            }
        });
    }
    problems.finish()?;
    tenant.require_active()?;

    let now = context.clock.now();
    let target_generation = storage::tenants::bump_generation(&mut tx, &scope, tenant_id, now).await?;
    let app = App {
        id: AppId::generate(&context.ids, now),
        tenant_id,
        partner_id: scope.partner_id(),
        name: new.name,
        settings: new.settings,
        client_id: None,
        policy_version: 1,
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    storage::apps::insert(&mut tx, &scope, &app).await?;
    let author = request.actor.id();
    let version = PolicyVersion {
        app_id: app.id,
        version: 1,
        document,
        author,
        created_at: now,
        in_force: false,
    };
    storage::policies::insert(&mut tx, &scope, &version).await?;
    let entry = AuditEntry {
        tenant_id: Some(tenant_id),
        resource_id: app.id.to_string(),
        action: AuditAction::AppCreated,
        reason: String::new(),
        detail: json!({"name": app.name, "settings": app.settings, "policy_version": 1}),
    };
    audit::record(&mut tx, context, request, &scope, &entry, now).await?;
    let subject = operations::Subject {
        kind: OperationKind::CreateApp,
        tenant_id,
        resource_id: app.id.to_string(),
        target_generation,
        now,
    };
    let operation = operations::open(&mut tx, context, request, &scope, subject).await?;
    let created = (app, operation);
    once.record(&mut tx, &created).await?;
    tx.commit().await?;
    Ok(created)
}

/// One app.
#[tracing::instrument(target = "stepgate::trace", name = "apps.get", skip_all)]
pub async fn get(context: &Context, request: &Request, tenant_id: TenantId, id: AppId) -> Result<App> {
    let scope = request.actor.reader()?;
    storage::apps::get(&mut *context.db.begin(&scope).await?, &scope, tenant_id, id).await
}

/// Apps of a tenant, oldest first.
#[tracing::instrument(target = "stepgate::trace", name = "apps.list", skip_all)]
pub async fn list(
    context: &Context,
    request: &Request,
    tenant_id: TenantId,
    page: &PageRequest,
) -> Result<Page<App>> {
    let scope = request.actor.reader()?;
    let mut db = context.db.begin(&scope).await?;
    // A foreign tenant is not an empty one: it is not there.
    storage::tenants::get(&mut db, &scope, tenant_id).await?;
    storage::apps::list(&mut db, &scope, tenant_id, page).await
}

/// Changes an app in the place of revision `replaces`; the worker brings its client and the triggers to it.
#[tracing::instrument(target = "stepgate::trace", name = "apps.update", skip_all)]
pub async fn update(
    context: &Context,
    request: &Request,
    (tenant_id, id): (TenantId, AppId),
    replaces: i64,
    change: AppChange,
) -> Result<(App, operations::Watched)> {
    let scope = request.actor.partner_admin()?;
    let mut tx = context.db.begin(&scope).await?;
    let tenant = storage::tenants::lock(&mut tx, &scope, tenant_id).await?;
    let mut app = storage::apps::get(&mut tx, &scope.into(), tenant_id, id).await?;
    if app.revision != replaces {
        return Err(Error::new(
            Code::PreconditionFailed,
            format!(
                "The app is at revision {}, not {replaces}: read it again.",
                app.revision
            ),
        ));
    }
    let changed = app.change(change);
    let mut problems = Problems::new();
    app::validate(&app.name, &app.settings, &mut problems);
    let policy = storage::policies::current(&mut tx, &scope.into(), tenant_id, id).await?;
    bear_with(
        &policy.document,
        (&app.settings, &(&tenant).into()),
        &changed,
        &mut problems,
    );
    problems.finish()?;
    tenant.require_active()?;
    let now = context.clock.now();
    app.revision = storage::apps::update(&mut tx, &scope, &app, now).await?;
    app.updated_at = now;
    let asked = Asked {
        kind: OperationKind::UpdateApp,
        action: AuditAction::AppChanged,
        detail: json!({ "changed": changed, "revision": app.revision }),
    };
    let operation = ask(&mut tx, (context, request, &scope), &app, asked).await?;
    tx.commit().await?;
    Ok((app, operation))
}

/// Has the app's client and policy item removed. Nobody signs in or refreshes through it from then on; tokens that
/// were issued work until they end.
#[tracing::instrument(target = "stepgate::trace", name = "apps.delete", skip_all)]
pub async fn delete(
    context: &Context,
    request: &Request,
    (tenant_id, id): (TenantId, AppId),
) -> Result<(App, operations::Watched)> {
    let scope = request.actor.partner_admin()?;
    let mut tx = context.db.begin(&scope).await?;
    let tenant = storage::tenants::lock(&mut tx, &scope, tenant_id).await?;
    let mut app = storage::apps::get(&mut tx, &scope.into(), tenant_id, id).await?;
    tenant.require_active()?;
    let now = context.clock.now();
    storage::apps::delete(&mut tx, &scope, id, now).await?;
    app.updated_at = now;
    let asked = Asked {
        kind: OperationKind::DeleteApp,
        action: AuditAction::AppDeleted,
        detail: json!({ "name": app.name }),
    };
    let operation = ask(&mut tx, (context, request, &scope), &app, asked).await?;
    tx.commit().await?;
    Ok((app, operation))
}

/// The policy in force must be acceptable under the new settings as well: a new session validity or the end of
/// action step-up may contradict it.
fn bear_with(
    document: &PolicyDocument,
    (settings, tenant): (&AppSettings, &policies::Surroundings<'_>),
    changed: &[&'static str],
    problems: &mut Problems,
) {
    let Some(field) = changed
        .iter()
        .find(|field| matches!(**field, "action_step_up" | "session_validity_min"))
    else {
        return;
    };
    let report = step_up::policy::validate(document, &policies::validation_context(settings, tenant));
    for finding in &report.errors {
        let detail = format!("the policy in force does not bear with it: {}", finding.message);
        problems.add(&format!("/{field}"), &finding.code, detail);
    }
}

/// What is asked for, and how it is written down.
struct Asked {
    kind: OperationKind,
    action: AuditAction,
    detail: Value,
}

/// Makes the worker act on an app that was just written, and writes down who asked for it.
async fn ask(
    tx: &mut sqlx::PgConnection,
    (context, request, scope): (&Context, &Request, &PartnerScope),
    app: &App,
    asked: Asked,
) -> Result<operations::Watched> {
    let now = app.updated_at;
    let target_generation = storage::tenants::bump_generation(tx, scope, app.tenant_id, now).await?;
    let entry = AuditEntry {
        tenant_id: Some(app.tenant_id),
        resource_id: app.id.to_string(),
        action: asked.action,
        reason: String::new(),
        detail: asked.detail,
    };
    audit::record(tx, context, request, scope, &entry, now).await?;
    let subject = operations::Subject {
        kind: asked.kind,
        tenant_id: app.tenant_id,
        resource_id: app.id.to_string(),
        target_generation,
        now,
    };
    operations::open(tx, context, request, scope, subject).await
}
