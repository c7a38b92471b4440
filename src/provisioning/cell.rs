//! The shared parts of a cell: its stack, and the trigger artifacts in its bucket.
//!
//! What tenants run is a release: the first one of a cell is current at once, later ones reach tenants by a rollout
//! (`usecases::rollouts`). [`plan`] tells beforehand what [`apply`] would change.

pub mod plan;
mod release;

use super::{
    artifacts::{ArtifactFolder, LocalArtifact},
    failure::StepError,
    stacks::{EnsureError, Stacks, WantedStack, Watcher},
    template::{self, Template},
};
use crate::{
    Context,
    domain::{
        actor::OperatorScope,
        audit::{AuditAction, AuditEntry},
        audit_diff,
        cell::{Architecture, CallLimits, Cell, CellAccess, CellState, Quotas},
    },
    ids::CellId,
    storage::{self, Tx, audit_log::Author},
    usecases::audit,
};
use anyhow::{Context as _, bail, ensure};
use std::{collections::BTreeMap, path::PathBuf};

/// What `stepgate cell apply` is asked for.
#[derive(Debug, Clone)]
pub struct CellRequest {
    /// Name of the cell; part of its stack's and log group's names.
    pub name: String,
    /// AWS region.
    pub region: String,
    /// Role that leads into the account; without one the account is that of the credentials.
    pub access: Option<CellAccess>,
    /// Processor of the functions.
    pub architecture: Architecture,
    /// Folder with `manifest.json` and the zips.
    pub artifacts: PathBuf,
    /// Networks beside the public internet in which BlockID providers may be.
    pub allowed_provider_networks: Vec<ipnet::IpNet>,
}

