//! Alarms: a part of a tenant's page, and a part of the overview.

use crate::{
    Context, Result,
    console::{layout, session::Visitor, words},
    domain::alarm::{Alarm, AlarmKind, AlarmSettings, AlarmState, Rule},
    ids::TenantId,
    storage::{PageRequest, alarms::Sought},
    usecases::{alarms, tenants},
};
use maud::{Markup, html};

/// Alarms that are over, on a tenant's page.
const OVER: u16 = 5;
/// Raised alarms on the overview.
const SHOWN: u16 = 8;

/// What a tenant is watched for, its raised alarms and the last that are over.
pub(super) struct Watch {
    settings: AlarmSettings,
    alarms: Vec<Alarm>,
}

/// Of a tenant.
pub(super) async fn of_tenant(context: &Context, visitor: &Visitor, id: TenantId) -> Result<Watch> {
    let (settings, mut found) = alarms::get(context, &visitor.request, id).await?;
    let over = Sought {
        tenant_id: Some(id),
        state: Some(AlarmState::Cleared),
        kind: None,
    };
    let page = PageRequest {
        limit: OVER,
        after: None,
    };
    found.extend(alarms::list(context, &visitor.request, &over, &page).await?.items);
    Ok(Watch {
        settings,
        alarms: found,
    })
}

/// The part of a tenant's page.
pub(super) fn card(id: TenantId, watch: &Watch) -> Markup {
    let rules = watch.settings.thresholds.rules();
    html! {
        h2 id="alarms" { "Alarms" }
        @if watch.alarms.is_empty() { p { "None was raised yet." } }
        @else { (layout::scroll("Alarms", &alarm_table(&watch.alarms))) }
        @if rules.is_empty() {
            p { "Nothing is watched for. The partner sets limits with " code { "PUT /v1/tenants/" (id) "/alarms" } "." }
        } @else {
            h3 { "Watched for" }
            ul { @for rule in &rules { li { (limit(rule)) } } }
        }
    }
}

fn alarm_table(alarms: &[Alarm]) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "What" } th scope="col" { "State" } th scope="col" class="number" { "Measured" } th scope="col" class="number" { "Limit" }
                th scope="col" { "Raised" } th scope="col" { "Cleared" }
            } }
            tbody {
                @for alarm in alarms {
                    tr data-alarm=(alarm.id) {
                        th scope="row" { (words::sentence(alarm.kind.as_str())) }
                        td { (words::alarm_state(alarm.state)) }
                        td class="number" { (measure(alarm.kind, alarm.value)) }
                        td class="number" { (measure(alarm.kind, alarm.threshold)) " in " (alarm.window_min) " min" }
                        td { (words::time(alarm.raised_at)) }
                        td {
                            (words::time_or_none(alarm.cleared_at))
                            @if let Some(cause) = alarm.cleared_because { ", " (words::plain(cause.as_str())) }
                        }
                    }
                }
            }
        }
    }
}

/// A limit in words.
fn limit(rule: &Rule) -> String {
    let (value, window) = (measure(rule.kind, rule.limit), rule.window_min);
    match rule.kind {
        AlarmKind::SuccessRate => format!("a success rate below {value} within {window} min"),
        AlarmKind::ProviderErrors => format!("more than {value} errors of the provider within {window} min"),
        AlarmKind::Latency => {
            format!("the slowest 5 % of the successes taking more than {value} within {window} min")
        }
    }
}

/// A measurement in the unit of its kind.
fn measure(kind: AlarmKind, value: f64) -> String {
    match kind {
        AlarmKind::SuccessRate => format!("{:.1} %", value * 100.0),
        AlarmKind::ProviderErrors => format!("{value:.0}"),
        AlarmKind::Latency => format!("{:.1} s", value / 1_000.0),
    }
}

/// Raised alarms, each with its tenant's name.
pub(super) struct Raised {
    alarms: Vec<(Alarm, String)>,
    are_more: bool,
}

/// The newest of those that the visitor may see.
pub(super) async fn raised(context: &Context, visitor: &Visitor) -> Result<Raised> {
    let sought = Sought {
        state: Some(AlarmState::Raised),
        ..Sought::default()
    };
    let page = PageRequest {
        limit: SHOWN,
        after: None,
    };
    let found = alarms::list(context, &visitor.request, &sought, &page).await?;
    let mut named = Vec::new();
    for alarm in found.items {
        // A tenant that was removed meanwhile has no name, and its alarms go with it.
        if let Ok(tenant) = tenants::get(context, &visitor.request, alarm.tenant_id).await {
            named.push((alarm, tenant.name));
        }
    }
    Ok(Raised {
        alarms: named,
        are_more: found.next.is_some(),
    })
}

/// Those alarms, on the overview.
pub(super) fn raised_card(raised: &Raised) -> Markup {
    let table = html! {
        table {
            thead { tr { th scope="col" { "Tenant" } th scope="col" { "What" } th scope="col" class="number" { "Measured" } th scope="col" class="number" { "Limit" } th scope="col" { "Raised" } } }
            tbody {
                @for (alarm, tenant) in &raised.alarms {
                    tr data-alarm=(alarm.id) {
                        th scope="row" { a href={ "/console/tenants/" (alarm.tenant_id) "#alarms" } { (tenant) } }
                        td { (words::sentence(alarm.kind.as_str())) }
                        td class="number" { (measure(alarm.kind, alarm.value)) }
                        td class="number" { (measure(alarm.kind, alarm.threshold)) }
                        td { (words::time(alarm.raised_at)) }
                    }
                }
            }
        }
    };
    html! {
        h2 id="raised" { "Raised alarms" }
        @if raised.alarms.is_empty() { p { "No alarm is raised." } }
        @else {
            p { span data-figure="alarms-raised" { (words::first_of(raised.alarms.len(), raised.are_more)) } " raised, the newest first." }
            (layout::scroll("Raised alarms", &table))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alarm::Thresholds;

    #[test]
    fn limits_and_measurements_are_in_units_for_people() {
        let limits: Vec<_> = Thresholds::default().rules().iter().map(limit).collect();
        assert_eq!(
            limits,
            [
                "a success rate below 70.0 % within 15 min",
                "more than 10 errors of the provider within 10 min",
                "the slowest 5 % of the successes taking more than 120.0 s within 15 min",
            ]
        );
        assert_eq!(measure(AlarmKind::SuccessRate, 0.125), "12.5 %");
        assert_eq!(measure(AlarmKind::ProviderErrors, 11.0), "11");
    }
}
