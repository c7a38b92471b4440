//! Where a new tenant goes.

use super::{Cell, HeadRoom};
use crate::{
    Error, Result,
    error::{Code, FieldError},
    ids::CellId,
};

/// What was asked for; what is absent does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// This cell and no other.
    pub cell_id: Option<CellId>,
    /// A cell of this AWS region.
    pub region: Option<String>,
}

/// A cell that takes tenants, and its room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The cell.
    pub cell: Cell,
    /// Its room.
    pub head_room: HeadRoom,
}

/// Chooses among cells that take tenants: the one that was asked for, else the one with most head-room in the region
/// that was asked for, else the one with most anywhere. Of equals the oldest, which comes first. A full cell is refused
/// with the quota that is spent.
pub fn place(candidates: Vec<Candidate>, wish: &Wish) -> Result<Cell> {
    let mut fitting = candidates;
    if let Some(id) = wish.cell_id {
        fitting.retain(|candidate| candidate.cell.id == id);
        if fitting.is_empty() {
            return Err(unavailable(
                "The cell that was asked for does not exist or takes no new tenants.",
                "/cell_id",
                "not a cell that takes new tenants",
            ));
        }
    }
    if let Some(region) = &wish.region {
        fitting.retain(|candidate| candidate.cell.region == *region);
        if fitting.is_empty() {
            return Err(unavailable(
                "No cell of the region that was asked for takes new tenants.",
                "/region",
                "has no cell that takes new tenants, or is not the region of the cell that was asked for",
            ));
        }
    }
    let best = fitting
        .into_iter()
        .reduce(|best, next| if room(&next) > room(&best) { next } else { best })
        .ok_or_else(|| {
            Error::new(
                Code::NoCellAvailable,
                "No cell takes new tenants at the moment; an operator must add or open one.",
            )
        })?;
    match best.head_room.spent() {
        None => Ok(best.cell),
        Some(quota) => Err(Error::new(
            Code::CellFull,
            format!(
                "Cell {} has no room for another tenant: {} of {} {} are used. An operator has AWS raise the quota and \
                 enters it in the cell's `quotas`, or puts up another cell.",
                best.cell.id,
                quota.used,
                quota.limit,
                quota.name.title()
            ),
        )),
    }
}

fn room(candidate: &Candidate) -> (u64, u64) {
    (
        candidate.head_room.free_permille,
        candidate.head_room.free_tenants,
    )
}

fn unavailable(detail: &str, pointer: &str, rule: &str) -> Error {
    let fields = vec![FieldError::new(pointer, "not_available", rule)];
    Error::new(Code::NoCellAvailable, detail).with_fields(fields)
}

#[cfg(test)]
mod tests {
    use super::super::{Architecture, Artifact, Artifacts, CallLimits, CellState, Quotas, Use};
    use super::*;
    use crate::ids::IdSource;

    fn candidate(ids: &IdSource, region: &str, tenants: u64) -> Candidate {
        let now = chrono::DateTime::UNIX_EPOCH;
        let artifact = || Artifact {
            key: "k".into(),
            sha256_base64: "d".into(),
        };
        let quotas = Quotas {
            user_pools: Some(10),
            ..Quotas::default()
        };
        let used = Use {
            tenants,
            busiest_minute: 0,
        };
        Candidate {
            head_room: HeadRoom::new(&quotas, used),
            cell: Cell {
                id: CellId::generate(ids, now),
                account_id: "123456789012".into(),
                region: region.into(),
                architecture: Architecture::Arm64,
                state: CellState::Ready,
                artifact_bucket: "b".into(),
                log_group_name: "g".into(),
                event_queue_url: None,
                artifacts: Artifacts {
                    version: "1".into(),
                    challenge: artifact(),
                    verify: artifact(),
                    forwarder: None,
                },
                release_id: None,
                quotas,
                aws_call_limits: CallLimits::default(),
                access: None,
                allowed_provider_networks: Vec::new(),
                revision: 1,
                created_at: now,
                updated_at: now,
            },
        }
    }

    #[test]
    fn a_tenant_goes_where_most_room_is_in_the_region_that_was_asked_for() {
        let ids = IdSource::seeded(1);
        let cells = [
            ("eu-west-1", 3),
            ("eu-west-1", 1),
            ("us-east-1", 0),
            ("us-east-1", 0),
        ]
        .map(|(region, tenants)| candidate(&ids, region, tenants));
        let id = |index: usize| cells[index].cell.id;
        let placed = |wish: &Wish| place(cells.to_vec(), wish).map(|cell| cell.id);
        let anywhere = Wish::default();
        assert_eq!(placed(&anywhere).unwrap(), id(2), "the oldest of the emptiest");
        let region = |region: &str| Wish {
            region: Some(region.into()),
            ..Wish::default()
        };
        assert_eq!(placed(&region("eu-west-1")).unwrap(), id(1));
        let error = placed(&region("ap-south-1")).unwrap_err();
        assert_eq!(
            (error.code(), error.fields()[0].pointer.as_str()),
            (Code::NoCellAvailable, "/region")
        );
        let pinned = |region: Option<&str>| Wish {
            cell_id: Some(id(0)),
            region: region.map(str::to_owned),
        };
        assert_eq!(
            placed(&pinned(None)).unwrap(),
            id(0),
            "a pinned tenant goes there, however full it is"
        );
        assert_eq!(placed(&pinned(Some("eu-west-1"))).unwrap(), id(0));
        assert_eq!(
            placed(&pinned(Some("us-east-1"))).unwrap_err().fields()[0].pointer,
            "/region"
        );
        assert_eq!(
            place(Vec::new(), &anywhere).unwrap_err().code(),
            Code::NoCellAvailable
        );
    }

    #[test]
    fn a_full_cell_says_which_quota_is_spent_and_others_are_taken_before() {
        let ids = IdSource::seeded(1);
        let (full, free) = (candidate(&ids, "eu-west-1", 10), candidate(&ids, "eu-west-1", 9));
        let full_id = full.cell.id;
        let placed = place(vec![full.clone(), free.clone()], &Wish::default()).unwrap();
        assert_eq!(placed.id, free.cell.id);
        for (candidates, wish) in [
            (vec![full.clone()], Wish::default()),
            (
                vec![full, free],
                Wish {
                    cell_id: Some(full_id),
                    ..Wish::default()
                },
            ),
        ] {
            let error = place(candidates, &wish).unwrap_err();
            assert_eq!(error.code(), Code::CellFull);
            assert!(
                error.detail().contains("10 of 10 Cognito user pools"),
                "{}",
                error.detail()
            );
        }
    }
}
