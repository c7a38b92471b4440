//! `/console/tenants/{tenant_id}`: one tenant, from how its users fare to what was done to it.

use crate::{
    Context,
    api::{extract::PathIds, respond::Answer},
    console::{
        charts,
        layout::{self, Section},
        pages::{alarms, conditions, drift, operations},
        params::{Params, Range},
        session::Visitor,
        words,
    },
    domain::{
        app::App,
        tenant::{Tenant, TenantState},
    },
    ids::TenantId,
    reporting::{question::GroupBy, report::GroupFigures},
    storage::{PageRequest, operations::OperationFilter},
    usecases::{
        apps,
        connections::{self, Connection},
        drift as drift_reports, operations as work,
        step_up_reports::{self, Answered},
        tenants,
    },
};
use actix_web::{get, web::Data};
use maud::{Markup, html};
use std::cmp::Reverse;

/// Operations that are shown.
const OPERATIONS: u16 = 8;
/// Reasons that are shown.
const REASONS: usize = 8;

#[get("/tenants/{tenant_id}")]
pub(in crate::console) async fn show(
    visitor: Visitor,
    context: Data<Context>,
    id: PathIds<TenantId>,
    params: Params,
) -> Answer {
    let PathIds(id) = id;
    let request = &visitor.request;
    let range = params.range(context.clock.now());
    let tenant = tenants::get(&context, request, id).await?;
    let report = step_up_reports::of_tenant(&context, request, id, range.question(None)).await?;
    let split = |by| step_up_reports::of_tenant(&context, request, id, range.question(Some(by)));
    let reasons = split(GroupBy::Reason).await?.groups;
    let by_app = split(GroupBy::App).await?.groups;
    let apps = apps::list(&context, request, id, &PageRequest::default())
        .await?
        .items;
    let connection = connections::get(&context, request, id).await?;
    let watch = alarms::of_tenant(&context, &visitor, id).await?;
    let drift = drift_reports::get(&context, request, id).await?;
    let filter = OperationFilter {
        tenant_id: Some(id),
        ..OperationFilter::default()
    };
    let page = PageRequest {
        limit: OPERATIONS,
        after: None,
    };
    let operations = work::list(&context, request, &filter, &page).await?.items;
    let path = format!("/console/tenants/{id}");
    let body = html! {
        (layout::trail(&[("/console/tenants".to_owned(), "Tenants")]))
        div class="head" {
            h1 { (tenant.name) " " (words::condition(tenant.condition())) }
            (layout::ranges(&path, &params, range))
        }
        (notes(&tenant))
        (conditions::deletion(&tenant))
        div class="cards" {
            section class="card half" aria-labelledby="funnel" { (funnel(&report)) }
            section class="card half" aria-labelledby="times" { (times(&report)) }
            section class="card" aria-labelledby="over-time" {
                h2 id="over-time" { "Outcomes over time" }
                (charts::outcomes(range, &report.rows))
            }
            section class="card half" aria-labelledby="methods" { (methods(&report)) }
            section class="card half" aria-labelledby="reasons" { (top_reasons(reasons)) }
            section class="card half" aria-labelledby="conditions" { (conditions::card(&tenant)) }
            section class="card half" aria-labelledby="alarms" { (alarms::card(id, &watch)) }
            section class="card" aria-labelledby="apps" { (app_table(&tenant, &apps, &by_app, range)) }
            section class="card half" aria-labelledby="connection" { (facts(&tenant, &connection)) }
            section class="card half" aria-labelledby="users" { (find_user(&visitor, id)) }
            section class="card" aria-labelledby="drift" { (drift::card(&visitor, &tenant, &drift)) }
            section class="card" aria-labelledby="operations" {
                h2 id="operations" { "Operations" }
                @if operations.is_empty() { p { "Nothing was asked for yet." } }
                @else { (operations::table(&operations)) }
                p { a href={ "/console/operations?tenant_id=" (id) } { "All operations of this tenant" } }
            }
            @if visitor.administers() && matches!(tenant.state, TenantState::Active { .. }) { section class="card" aria-labelledby="suspension" { (suspension(&visitor, &tenant)) } }
        }
    };
    Ok(layout::answer(&visitor, &tenant.name, Section::Tenants, &body))
}

fn notes(tenant: &Tenant) -> Markup {
    html! {
        @if let Some(suspension) = &tenant.suspension {
            div class="note warn" { p { strong { "Suspended" } " since " (words::time(suspension.since)) ": " (suspension.reason) } }
        }
        @if let Some(failure) = &tenant.last_error {
            div class="note bad" {
                p { strong { "AWS could not be brought to what is asked" } " (" (words::time(failure.at)) "): " (failure.message) " " code { (failure.code) } }
                @if let Some(hint) = &failure.hint { p { (hint) } }
            }
        }
    }
}

