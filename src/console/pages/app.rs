//! `/console/tenants/{tenant_id}/apps/{app_id}`: an app, its policy with what it was before, and what it would decide.

use super::audit::pretty;
use crate::{
    Context, Result,
    api::{extract::PathIds, respond::Answer},
    console::{
        form::Posted,
        layout::{self, Section},
        params::Params,
        session::Visitor,
        words,
    },
    domain::{app::App, policy::PolicyVersion},
    error::{Error, FieldError},
    ids::{AppId, TenantId},
    storage::PageRequest,
    usecases::{
        apps, policies,
        policy_checks::{self, Simulated, Simulation},
        policy_versions, tenants,
    },
};
use actix_web::{HttpResponse, get, post, web::Data};
use maud::{Markup, html};
use std::collections::BTreeMap;
use step_up::policy::{ConditionTrace, Outcome, PolicyDocument, RuleTrace};

/// What was asked to be simulated, as it was typed.
#[derive(Default)]
struct Typed {
    attributes: String,
    email_verified: String,
    action: String,
    document: String,
}

#[get("/tenants/{tenant_id}/apps/{app_id}")]
pub(in crate::console) async fn show(
    visitor: Visitor,
    context: Data<Context>,
    ids: PathIds<(TenantId, AppId)>,
    params: Params,
) -> Answer {
    Ok(page(&visitor, &context, ids.0, &params, &Typed::default(), None).await?)
}

/// What the policy, or a draft, would decide; nothing is stored.
#[post("/tenants/{tenant_id}/apps/{app_id}/simulate")]
pub(in crate::console) async fn simulate(
    visitor: Visitor,
    form: Posted,
    context: Data<Context>,
    ids: PathIds<(TenantId, AppId)>,
) -> Answer {
    let typed = Typed {
        attributes: form.text("attributes").to_owned(),
        email_verified: form.text("email_verified").to_owned(),
        action: form.text("action").to_owned(),
        document: form.text("document").to_owned(),
    };
    let simulation = policy_checks::simulate(&context, &visitor.request, ids.0, read(&typed)?).await?;
    let params = Params::default();
    Ok(page(&visitor, &context, ids.0, &params, &typed, Some(simulation)).await?)
}

/// Attributes are typed one a line, as `name=value`.
fn read(typed: &Typed) -> Result<Simulated> {
    let mut attributes = BTreeMap::new();
    for line in typed
        .attributes
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        let (name, value) = line.split_once('=').ok_or_else(|| {
            let field = FieldError::new("attributes", "invalid", "must be lines of the form `name=value`");
            Error::invalid(vec![field])
        })?;
        attributes.insert(name.trim().to_owned(), value.trim().to_owned());
    }
    let document = Some(&typed.document).filter(|text| !text.is_empty()).map(|text| {
        serde_json::from_str(text).map_err(|error| {
            Error::invalid(vec![FieldError::new(
                "document",
                "invalid",
                format!("is not JSON: {error}"),
            )])
        })
    });
    Ok(Simulated {
        attributes,
        email_verified: typed.email_verified.parse().ok(),
        action: Some(typed.action.clone()).filter(|action| !action.is_empty()),
        document: document.transpose()?,
    })
}

async fn page(
    visitor: &Visitor,
    context: &Context,
    ids: (TenantId, AppId),
    params: &Params,
    typed: &Typed,
    simulation: Option<Simulation>,
) -> Result<HttpResponse> {
    let (tenant_id, app_id) = ids;
    let request = &visitor.request;
    let tenant = tenants::get(context, request, tenant_id).await?;
    let app = apps::get(context, request, tenant_id, app_id).await?;
    let policy = policies::get(context, request, tenant_id, app_id).await?;
    let page = PageRequest {
        limit: 20,
        ..params.page()
    };
    let versions = policy_versions::list(context, request, ids, &page).await?;
    // Nobody in particular: only for what the conditions say.
    let explained = policy_checks::simulate(context, request, ids, Simulated::default()).await?;
    let path = format!("/console/tenants/{tenant_id}/apps/{app_id}");
    let body = html! {
        (layout::trail(&[
            ("/console/tenants".to_owned(), "Tenants"),
            (format!("/console/tenants/{tenant_id}"), &tenant.name),
        ]))
        div class="head" { h1 { (app.name) } }
        div class="cards" {
            @if let Some(simulation) = &simulation {
                section class="card" aria-labelledby="decision" { (decision(simulation)) }
            }
            section class="card two-thirds" aria-labelledby="policy" { (rules(&policy, &explained.explanation.rules)) }
            section class="card third" aria-labelledby="settings" { (settings(&app)) }
            section class="card half" aria-labelledby="simulate" { (simulate_form(visitor, &path, typed)) }
            section class="card half" aria-labelledby="history" {
                h2 id="history" { "History" }
                table {
                    thead { tr { th scope="col" { "Version" } th scope="col" { "Written" } th scope="col" { "By" } } }
                    tbody {
                        @for version in &versions.items {
                            tr {
                                th scope="row" { a href={ (path) "/policy/" (version.version) } { "Version " (version.version) } }
                                td { (words::time(version.created_at)) }
                                td class="break" { code { (version.author) } }
                            }
                        }
                    }
                }
                (layout::next(&path, params, versions.next.as_ref()))
            }
        }
    };
    Ok(layout::answer(visitor, &app.name, Section::Tenants, &body))
}

