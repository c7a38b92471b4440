//! `DELETE /v1/tenants/{tenant_id}/apps/{app_id}`

use super::{App, create::AcceptedApp};
use crate::{
    Context,
    api::{
        extract::{AsPartnerAdmin, Caller, PathIds},
        operations::Operation,
        respond::{Answer, accepted},
    },
    ids::{AppId, TenantId},
    usecases::apps,
};
use actix_web::{delete, web::Data};

/// Delete an app.
///
/// For partner administrators. The operation removes its app client, so that nobody signs in or refreshes through it,
/// and what the triggers know of it. Tokens that were issued work until they end; the tenant's users stay. The name is
/// free at once; the app client id is gone for good.
#[utoipa::path(
    operation_id = "deleteApp", tag = "apps",
    params(("tenant_id" = TenantId, Path, description = "The tenant"), ("app_id" = AppId, Path, description = "The app")),
    responses((status = 202, description = "The app as it was, and the operation that removes it", body = AcceptedApp,
               headers(("Location" = String, description = "Path of the operation")))),
    extensions(("x-problems" = json!(["tenant_state"])))
)]
#[delete("/v1/tenants/{tenant_id}/apps/{app_id}")]
pub(crate) async fn delete_app(
    caller: Caller<AsPartnerAdmin>,
    context: Data<Context>,
    ids: PathIds<(TenantId, AppId)>,
) -> Answer {
    let (app, (operation, steps)) = apps::delete(&context, &caller.request, ids.0).await?;
    let id = operation.id;
    Ok(accepted(
        &id,
        &AcceptedApp {
            app: App::from(app),
            operation: Operation::new(operation, steps),
        },
    ))
}
