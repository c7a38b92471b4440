//! `/console/tenants`: the tenants that the visitor may see.

use crate::{
    Context,
    api::respond::Answer,
    console::{
        layout::{self, Section},
        params::Params,
        session::Visitor,
        words,
    },
    domain::{condition::ConditionType, tenant::TenantFilter},
    usecases::tenants,
};
use actix_web::{get, web::Data};
use maud::html;

#[get("/tenants")]
pub(in crate::console) async fn list(visitor: Visitor, context: Data<Context>, params: Params) -> Answer {
    let filter = TenantFilter {
        name_prefix: params.text("name").map(str::to_owned),
        condition: params
            .read("condition")
            .map(|kind: ConditionType| kind.as_str().to_owned()),
        ..TenantFilter::default()
    };
    let page = tenants::list(&context, &visitor.request, &filter, &params.page()).await?;
    let table = html! {
        table {
            thead { tr { th scope="col" { "Name" } th scope="col" { "Condition" } th scope="col" { "Provider" } th scope="col" { "Region" } th scope="col" { "Made" } } }
            tbody {
                @for tenant in &page.items {
                    tr {
                        th scope="row" { a href={ "/console/tenants/" (tenant.id) } { (tenant.name) } @if tenant.sandbox { " " span class="badge" { "sandbox" } } }
                        td { (words::condition(tenant.condition())) }
                        td { (tenant.blockid.tenant_dns) }
                        td { (tenant.region) }
                        td { (words::time(tenant.created_at)) }
                    }
                }
            }
        }
    };
    let body = html! {
        div class="head" { h1 { "Tenants" } }
        section class="card" aria-label="Tenants" {
            form class="fields row" action="/console/tenants" role="search" {
                div { label for="name" { "Name begins with" } input id="name" name="name" value=(params.text("name").unwrap_or_default()) maxlength="100" autocomplete="off"; }
                div {
                    label for="condition" { "Condition" }
                    select id="condition" name="condition" {
                        option value="" { "any" }
                        @for kind in ConditionType::ALL { option value=(kind) selected[filter.condition.as_deref() == Some(kind.as_str())] { (kind) } }
                    }
                }
                div { button { "Search" } }
            }
            @if page.items.is_empty() && filter != TenantFilter::default() {
                p { "There is no such tenant. Capital letters of names count; " a href="/console/tenants" { "all tenants" } "." }
            } @else if page.items.is_empty() {
                p { "There are no tenants yet. A partner makes one with " code { "POST /v1/tenants" } "; " a href="/docs/" { "the API" } " says what it takes." }
            } @else {
                (layout::scroll("Tenants", &table))
            }
            (layout::next("/console/tenants", &params, page.next.as_ref()))
        }
    };
    Ok(layout::answer(&visitor, "Tenants", Section::Tenants, &body))
}
