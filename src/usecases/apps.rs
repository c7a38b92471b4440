//! Apps of a tenant.

use super::{Request, idempotency::Once, operations, policies};
use crate::{
    Context, Result,
    domain::{
        app::{self, App, AppSettings},
        operation::OperationKind,
        policy::PolicyVersion,
        validation::Problems,
    },
    ids::{AppId, TenantId},
    storage::{self, Page, PageRequest},
};
use serde_json::Value;
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
pub async fn create(
    context: &Context,
    request: &Request,
    tenant_id: TenantId,
    new: NewApp,
) -> Result<(App, operations::Watched)> {
    create_once(context, request, tenant_id, new, &Once::never()).await
}

/// The same, once for all repeats of the request.
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
            if let Some(accepted) = policies::accept(value, (&new.settings, &tenant.pool), problems) {
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
pub async fn get(context: &Context, request: &Request, tenant_id: TenantId, id: AppId) -> Result<App> {
    let scope = request.actor.reader()?;
    storage::apps::get(&mut *context.db.begin(&scope).await?, &scope, tenant_id, id).await
}

/// Apps of a tenant, oldest first.
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
