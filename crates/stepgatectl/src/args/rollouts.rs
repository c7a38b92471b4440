//! Commands about rollouts.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Rollout {
    /// List the releases of a cell, the newest first: what tenants can be brought to.
    Releases {
        /// Cell.
        cell: String,
    },
    /// Begin a rollout.
    Create(NewRollout),
    /// List rollouts.
    List,
    /// Show a rollout and how far it is.
    Get {
        /// Rollout.
        rollout: String,
    },
    /// Show a rollout as it goes on, until it has ended; exit code 1 unless it succeeded.
    Watch {
        /// Rollout.
        rollout: String,
    },
    /// Take no further tenant up.
    Pause {
        /// Rollout.
        rollout: String,
        /// Why, for the audit log.
        #[arg(long)]
        reason: String,
    },
    /// Go on with a paused rollout.
    Resume {
        /// Rollout.
        rollout: String,
        /// Why, for the audit log.
        #[arg(long)]
        reason: String,
    },
    /// End a rollout, and bring every tenant back to what it ran before.
    Cancel {
        /// Rollout.
        rollout: String,
        /// Why, for the audit log.
        #[arg(long)]
        reason: String,
        /// Leave each tenant with what it runs.
        #[arg(long)]
        leave: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct NewRollout {
    /// Release to bring tenants to; an earlier one is as good as a newer.
    pub(crate) release: String,
    /// Only tenants of this cell; may be given more than once. By default those of all cells that have the release.
    #[arg(long)]
    pub(crate) cell: Vec<String>,
    /// Only tenants with this label, as NAME=VALUE; may be given more than once.
    #[arg(long, value_parser = super::name_and_value)]
    pub(crate) label: Vec<(String, String)>,
    /// Tenants that go first.
    #[arg(long)]
    pub(crate) canary: Option<u32>,
    /// Sizes of the waves after that, in percent of the rest: `--waves 10,30,60`.
    #[arg(long, value_delimiter = ',')]
    pub(crate) waves: Option<Vec<u32>>,
    /// How long each wave is watched, s.
    #[arg(long)]
    pub(crate) soak_s: Option<u32>,
    /// Tenants that may fail before everybody is brought back.
    #[arg(long)]
    pub(crate) max_failed_tenants: Option<u32>,
    /// How much the success rate of steps-up may fall, percentage points.
    #[arg(long)]
    pub(crate) max_success_drop_points: Option<u32>,
    /// Steps-up that must have ended before their rate says anything.
    #[arg(long)]
    pub(crate) min_step_ups: Option<u32>,
}
