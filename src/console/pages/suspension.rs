//! Suspending and resuming a tenant; its page has the forms.

use crate::{
    Context,
    api::{extract::PathIds, respond::Answer},
    console::{
        form::Posted,
        session::{Visitor, redirect},
    },
    ids::TenantId,
    usecases::suspensions,
};
use actix_web::{post, web::Data};

#[post("/tenants/{tenant_id}/suspend")]
pub(in crate::console) async fn suspend(
    visitor: Visitor,
    form: Posted,
    context: Data<Context>,
    id: PathIds<TenantId>,
) -> Answer {
    let reason = form.text("reason").to_owned();
    let (_, (operation, _)) = suspensions::suspend(&context, &visitor.request, id.0, reason).await?;
    Ok(redirect(&format!("/console/operations/{}", operation.id)))
}

#[post("/tenants/{tenant_id}/resume")]
pub(in crate::console) async fn resume(
    visitor: Visitor,
    form: Posted,
    context: Data<Context>,
    id: PathIds<TenantId>,
) -> Answer {
    let reason = form.text("reason").to_owned();
    let (_, (operation, _)) = suspensions::resume(&context, &visitor.request, id.0, reason).await?;
    Ok(redirect(&format!("/console/operations/{}", operation.id)))
}
