//! `/console/cells`: where tenants live.

use crate::{
    Context,
    api::respond::Answer,
    console::{
        layout::{self, Section},
        session::Visitor,
        words,
    },
    usecases::cells::{self, Roomy},
};
use actix_web::{get, web::Data};
use maud::html;

#[get("/cells")]
pub(in crate::console) async fn list(visitor: Visitor, context: Data<Context>) -> Answer {
    let cells = cells::list(&context, &visitor.request).await?;
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