/// Puts up the cell or brings it to what is asked, uploads the artifacts, registers the row. Repeating it changes
/// nothing. `progress` hears what is done.
pub async fn apply(
    context: &Context,
    request: &CellRequest,
    progress: &mut (dyn FnMut(String) + Send),
) -> anyhow::Result<Cell> {
    let Ground {
        context,
        artifacts,
        account_id,
        registered,
    } = Ground::survey(context, request).await?;
    let context = &context;
    progress(format!("account {account_id}, region {}", request.region));

    // The stack makes the bucket that the forwarder's code is put into: it comes up without a forwarder first.
    let stack = ensure_stack(context, request, registered.as_ref(), None, progress).await?;
    upload(
        context,
        &request.region,
        stack
            .outputs
            .get("ArtifactBucketName")
            .context("the cell's stack has no bucket")?,
        &artifacts,
        progress,
    )
    .await?;
    let forwarder_key = Some(artifacts.forwarder.key.as_str());
    let stack = ensure_stack(context, request, registered.as_ref(), forwarder_key, progress).await?;
    let output = |key: &str| {
        let stack_name = stack_name(&request.name);
        stack
            .outputs
            .get(key)
            .cloned()
            .with_context(|| format!("stack {stack_name} has no output {key}"))
    };
    let artifact_bucket = output("ArtifactBucketName")?;
    let id = match (&registered, stack.tags.get(CELL_TAG)) {
        (Some(cell), _) => cell.id,
        (None, Some(tag)) => tag
            .parse()
            .context("the cell's stack carries a tag that is not a cell id")?,
        (None, None) => bail!(
            "stack {} is not one of Stepgate: it has no tag {CELL_TAG}",
            stack_name(&request.name)
        ),
    };
    let now = context.clock.now();
    let template = template::tenant();
    let release = release::made_of(context, id, &artifacts.registered(), &template.digest, now);
    let cell = Cell {
        id,
        account_id,
        region: request.region.clone(),
        architecture: request.architecture,
        state: CellState::Ready,
        artifact_bucket,
        log_group_name: output("LogGroupName")?,
        event_queue_url: Some(output("EventQueueUrl")?),
        // What new tenants get changes with a release, not here.
        artifacts: registered
            .as_ref()
            .filter(|cell| cell.release_id.is_some())
            .map_or_else(|| release.artifacts.clone(), |cell| cell.artifacts.clone()),
        release_id: None,
        quotas: Quotas::default(),
        aws_call_limits: CallLimits::default(),
        access: request.access.clone(),
        allowed_provider_networks: request.allowed_provider_networks.clone(),
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    let scope = OperatorScope::command_line();
    let mut tx = context.db.begin(&scope).await?;
    let cell = storage::cells::upsert(&mut tx, &scope, &cell).await?;
    let (release, cell) = release::register(context, &mut tx, &scope, release, &template, &cell).await?;
    audit_apply(context, &mut tx, registered.as_ref(), &cell).await?;
    tx.commit().await?;
    progress(format!("cell {} is registered", cell.id));
    progress(if cell.release_id == Some(release.id) {
        format!("release {} is what new tenants get", release.name)
    } else {
        format!(
            "release {} is registered; a rollout brings tenants to it",
            release.name
        )
    });
    Ok(cell)
}

/// What a command on a cell stands on: the account as seen through the cell's role, the folder, the row.
struct Ground {
    context: Context,
    artifacts: ArtifactFolder,
    account_id: String,
    registered: Option<Cell>,
}

impl Ground {
    async fn survey(context: &Context, request: &CellRequest) -> anyhow::Result<Self> {
        check_name(&request.name)?;
        let artifacts = ArtifactFolder::read(&request.artifacts, request.architecture)?;
        let context = context.in_cell(request.access.as_ref()).await;
        let account_id = context.aws.sts(&request.region).account_id().await;
        let account_id = account_id.context("AWS does not say who we are")?;
        let registered = find_registered(&context, &account_id, request).await?;
        Ok(Self {
            context,
            artifacts,
            account_id,
            registered,
        })
    }
}

/// Writes down what changed; a repetition that changed nothing leaves no entry.
async fn audit_apply(
    context: &Context,
    tx: &mut Tx,
    before: Option<&Cell>,
    after: &Cell,
) -> anyhow::Result<()> {
    let same_time = before.cloned().map(|before| Cell {
        updated_at: after.updated_at,
        ..before
    });
    let detail = audit_diff::diff(&same_time, &Some(after))?;
    if detail.is_null() {
        return Ok(());
    }
    let entry = AuditEntry {
        tenant_id: None,
        resource_id: after.id.to_string(),
        action: AuditAction::CellApplied,
        reason: String::new(),
        detail,
    };
    let author = Author::COMMAND_LINE;
    audit::record_by(tx, context, author, None, &entry, after.updated_at).await?;
    Ok(())
}

const CELL_TAG: &str = "stepgate:cell";
/// Resources of a cell's stack that are never made anew or removed: tenants run from them, and events lie in them.
pub(super) const GUARDED: &[&str] = &[
    "ArtifactBucket",
    "TriggerLogGroup",
    "EventQueue",
    "DeadEventQueue",
];

fn stack_name(cell_name: &str) -> String {
    format!("stepgate-cell-{cell_name}")
}

fn log_group_name(cell_name: &str) -> String {
    format!("/stepgate/{cell_name}/triggers")
}

fn check_name(name: &str) -> anyhow::Result<()> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let good = (1..=32).contains(&name.len())
        && name.bytes().all(plain)
        && !name.starts_with('-')
        && !name.ends_with('-');
    ensure!(
        good,
        "`--name` must have 1 to 32 lower-case letters, digits and inner hyphens"
    );
    Ok(())
}

/// The row of this account and region. There can be one only, so another name is a mistake.
async fn find_registered(
    context: &Context,
    account_id: &str,
    request: &CellRequest,
) -> anyhow::Result<Option<Cell>> {
    let scope = OperatorScope::command_line();
    let cells = storage::cells::list(&mut *context.db.begin(&scope).await?, &scope).await?;
    let found = cells
        .into_iter()
        .find(|cell| cell.account_id == account_id && cell.region == request.region);
    if let Some(cell) = &found {
        ensure!(
            cell.log_group_name == log_group_name(&request.name),
            "account {account_id} has cell {} in {} already, under another name (its log group is {}): use that name",
            cell.id,
            cell.region,
            cell.log_group_name
        );
    }
    Ok(found)
}

