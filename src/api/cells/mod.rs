//! Cells. They are put up and registered by `stepgate cell apply`.

pub mod get;
pub mod list;
pub mod releases;
pub mod update;

use crate::{
    domain::cell::{self, HeadRoom},
    usecases::cells::Roomy,
};
use serde::Serialize;

/// A cell, and how much room it has.
// By a name of its own in the document: `Cell` is what it is made of.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CellWithRoom)]
pub struct Cell {
    /// The cell.
    #[serde(flatten)]
    pub cell: cell::Cell,
    /// Its room.
    pub head_room: HeadRoom,
}

impl From<Roomy> for Cell {
    fn from(roomy: Roomy) -> Self {
        Self {
            cell: roomy.cell,
            head_room: roomy.head_room,
        }
    }
}