/// From the password to the success, each part of what began.
fn funnel(report: &Answered) -> Markup {
    let total = &report.total;
    let (started, offered) = (
        total.started.unwrap_or_default(),
        total.offered.unwrap_or_default(),
    );
    let steps = [
        ("Started", "started", started, "accent"),
        ("Offered", "offered", offered, "accent"),
        ("Succeeded", "succeeded", total.succeeded, "succeeded"),
    ];
    // A second round is offered again: there may be more offers than journeys.
    let widest = started.max(offered);
    html! {
        h2 id="funnel" { "From the password to the tokens" }
        @if started == 0 && total.skipped == 0 {
            p { "No sign-in in this time. Choose a longer one above; events come within seconds of a sign-in." }
        } @else {
            table {
                thead { tr { th scope="col" { "Step" } th scope="col" class="number" { "Journeys" } } }
                tbody {
                    @for (label, figure, count, class) in steps {
                        tr { th scope="row" { (label) (charts::bar(charts::share(count, widest), class)) } td class="number" data-figure=(figure) { (words::count(count)) } }
                    }
                }
            }
        }
        dl class="figures" {
            div { dt { "Success rate" } dd data-figure="success-rate" { (words::percent(total.success_rate)) } }
            div { dt { "Refused answers" } dd data-figure="failed" { (words::count_or_none(total.failed)) } }
            div { dt { "Abandoned" } dd data-figure="abandoned" { (words::count_or_none(total.abandoned)) } }
            div { dt { "No step-up asked" } dd data-figure="skipped" { (words::count(total.skipped)) } }
            div { dt { "Exempted" } dd data-figure="exempted" { (words::count(total.exempted)) } }
            div { dt { "Tokens refused" } dd data-figure="refused-tokens" { (words::count(total.refused_tokens)) } }
        }
    }
}

fn times(report: &Answered) -> Markup {
    let total = &report.total;
    html! {
        h2 id="times" { "Time to complete" }
        p class="quiet" { "From the password to the accepted step-up, of those that succeeded." }
        dl class="figures" {
            div { dt { "Half below" } dd data-figure="p50" { (words::duration(total.time_to_complete_p50_ms)) } }
            div { dt { "95 % below" } dd data-figure="p95" { (words::duration(total.time_to_complete_p95_ms)) } }
            div { dt { "99 % below" } dd data-figure="p99" { (words::duration(total.time_to_complete_p99_ms)) } }
            div { dt { "By another method than the first" } dd data-figure="fallback-rate" { (words::percent(total.fallback_rate)) } }
            div { dt { "Cold starts" } dd data-figure="cold-starts" { (words::count(total.cold_starts)) } }
        }
    }
}

fn methods(report: &Answered) -> Markup {
    html! {
        h2 id="methods" { "Methods" }
        @if report.methods.is_empty() { p { "No step-up succeeded in this time." } }
        @else {
            table {
                thead { tr { th scope="col" { "Method" } th scope="col" class="number" { "Succeeded" } th scope="col" class="number" { "Share" } } }
                tbody {
                    @for method in &report.methods {
                        tr data-method=(method.method) {
                            th scope="row" {
                                @if method.method.is_empty() { "not told" } @else { (method.method) }
                                (charts::bar(method.share, "succeeded"))
                            }
                            td class="number" { (words::count(method.succeeded)) }
                            td class="number" { (words::percent(Some(method.share))) }
                        }
                    }
                }
            }
        }
    }
}

fn top_reasons(mut reasons: Vec<GroupFigures>) -> Markup {
    let refusals =
        |group: &GroupFigures| group.figures.failed.unwrap_or_default() + group.figures.refused_tokens;
    reasons.retain(|group| !group.group.is_empty() && refusals(group) > 0);
    reasons.sort_by_key(|group| Reverse(refusals(group)));
    let most = reasons.first().map(refusals).unwrap_or_default();
    html! {
        h2 id="reasons" { "Why sign-ins were refused" }
        @if reasons.is_empty() { p { "Nothing was refused in this time." } }
        @else {
            table {
                thead { tr { th scope="col" { "Reason" } th scope="col" class="number" { "Times" } } }
                tbody {
                    @for group in reasons.iter().take(REASONS) {
                        tr data-reason=(group.group) {
                            th scope="row" { (words::reason(&group.group)) (charts::bar(charts::share(refusals(group), most), "failed")) }
                            td class="number" { (words::count(refusals(group))) }
                        }
                    }
                }
            }
        }
    }
}

