//! `/console/cells`: where tenants live.

use crate::{
    Context, Result,
    api::respond::Answer,
    console::{
        layout::{self, Section},
        session::Visitor,
        words,
    },
    domain::cell::QuotaName,
    storage::event_intake::Intake,
    usecases::cells::{self, Roomy},
};
use actix_web::{get, web::Data};
use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};

/// Cells that the overview shows.
const SHOWN: usize = 8;
/// A queue that was not looked into for this long is not read: an empty one is looked into every ten seconds.
const NOT_READ_AFTER: TimeDelta = TimeDelta::minutes(1);

#[get("/cells")]
pub(in crate::console) async fn list(visitor: Visitor, context: Data<Context>) -> Answer {
    let cells = cells::list_all(&context, &visitor.request).await?;
    let table = html! {
        table {
            thead { tr {
                th scope="col" { "Cell" } th scope="col" { "Account" } th scope="col" { "Region" } th scope="col" { "State" } th scope="col" { "Functions" }
                th scope="col" { "Room" } th scope="col" { "Events" } th scope="col" { "Changed" }
            } }
            tbody {
                @for Roomy { cell, head_room } in &cells {
                    tr data-cell=(cell.id) {
                        th scope="row" { code { (cell.id) } }
                        td { (cell.account_id) }
                        td { (cell.region) }
                        td { (words::plain(cell.state.as_str())) }
                        td { "version " (cell.artifacts.version) ", " (cell.architecture) }
                        td { (head_room.tenants) " tenants, room for " (head_room.free_tenants) }
                        td { @if cell.event_queue_url.is_some() { "carried to a queue" } @else { "not carried: bring the cell up to date with " code { "stepgate cell apply" } } }
                        td { (words::time(cell.updated_at)) }
                    }
                }
            }
        }
    };
    let body = html! {
        div class="head" { h1 { "Cells" } }
        section class="card" aria-label="Cells" {
            @if cells.is_empty() { p { "There is no cell, so no tenant can be made. " code { "stepgate cell apply" } " puts one up." } }
            @else { (layout::scroll("Cells", &table)) }
        }
    };
    Ok(layout::answer(&visitor, "Cells", Section::Cells, &body))
}

/// The cells that have least room; `None` for whoever may not read the installation.
pub(super) async fn tightest(context: &Context, visitor: &Visitor) -> Result<Option<Vec<Roomy>>> {
    if !visitor.reads_installation() {
        return Ok(None);
    }
    let mut cells = cells::list_all(context, &visitor.request).await?;
    cells.sort_by_key(|cell| cell.head_room.free_permille);
    cells.truncate(SHOWN);
    Ok(Some(cells))
}

/// Their room, on the overview.
pub(super) fn room(cells: &[Roomy]) -> Markup {
    let number = |number: u64| words::count(i64::try_from(number).unwrap_or(i64::MAX));
    let table = html! {
        table {
            thead { tr {
                th scope="col" { "Cell" } th scope="col" class="number" { "Tenants" } th scope="col" class="number" { "Room for" }
                @for name in QuotaName::ALL { th scope="col" class="number" { (words::sentence(name.as_str())) } }
            } }
            tbody {
                @for Roomy { cell, head_room } in cells {
                    tr data-cell=(cell.id) {
                        th scope="row" { code { (cell.id) } br; span class="quiet" { (cell.region) } }
                        td class="number" { (number(head_room.tenants)) }
                        td class="number" {
                            (number(head_room.free_tenants))
                            @if let Some(spent) = head_room.spent() { " " (words::badge("bad", &format!("{} spent", spent.name))) }
                        }
                        @for quota in &head_room.quotas { td class="number" { (number(quota.used)) " of " (number(quota.limit)) } }
                    }
                }
            }
        }
    };
    html! {
        h2 id="room" { "Room in the cells" }
        p class="quiet" { "What of the quotas in AWS is used; those with the least left first." }
        @if cells.is_empty() { p { "There is no cell, so no tenant can be made. " code { "stepgate cell apply" } " puts one up." } }
        @else { (layout::scroll("Room in the cells", &table)) }
    }
}

/// How far behind the events of the cells are; `None` for whoever may not read the installation.
pub(super) async fn event_lags(context: &Context, visitor: &Visitor) -> Result<Option<Vec<Intake>>> {
    if !visitor.reads_installation() {
        return Ok(None);
    }
    let mut lags = cells::event_lags(context, &visitor.request).await?;
    lags.truncate(SHOWN);
    Ok(Some(lags))
}

/// The same, on the overview.
pub(super) fn lag(lags: &[Intake], now: DateTime<Utc>) -> Markup {
    let ms = |seconds: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a float that is too large becomes the largest number"
        )]
        Some((seconds * 1_000.0).max(0.0) as u32)
    };
    let table = html! {
        table {
            thead { tr { th scope="col" { "Cell" } th scope="col" class="number" { "Lag" } th scope="col" { "Queue last read" } } }
            tbody {
                @for intake in lags {
                    tr data-cell=(intake.cell_id) {
                        th scope="row" { code { (intake.cell_id) } }
                        td class="number" data-figure="event-lag" { (words::duration(ms(intake.lag_s))) }
                        td {
                            (words::ago(intake.looked_at, now))
                            @if now - intake.looked_at > NOT_READ_AFTER { " " (words::badge("bad", "not read")) }
                        }
                    }
                }
            }
        }
    };
    html! {
        h2 id="lag" { "Event lag" }
        p class="quiet" { "Age of the oldest event that a worker found in the queue of the cell when it last looked; none when the queue was empty." }
        @if lags.is_empty() { p { "No worker has read a queue of events yet." } }
        @else { (layout::scroll("Event lag", &table)) }
    }
}
