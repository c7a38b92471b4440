//! A cell: one AWS account and region that tenants are placed in.

use super::text_enum;
use crate::{
    Error, Result,
    error::{Code, FieldError},
    ids::CellId,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

text_enum! {
    /// Whether new tenants may be placed in a cell.
    CellState {
        /// Takes tenants.
        Ready => "ready",
        /// Keeps its tenants and takes no more.
        Closed => "closed",
    }
}

text_enum! {
    /// Processor of the functions of a cell.
    Architecture {
        /// AWS Graviton.
        Arm64 => "arm64",
        /// Intel and AMD.
        X86_64 => "x86_64",
    }
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Cell {
    /// Its id.
    pub id: CellId,
    /// AWS account.
    pub account_id: String,
    /// AWS region.
    pub region: String,
    /// Processor of its functions.
    pub architecture: Architecture,
    /// Whether it takes tenants.
    pub state: CellState,
    /// Bucket that holds the trigger artifacts.
    pub artifact_bucket: String,
    /// Log group that all functions of the cell share.
    pub log_group_name: String,
    /// Queue with the step-up events of its tenants; none until the cell is brought to a version that has one.
    pub event_queue_url: Option<String>,
    /// Trigger artifacts in the bucket.
    pub artifacts: Artifacts,
    /// Networks beside the public internet in which BlockID providers may be.
    #[schema(value_type = Vec<String>)]
    pub allowed_provider_networks: Vec<ipnet::IpNet>,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// Trigger artifacts of one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Artifacts {
    /// Version of the trigger binaries.
    pub version: String,
    /// Define, create and pre-token gate.
    pub challenge: Artifact,
    /// Verify.
    pub verify: Artifact,
    /// Forwarder of events, one for the cell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarder: Option<Artifact>,
}

/// One artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Artifact {
    /// Key in the bucket.
    pub key: String,
    /// SHA-256 of the zip, base64, as Lambda reports it.
    pub sha256_base64: String,
}

/// Chooses where a new tenant goes: the cell that was asked for, else the ready one with the fewest tenants
/// (`candidates` are the ready ones, least loaded first).
pub fn place(candidates: Vec<Cell>, asked: Option<CellId>) -> Result<Cell> {
    match asked {
        None => candidates.into_iter().next().ok_or_else(|| {
            Error::new(
                Code::NoCellAvailable,
                "No cell takes new tenants at the moment; an operator must add or open one.",
            )
        }),
        Some(id) => candidates.into_iter().find(|cell| cell.id == id).ok_or_else(|| {
            Error::new(
                Code::NoCellAvailable,
                "The cell that was asked for does not exist or takes no new tenants.",
            )
            .with_fields(vec![FieldError::new(
                "/cell_id",
                "not_available",
                "not a cell that takes new tenants",
            )])
        }),
    }
}