fn rules(policy: &PolicyVersion, traces: &[RuleTrace]) -> Markup {
    let says = |id: &str| {
        traces
            .iter()
            .find(|trace| trace.id == id)
            .map(|trace| &trace.condition)
    };
    let table = html! {
        table {
            thead { tr { th scope="col" { "Rule" } th scope="col" { "When" } th scope="col" { "Then" } } }
            tbody {
                @for rule in &policy.document.rules {
                    tr {
                        th scope="row" { (rule.id) @if let Some(description) = &rule.description { br; span class="quiet" { (description) } } }
                        td { @if let Some(condition) = says(&rule.id) { (condition_text(condition, false)) } }
                        td { (outcome(&rule.then)) }
                    }
                }
                tr { th scope="row" { "default" } td { "nothing before holds" } td { (outcome(&policy.document.default)) } }
            }
        }
    };
    html! {
        h2 id="policy" { "Policy, version " (policy.version) " " @if policy.in_force { span class="badge good" { "in force" } } @else { span class="badge calm" { "on its way to the triggers" } } }
        (layout::scroll("Rules", &table))
        details { summary { "The document" } pre tabindex="0" { (document(&policy.document)) } }
    }
}

/// A policy document for people.
pub(super) fn document(document: &PolicyDocument) -> String {
    serde_json::to_value(document)
        .map(|value| pretty(&value))
        .unwrap_or_default()
}

fn condition_text(condition: &ConditionTrace, judged: bool) -> Markup {
    html! {
        (condition.text)
        @if judged { " " @if condition.holds { span class="badge good" { "holds" } } @else { span class="badge" { "does not hold" } } }
        @if !condition.parts.is_empty() { ul { @for part in &condition.parts { li { (condition_text(part, judged)) } } } }
    }
}

fn outcome(outcome: &Outcome) -> Markup {
    match outcome {
        Outcome::NotRequired(not) => html! { "no step-up: " (not.reason) },
        Outcome::Required(asked) => html! {
            "step-up by " (asked.methods.join(", "))
            @if let Some(aal) = asked.min_aal { ", at least AAL" (aal) }
            @if let Some(ial) = asked.min_ial { ", at least IAL" (ial) }
            @if asked.phishing_resistant { ", phishing-resistant" }
            ", " (asked.attempts) " wrong answers"
            @if let Some(age) = asked.max_age_min { ", again after " (age) " min" }
        },
    }
}

fn settings(app: &App) -> Markup {
    let settings = &app.settings;
    html! {
        h2 id="settings" { "Settings" }
        dl class="facts" {
            dt { "Client" } dd { @if let Some(client) = &app.client_id { code { (client) } } @else { "being made" } }
            dt { "Access and id tokens" } dd { (settings.access_token_validity_min) " and " (settings.id_token_validity_min) " min" }
            dt { "Refresh token" } dd { (settings.refresh_token_validity_min) " min" }
            dt { "Challenge open" } dd { (settings.session_validity_min) " min" }
            dt { "Step-up for actions" } dd { @if settings.action_step_up { "yes" } @else { "no" } }
            dt { "Origins" } dd { @if settings.allowed_origins.is_empty() { (words::NONE) } @for origin in &settings.allowed_origins { code { (origin) } " " } }
            dt { "Id" } dd { code { (app.id) } }
        }
    }
}

fn simulate_form(visitor: &Visitor, path: &str, typed: &Typed) -> Markup {
    html! {
        h2 id="simulate" { "Simulate" }
        p class="quiet" { "Decides as the triggers would, by their code. Nothing is stored; exemptions are not looked at." }
        form class="fields" method="post" action={ (path) "/simulate" } {
            (layout::token(visitor))
            div {
                label for="attributes" { "Attributes of the user, one a line" }
                textarea id="attributes" name="attributes" spellcheck="false" aria-describedby="attributes-hint" { (typed.attributes) }
                p class="hint" id="attributes-hint" { "For example " code { "email=ada@acme.example" } }
            }
            div {
                label for="email_verified" { "E-mail address verified" }
                select id="email_verified" name="email_verified" {
                    @for (value, label) in [("", "as the attribute says"), ("true", "yes"), ("false", "no")] {
                        option value=(value) selected[typed.email_verified == value] { (label) }
                    }
                }
            }
            div { label for="action" { "Action, empty for a sign-in" } input id="action" name="action" value=(typed.action) maxlength="64" autocomplete="off"; }
            div {
                label for="document" { "Draft of a policy, empty for the newest version" }
                textarea id="document" name="document" spellcheck="false" { (typed.document) }
            }
            div { button { "Simulate" } }
        }
    }
}

fn decision(simulation: &Simulation) -> Markup {
    let explanation = &simulation.explanation;
    html! {
        h2 id="decision" { "The decision" }
        p role="status" data-rule=(explanation.rule) {
            "Rule " strong { (explanation.rule) } " of " @if let Some(version) = simulation.version { "version " (version) } @else { "the draft" }
            " decides: " (outcome(&explanation.decision)) "."
        }
        @if !simulation.can_be_named { p class="note bad" { "The user lacks the attribute by which BlockID is asked for them: the sign-in would be refused." } }
        @if !explanation.rules.is_empty() {
            h3 { "Every rule in order" }
            ul { @for rule in &explanation.rules { li { strong { (rule.id) } @if !rule.reached { " (not looked at: one before it held)" } ": " (condition_text(&rule.condition, true)) } } }
        }
    }
}
