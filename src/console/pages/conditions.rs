//! What holds of a tenant, on its page: its conditions, and how far its end is.

use crate::{
    console::{layout, words},
    domain::{
        deletion::{Deletion, PoolFate},
        tenant::{Tenant, TenantState},
    },
};
use maud::{Markup, html};

/// Its conditions.
pub(super) fn card(tenant: &Tenant) -> Markup {
    let table = html! {
        table {
            thead { tr { th scope="col" { "Condition" } th scope="col" { "Status" } th scope="col" { "Why" } th scope="col" { "Since" } } }
            tbody {
                @for condition in tenant.conditions() {
                    tr data-condition=(condition.kind) {
                        th scope="row" { (condition.kind) }
                        td { (words::condition_status(&condition)) }
                        td class="break" {
                            code { (condition.reason) }
                            @if !condition.message.is_empty() { " " (condition.message) }
                        }
                        td { (words::time(condition.last_transition_time)) }
                    }
                }
            }
        }
    };
    html! {
        h2 id="conditions" { "Conditions" }
        (layout::scroll("Conditions", &table))
    }
}

/// How far its end is, where it has begun.
pub(super) fn deletion(tenant: &Tenant) -> Markup {
    match &tenant.state {
        TenantState::AwaitingSecret | TenantState::Active { .. } => html! {},
        TenantState::Deleting { deletion, .. } => html! {
            div class="note warn" data-deletion="deleting" {
                p { strong { "Deleted" } " since " (words::time(deletion.since)) ": nobody signs in. Nothing is removed yet." }
                p {
                    "It can be restored, and purged from " (words::time(deletion.purge_from)) " on. "
                    @if let Some(export) = &deletion.export {
                        "Its users were exported " (words::time(export.at)) ": " (words::count(export.users)) "."
                    } @else { "Its users were not exported since." }
                }
            }
        },
        TenantState::Purging(deletion) => html! {
            div class="note bad" data-deletion="purging" {
                p { strong { "Being purged" } @if let Some(purge) = &deletion.purge { " since " (words::time(purge.since)) } ": it cannot be restored." }
                p { (pool(deletion)) }
            }
        },
        TenantState::Deleted(deletion) => html! {
            div class="note bad" data-deletion="deleted" {
                p { strong { "Purged" } ". It was deleted " (words::time(deletion.since)) "; its operations and its part of the audit log stay." }
                p { (pool(deletion)) }
            }
        },
    }
}

/// What becomes or became of its users.
fn pool(deletion: &Deletion) -> &'static str {
    let fate = deletion.report.as_ref().and_then(|report| report.user_pool);
    match (fate, &deletion.purge) {
        (Some(PoolFate::Absent), _) => "It had no user pool.",
        (Some(PoolFate::Retained), _) => {
            "Its user pool stays in the account of the cell; nobody signs in to it."
        }
        (Some(PoolFate::Deleted), _) => "Its user pool is gone, with its users and their links.",
        (None, Some(purge)) if purge.retain_user_pool => {
            "Its user pool will stay in the account of the cell."
        }
        (None, Some(_)) => "Its user pool will be deleted, with its users and their links.",
        (None, None) => "Nothing is known of its user pool.",
    }
}
