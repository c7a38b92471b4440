//! Partners.

pub mod create;
pub mod get;
pub mod list;
pub mod update;

use crate::{domain::partner, ids::PartnerId};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// An organisation that onboards tenants.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Partner {
    /// Its id.
    pub id: PartnerId,
    /// Name for people, unique in the installation.
    #[schema(example = "Acme Identity")]
    pub name: String,
    /// Grows with every change; its `ETag`.
    #[schema(minimum = 1)]
    pub revision: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl From<partner::Partner> for Partner {
    fn from(partner: partner::Partner) -> Self {
        Self {
            id: partner.id,
            name: partner.name,
            revision: partner.revision,
            created_at: partner.created_at,
        }
    }
}
