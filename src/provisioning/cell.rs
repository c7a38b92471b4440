//! The shared parts of a cell: its stack, and the trigger artifacts in its bucket.

use super::{
    artifacts::{ArtifactFolder, LocalArtifact},
    failure::StepError,
    stacks::{EnsureError, Stacks, WantedStack, Watcher},
    template,
};
use crate::{
    Context,
    domain::{
        actor::OperatorScope,
        cell::{Architecture, Cell, CellState},
    },
    ids::CellId,
};
use anyhow::{Context as _, bail, ensure};
use std::{collections::BTreeMap, path::PathBuf};

/// What `stepgate cell apply` is asked for.
#[derive(Debug, Clone)]
pub struct CellRequest {
    /// Name of the cell; part of its stack's and log group's names.
    pub name: String,
    /// AWS region. The account is that of the credentials.
    pub region: String,
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
    check_name(&request.name)?;
    let artifacts = ArtifactFolder::read(&request.artifacts, request.architecture)?;
    let account_id = context
        .aws
        .sts(&request.region)
        .account_id()
        .await
        .context("AWS does not say who we are")?;
    progress(format!("account {account_id}, region {}", request.region));

    let registered = find_registered(context, &account_id, request).await?;
    let stack = ensure_stack(context, request, registered.as_ref(), progress).await?;
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
    upload(context, &request.region, &artifact_bucket, &artifacts, progress).await?;

    let now = context.clock.now();
    let cell = Cell {
        id,
        account_id,
        region: request.region.clone(),
        architecture: request.architecture,
        state: CellState::Ready,
        artifact_bucket,
        log_group_name: output("LogGroupName")?,
        artifacts: artifacts.registered(),
        allowed_provider_networks: request.allowed_provider_networks.clone(),
        created_at: now,
        updated_at: now,
    };
    let scope = OperatorScope::command_line();
    let mut tx = context.db.begin(&scope).await?;
    let cell = crate::storage::cells::upsert(&mut tx, &scope, &cell).await?;
    tx.commit().await?;
    progress(format!("cell {} is registered", cell.id));
    Ok(cell)
}

const CELL_TAG: &str = "stepgate:cell";

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
    let cells = crate::storage::cells::list(&mut *context.db.begin(&scope).await?, &scope).await?;
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

async fn ensure_stack(
    context: &Context,
    request: &CellRequest,
    registered: Option<&Cell>,
    progress: &mut (dyn FnMut(String) + Send),
) -> anyhow::Result<crate::aws::cloudformation::Stack> {
    let stacks = Stacks {
        client: context.aws.cloudformation(&request.region),
        ids: &context.ids,
    };
    let name = stack_name(&request.name);
    // A stack whose row was lost, or never written, keeps the id that it was made with.
    let tagged = match registered {
        Some(cell) => Some(cell.id.to_string()),
        None => stacks
            .client
            .describe(&name)
            .await?
            .and_then(|stack| stack.tags.get(CELL_TAG).cloned()),
    };
    let id = tagged.unwrap_or_else(|| CellId::generate(&context.ids, context.clock.now()).to_string());
    let template = template::cell();
    let wanted = WantedStack {
        name: name.clone(),
        parameters: BTreeMap::from([
            ("CellName", request.name.clone()),
            ("TemplateDigest", template.digest.clone()),
        ]),
        template: &template,
        tags: vec![(CELL_TAG, id)],
        guarded: &["ArtifactBucket", "TriggerLogGroup"],
        create_only: &["CellName"],
        failed_before: 0,
    };
    let mut watcher = Printer { progress };
    let ensured = match stacks.ensure(&wanted, &mut watcher).await {
        Ok(ensured) => ensured,
        Err(EnsureError::FailedCreate(failure)) => {
            (watcher.progress)(format!("stack {name} failed to come up and is cleaned away"));
            stacks.clean_away(&name, &mut watcher).await.map_err(readable)?;
            return Err(readable(failure.into()));
        }
        Err(EnsureError::Step(error)) => return Err(readable(error)),
    };
    progress(format!("stack {name}: {}", ensured.done));
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
    for artifact in [&artifacts.challenge, &artifacts.verify] {
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