fn app_table(tenant: &Tenant, apps: &[App], figures: &[GroupFigures], range: Range) -> Markup {
    let of = |app: &App| {
        let id = app.id.to_string();
        figures
            .iter()
            .find(|group| group.group == id)
            .map(|group| &group.figures)
    };
    let table = html! {
        table {
            thead { tr {
                th scope="col" { "App" } th scope="col" { "Client" } th scope="col" class="number" { "Policy" } th scope="col" class="number" { "Started" }
                th scope="col" class="number" { "Success" } th scope="col" class="number" { "95 % below" }
            } }
            tbody {
                @for app in apps {
                    @let figures = of(app);
                    tr {
                        th scope="row" { a href={ "/console/tenants/" (tenant.id) "/apps/" (app.id) } { (app.name) } }
                        td { @if let Some(client) = &app.client_id { code { (client) } } @else { "being made" } }
                        td class="number" { "version " (app.policy_version) }
                        td class="number" { (words::count(figures.and_then(|figures| figures.started).unwrap_or_default())) }
                        td class="number" { (words::percent(figures.and_then(|figures| figures.success_rate))) }
                        td class="number" { (words::duration(figures.and_then(|figures| figures.time_to_complete_p95_ms))) }
                    }
                }
            }
        }
    };
    html! {
        h2 id="apps" { "Apps" }
        p class="quiet" { "Figures: " (range.known.label.to_lowercase()) "." }
        @if apps.is_empty() {
            p { "There are no apps yet, so nobody can sign in. The partner adds one with " code { "POST /v1/tenants/" (tenant.id) "/apps" } "." }
        } @else { (layout::scroll("Apps", &table)) }
    }
}

fn facts(tenant: &Tenant, connection: &Connection) -> Markup {
    html! {
        h2 id="connection" { "Connection and rotation" }
        dl class="facts" {
            dt { "Provider" } dd { (tenant.blockid.tenant_dns) ", community " (tenant.blockid.community) }
            dt { "Issuer" } dd { (connection.issuer.as_deref().unwrap_or(words::NONE)) }
            dt { "Client id" } dd { code { (tenant.blockid.client_id) } }
            dt { "Preflight" } dd {
                @if let Some(check) = &tenant.check {
                    @if check.usable { "usable" } @else { "not usable" } ", " (words::time(check.checked_at))
                    @for found in check.checks.iter().filter(|found| found.hint.is_some()) {
                        br; (words::plain(found.name.as_str())) ": " (found.detail)
                    }
                } @else { "never run" }
            }
            dt { "User pool" } dd { (tenant.user_pool_id.as_deref().unwrap_or("being made")) " in " (tenant.region) }
            dt { "Release" } dd {
                @if let Some(running) = &tenant.running_release { "runs " code { (running) } } @else { "runs none yet" }
                @if let Some(wanted) = &tenant.wanted_release { ", is to run " code { (wanted) } }
            }
            dt { "Generation" } dd { (tenant.observed_generation) " of " (tenant.generation) }
            dt { "Last rotation" } dd {
                @if let Some(change) = &connection.change {
                    (words::progress(change.state.as_str())) " " (words::time(change.created_at))
                    @if let Some(operation) = change.operation_id { ", " a href={ "/console/operations/" (operation) } { "operation" } }
                    @if let Some(failure) = &change.failure { br; (failure.message) @if let Some(hint) = &failure.hint { " " (hint) } }
                } @else { "never" }
            }
            dt { "Labels" } dd {
                @if tenant.labels.is_empty() { (words::NONE) }
                @for (name, value) in &tenant.labels { span class="badge" { (name) "=" (value) } " " }
            }
            dt { "Id" } dd { code { (tenant.id) } }
        }
    }
}

fn find_user(visitor: &Visitor, id: TenantId) -> Markup {
    html! {
        h2 id="users" { "Help a user" }
        p class="quiet" { "Exactly by user name, e-mail address or " code { "sub" } ". Nothing of it is kept here." }
        form class="fields" method="post" action={ "/console/tenants/" (id) "/users" } {
            (layout::token(visitor))
            div {
                label for="by" { "By" }
                select id="by" name="by" { option value="username" { "User name" } option value="email" { "E-mail address" } option value="sub" { "sub" } }
            }
            div { label for="wanted" { "Which is" } input id="wanted" name="wanted" required maxlength="128" autocomplete="off"; }
            div { button { "Find" } }
        }
    }
}

fn suspension(visitor: &Visitor, tenant: &Tenant) -> Markup {
    let suspended = tenant.suspension.is_some();
    let verb = if suspended { "resume" } else { "suspend" };
    html! {
        h2 id="suspension" { (words::sentence(verb)) }
        p {
            @if suspended { "Sign-ins are decided by policy again, within 30 s after the operation has succeeded." }
            @else { "Every sign-in, refresh and challenge of this tenant is refused, within 30 s after the operation has succeeded. Tokens that were issued work until they end." }
        }
        form class="fields" method="post" action={ "/console/tenants/" (tenant.id) "/" (verb) } {
            (layout::token(visitor))
            (layout::reason("reason"))
            div { button class=[(!suspended).then_some("danger")] { (words::sentence(verb)) } }
        }
    }
}
