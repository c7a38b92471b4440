//! `/console/tenants/{tenant_id}/users`: help for one user. What is typed goes in a form's body, not into addresses.

use crate::{
    Context,
    api::{extract::PathIds, respond::Answer},
    console::{
        form::Posted,
        layout::{self, Section},
        session::{Visitor, redirect},
        words,
    },
    domain::{
        tenant::Tenant,
        user::{User, UserSub, Wanted},
        validation::Problems,
    },
    error::{Error, FieldError},
    ids::TenantId,
    usecases::{
        tenants,
        users::{self, UserDetails},
    },
};
use actix_web::{get, post, web::Data};
use maud::{Markup, html};

/// Finds users exactly.
#[post("/tenants/{tenant_id}/users")]
pub(in crate::console) async fn find(
    visitor: Visitor,
    form: Posted,
    context: Data<Context>,
    id: PathIds<TenantId>,
) -> Answer {
    let PathIds(id) = id;
    let tenant = tenants::get(&context, &visitor.request, id).await?;
    let wanted = wanted(form.text("by"), form.text("wanted"))?;
    let found = users::find(&context, &visitor.request, id, &wanted).await?;
    let table = html! {
        table {
            thead { tr { th scope="col" { "User name" } th scope="col" { "E-mail" } th scope="col" { "Status" } } }
            tbody {
                @for user in &found {
                    tr {
                        th scope="row" { a href={ "/console/tenants/" (id) "/users/" (user.sub) } { (user.username) } }
                        td { (user.email.as_deref().unwrap_or(words::NONE)) }
                        td { (status(user)) }
                    }
                }
            }
        }
    };
    let body = html! {
        (above(&tenant))
        div class="head" { h1 { "Users" } }
        section class="card" aria-label="Found users" {
            @if found.is_empty() { p { "There is no such user. The whole name or address is compared, and capital letters may count." } }
            @else {
                (layout::scroll("Found users", &table))
            }
        }
    };
    Ok(layout::answer(&visitor, "Users", Section::Tenants, &body))
}

fn wanted(by: &str, text: &str) -> Result<Wanted, Error> {
    let some = |name| (by == name).then(|| text.to_owned());
    let Ok(sub) = some("sub").map(|text| text.parse()).transpose() else {
        let field = FieldError::new("wanted", "invalid", "is not a sub: a UUID in lower case");
        return Err(Error::invalid(vec![field]));
    };
    let mut problems = Problems::new();
    let wanted = Wanted::one_of(sub, some("username"), some("email"), &mut problems);
    problems.finish()?;
    wanted.ok_or_else(|| Error::not_found("user"))
}

/// One user.
#[get("/tenants/{tenant_id}/users/{user_sub}")]
pub(in crate::console) async fn show(
    visitor: Visitor,
    context: Data<Context>,
    ids: PathIds<(TenantId, UserSub)>,
) -> Answer {
    let PathIds((id, sub)) = ids;
    let tenant = tenants::get(&context, &visitor.request, id).await?;
    let details = users::get(&context, &visitor.request, id, &sub).await?;
    let body = html! {
        (above(&tenant))
        div class="head" { h1 { (details.user.username) } }
        div class="cards" {
            section class="card half" aria-labelledby="account" { (account(&details)) }
            section class="card half" aria-labelledby="links" { (links(&details)) }
            section class="card" aria-labelledby="journeys" { (journeys(&tenant, &details)) }
            @if visitor.administers() {
                section class="card" aria-labelledby="out" {
                    h2 id="out" { "Sign out everywhere" }
                    p { "Sessions end, and no step-up that was made opens anything any more. Access tokens work until they end." }
                    form class="fields" method="post" action={ "/console/tenants/" (id) "/users/" (sub) "/sign-out" } {
                        (layout::token(&visitor))
                        (layout::reason("reason"))
                        div { button class="danger" { "Sign out" } }
                    }
                }
            }
        }
    };
    Ok(layout::answer(&visitor, "User", Section::Tenants, &body))
}

