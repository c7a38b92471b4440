//! `/console/tenants/{tenant_id}/apps/{app_id}/policy/{version}`: an older policy, what it changed, and the way back to it.

use super::{app::document, audit::pretty};
use crate::{
    Context,
    api::{extract::PathIds, respond::Answer},
    console::{
        form::Posted,
        layout::{self, Section},
        session::{Visitor, redirect},
        words,
    },
    error::{Error, FieldError},
    ids::{AppId, TenantId},
    usecases::{
        apps,
        policies::{self, Content},
        policy_versions, tenants,
    },
};
use actix_web::{get, post, web::Data};
use maud::{Markup, html};
use serde_json::Value;
use step_up::policy::{Change, ChangeKind};

#[get("/tenants/{tenant_id}/apps/{app_id}/policy/{version}")]
pub(in crate::console) async fn show(
    visitor: Visitor,
    context: Data<Context>,
    ids: PathIds<(TenantId, AppId, i64)>,
) -> Answer {
    let (tenant_id, app_id, version) = ids.0;
    let (request, ids) = (&visitor.request, (tenant_id, app_id));
    let tenant = tenants::get(&context, request, tenant_id).await?;
    let app = apps::get(&context, request, tenant_id, app_id).await?;
    let (head, written) = policy_versions::get(&context, request, ids, version).await?;
    let changes = if version > 1 {
        Some(policy_versions::diff(&context, request, ids, (version - 1, version)).await?)
    } else {
        None
    };
    let path = format!("/console/tenants/{tenant_id}/apps/{app_id}");
    let title = format!("Policy, version {version}");
    let body = html! {
        (layout::trail(&[
            ("/console/tenants".to_owned(), "Tenants"),
            (format!("/console/tenants/{tenant_id}"), &tenant.name),
            (path.clone(), &app.name),
        ]))
        div class="head" { h1 { (title) } }
        p { "Written " (words::time(head.created_at)) " by " code { (head.author) } "." }
        div class="cards" {
            section class="card half" aria-labelledby="changes" {
                h2 id="changes" { "What it changed" }
                @match &changes {
                    None => { p { "It is the first version." } }
                    Some(changes) if changes.is_empty() => { p { "Nothing: it says what version " (version - 1) " said." } }
                    Some(changes) => { (change_table(changes)) }
                }
            }
            section class="card half" aria-labelledby="document" {
                h2 id="document" { "The document" }
                pre tabindex="0" { (document(&written)) }
            }
            @if visitor.writes_policies() && version < app.policy_version {
                section class="card" aria-labelledby="back" {
                    h2 id="back" { "Write it again" }
                    p { "Its document becomes version " (app.policy_version + 1) ", and is checked as a new one is." }
                    form method="post" action={ (path) "/policy/" (version) "/write-again" } {
                        (layout::token(&visitor))
                        input type="hidden" name="replaces" value=(app.policy_version);
                        button { "Put it in the place of version " (app.policy_version) }
                    }
                }
            }
        }
    };
    Ok(layout::answer(&visitor, &title, Section::Tenants, &body))
}

/// Puts an older document in force again, in the place of the version that the page showed.
#[post("/tenants/{tenant_id}/apps/{app_id}/policy/{version}/write-again")]
pub(in crate::console) async fn write_again(
    visitor: Visitor,
    form: Posted,
    context: Data<Context>,
    ids: PathIds<(TenantId, AppId, i64)>,
) -> Answer {
    let (tenant_id, app_id, version) = ids.0;
    let replaces = form.text("replaces").parse().map_err(|_| {
        Error::invalid(vec![FieldError::new(
            "replaces",
            "invalid",
            "must be the number of a version",
        )])
    })?;
    let ids = (tenant_id, app_id);
    let written = policies::put(
        &context,
        &visitor.request,
        ids,
        replaces,
        Content::Version(version),
    )
    .await?;
    Ok(redirect(&format!(
        "/console/operations/{}",
        written.operation.0.id
    )))
}

fn change_table(changes: &[Change]) -> Markup {
    let kind = |change: &Change| match change.kind {
        ChangeKind::Added => "added",
        ChangeKind::Removed => "removed",
        ChangeKind::Changed => "changed",
        ChangeKind::Moved => "moved",
    };
    let value = |value: &Option<Value>| html! { @if let Some(value) = value { code { (pretty(value)) } } @else { (words::NONE) } };
    let table = html! {
        table {
            thead { tr { th scope="col" { "Rule" } th scope="col" { "What" } th scope="col" { "Before" } th scope="col" { "After" } } }
            tbody {
                @for change in changes {
                    tr {
                        th scope="row" { (change.rule) }
                        td { (kind(change)) @if !change.field.is_empty() { " " code { (change.field) } } }
                        td class="break" { (value(&change.before)) }
                        td class="break" { (value(&change.after)) }
                    }
                }
            }
        }
    };
    layout::scroll("Changes", &table)
}
