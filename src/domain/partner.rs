//! A partner: an organisation that onboards tenants through the API.

use super::validation::{NAME_MAX_CHARS, Problems};
use crate::{Result, ids::PartnerId};
use chrono::{DateTime, Utc};

/// A partner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partner {
    /// Its id.
    pub id: PartnerId,
    /// Name for people, unique in the installation.
    pub name: String,
    /// Grows with every change of the name.
    pub revision: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// Checks a partner's name.
pub fn validate_name(name: &str) -> Result<()> {
    let mut problems = Problems::new();
    problems.name("/name", name, NAME_MAX_CHARS);
    problems.finish()
}