/// Signs a user out everywhere.
#[post("/tenants/{tenant_id}/users/{user_sub}/sign-out")]
pub(in crate::console) async fn sign_out(
    visitor: Visitor,
    form: Posted,
    context: Data<Context>,
    ids: PathIds<(TenantId, UserSub)>,
) -> Answer {
    let PathIds((id, sub)) = ids;
    let reason = form.text("reason").to_owned();
    users::sign_out(&context, &visitor.request, id, &sub, reason).await?;
    Ok(redirect(&format!("/console/tenants/{id}/users/{sub}")))
}

fn above(tenant: &Tenant) -> Markup {
    layout::trail(&[
        ("/console/tenants".to_owned(), "Tenants"),
        (format!("/console/tenants/{}", tenant.id), &tenant.name),
    ])
}

fn status(user: &User) -> String {
    let enabled = if user.enabled { "" } else { ", disabled" };
    format!("{}{enabled}", words::plain(&user.status.to_lowercase()))
}

fn account(details: &UserDetails) -> Markup {
    let user = &details.user;
    html! {
        h2 id="account" { "Account" }
        dl class="facts" {
            dt { "E-mail" } dd { (user.email.as_deref().unwrap_or(words::NONE)) @if user.email.is_some() { @if user.email_verified { ", verified" } @else { ", not verified" } } }
            dt { "Status" } dd { (status(user)) }
            dt { "Cognito's own second factors" } dd { @if user.native_mfa.is_empty() { "none, as it should be" } @else { (user.native_mfa.join(", ")) } }
            dt { "Made" } dd { (words::time_or_none(user.created_at)) }
            dt { "sub" } dd { code { (user.sub) } }
            dt { "In events" } dd { code { (details.user_hash.as_deref().unwrap_or(words::NONE)) } }
        }
    }
}

fn links(details: &UserDetails) -> Markup {
    html! {
        h2 id="links" { "Links and exemptions" }
        @if details.links.is_empty() { p { "Not linked to a BlockID subject yet: the first step-up does it, or an administrator." } }
        @for link in &details.links {
            dl class="facts" {
                dt { "Subject" } dd { code { (link.subject) } }
                dt { "Issuer" } dd { (link.issuer) ", community " (link.community) }
                dt { "Made by" } dd { (words::plain(&link.made_by)) @if let Some(actor) = &link.actor { " " code { (actor) } } }
            }
        }
        h3 { "Exemptions in force" }
        @if details.exemptions.is_empty() { p { "None." } }
        @else {
            ul { @for exemption in &details.exemptions {
                li { code { (exemption.id) } ": " (exemption.reason) @if let Some(approval) = exemption.state.approval() { ", until " (words::time(approval.expires_at)) } }
            } }
        }
    }
}

fn journeys(tenant: &Tenant, details: &UserDetails) -> Markup {
    let table = html! {
        table {
            thead { tr { th scope="col" { "Began" } th scope="col" { "Outcome" } th scope="col" { "Method" } th scope="col" { "Reason" } th scope="col" { "For" } } }
            tbody {
                @for journey in &details.journeys {
                    tr {
                        th scope="row" { a href={ "/console/tenants/" (tenant.id) "/journeys/" (journey.id) } { (words::time(journey.began_at)) } }
                        td { (words::outcome(journey.outcome.as_str())) }
                        td { (journey.method.as_deref().unwrap_or(words::NONE)) }
                        td { @if let Some(reason) = &journey.reason { (words::reason(reason)) } @else { (words::NONE) } }
                        td { (journey.action.as_deref().unwrap_or("sign-in")) }
                    }
                }
            }
        }
    };
    html! {
        h2 id="journeys" { "Last journeys" }
        @if details.journeys.is_empty() { p { "No sign-in of this user is known. Events are kept for some time only." } }
        @else { (layout::scroll("Last journeys", &table)) }
    }
}