/// The template of a cell's stack and the stack as it is to be. Without a `forwarder_key` the forwarder stays as it is.
async fn wanted_stack<'a>(
    context: &Context,
    request: &CellRequest,
    registered: Option<&Cell>,
    forwarder_key: Option<&str>,
    template: &'a Template,
) -> anyhow::Result<WantedStack<'a>> {
    let name = stack_name(&request.name);
    // A stack whose row was lost, or never written, keeps the id that it was made with.
    let present = context
        .aws
        .cloudformation(&request.region)
        .describe(&name)
        .await?;
    let tagged = match registered {
        Some(cell) => Some(cell.id.to_string()),
        None => present
            .as_ref()
            .and_then(|stack| stack.tags.get(CELL_TAG).cloned()),
    };
    let present_key = present.and_then(|stack| stack.parameters.get("ForwarderArtifactKey").cloned());
    let forwarder_key = forwarder_key.map_or_else(|| present_key.unwrap_or_default(), str::to_owned);
    let id = tagged.unwrap_or_else(|| CellId::generate(&context.ids, context.clock.now()).to_string());
    Ok(WantedStack {
        name,
        parameters: BTreeMap::from([
            ("CellName", request.name.clone()),
            ("TemplateDigest", template.digest.clone()),
            ("Architecture", request.architecture.as_str().to_owned()),
            ("ForwarderArtifactKey", forwarder_key),
        ]),
        template,
        tags: vec![(CELL_TAG, id)],
        guarded: GUARDED,
        create_only: &["CellName"],
        failed_before: 0,
    })
}

/// Brings the cell's stack to the present template.
async fn ensure_stack(
    context: &Context,
    request: &CellRequest,
    registered: Option<&Cell>,
    forwarder_key: Option<&str>,
    progress: &mut (dyn FnMut(String) + Send),
) -> anyhow::Result<crate::aws::cloudformation::Stack> {
    let template = template::cell();
    let wanted = wanted_stack(context, request, registered, forwarder_key, &template).await?;
    let stacks = Stacks {
        client: context.aws.cloudformation(&request.region),
        ids: &context.ids,
    };
    let mut watcher = Printer { progress };
    let ensured = match stacks.ensure(&wanted, &mut watcher).await {
        Ok(ensured) => ensured,
        Err(EnsureError::FailedCreate(failure)) => {
            let name = &wanted.name;
            (watcher.progress)(format!("stack {name} failed to come up and is cleaned away"));
            stacks.clean_away(name, &mut watcher).await.map_err(readable)?;
            return Err(readable(failure.into()));
        }
        Err(EnsureError::Step(error)) => return Err(readable(error)),
    };
    progress(format!("stack {}: {}", wanted.name, ensured.done));
    Ok(ensured.stack)
}

async fn upload(
    context: &Context,
    region: &str,
    bucket: &str,
    artifacts: &ArtifactFolder,
    progress: &mut (dyn FnMut(String) + Send),
) -> anyhow::Result<()> {
    let s3 = context.aws.s3(region);
    for artifact in [&artifacts.challenge, &artifacts.verify, &artifacts.forwarder] {
        let LocalArtifact {
            key,
            sha256_base64,
            bytes,
        } = artifact;
        if s3.has(bucket, key, sha256_base64).await? {
            progress(format!("{key} is there already"));
        } else {
            s3.put(bucket, key, bytes.clone(), sha256_base64).await?;
            progress(format!("{key} uploaded ({} bytes)", bytes.len()));
        }
    }
    Ok(())
}

struct Printer<'a> {
    progress: &'a mut (dyn FnMut(String) + Send),
}

impl Watcher for Printer<'_> {
    async fn note(&mut self, text: String) -> Result<(), StepError> {
        (self.progress)(text);
        Ok(())
    }
}

fn readable(error: StepError) -> anyhow::Error {
    match error {
        StepError::Failed(failure) => {
            let hint = failure.hint.map(|hint| format!(" {hint}")).unwrap_or_default();
            anyhow::anyhow!("{}{hint}", failure.message)
        }
        StepError::LeaseLost | StepError::Stopped => anyhow::anyhow!("stopped"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_cells_fit_into_names_of_aws() {
        for good in ["a", "eu-1", "demo"] {
            check_name(good).unwrap();
        }
        for bad in ["", "-a", "a-", "A", "a_b", "ä", &"x".repeat(33)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
