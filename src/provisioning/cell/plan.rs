//! What `stepgate cell apply` would change, without changing it.
//!
//! The stack's part is CloudFormation's own word: a change set is made, read and thrown away. What it would lose is
//! judged as `apply` judges it.

use super::{CellRequest, Ground, readable, release, wanted_stack};
use crate::{
    Context,
    aws::cloudformation::{ResourceChange, Stack},
    domain::{
        actor::OperatorScope,
        audit_diff,
        cell::{Cell, release_name},
    },
    ids::CellId,
    provisioning::{
        stacks::{Preview, Stacks, WantedStack},
        template,
    },
    storage,
};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// What would change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CellPlan {
    /// The cell, where it is registered.
    pub cell_id: Option<CellId>,
    /// AWS account.
    pub account_id: String,
    /// AWS region.
    pub region: String,
    /// Its stack.
    pub stack: StackPlan,
    /// Artifacts that would be uploaded, by key.
    pub uploads: Vec<String>,
    /// The release that would be registered, unless the cell has it.
    pub new_release: Option<String>,
    /// What would become of the release that new tenants get.
    pub current_release: Change<Option<String>>,
    /// Fields of the cell's row that would change: `{"changes": {pointer: {"from", "to"}}}`, or `null`.
    pub registration: Value,
}

/// From what to what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change<T> {
    /// Now.
    pub from: T,
    /// Then.
    pub to: T,
}

/// What would become of the stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StackPlan {
    /// Its name.
    pub name: String,
    /// What would be done.
    pub action: StackAction,
    /// Parameters that would change; what a parameter is not set to, is empty.
    pub parameters: BTreeMap<String, Change<String>>,
    /// Resources that would change.
    pub resources: Vec<ResourceChange>,
    /// Why `apply` would refuse.
    pub refused: Option<String>,
}

/// What would be done to a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StackAction {
    /// It is made.
    Create,
    /// It is changed.
    Change,
    /// Nothing.
    None,
}

impl CellPlan {
    /// Whether `apply` would change anything.
    pub fn changes(&self) -> bool {
        self.stack.action != StackAction::None
            || !self.uploads.is_empty()
            || self.new_release.is_some()
            || self.current_release.from != self.current_release.to
            || !self.registration.is_null()
    }

    /// The plan for people, one line a change.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("account {}, region {}", self.account_id, self.region)];
        let stack = &self.stack;
        lines.push(match stack.action {
            StackAction::Create => format!("+ stack {}", stack.name),
            StackAction::Change => format!("~ stack {}", stack.name),
            StackAction::None => format!("  stack {} is as wanted", stack.name),
        });
        for (name, Change { from, to }) in &stack.parameters {
            lines.push(format!("  ~ parameter {name}: {from:?} -> {to:?}"));
        }
        for change in &stack.resources {
            let sign = match change.action.as_str() {
                "Add" => '+',
                "Remove" => '-',
                _ => '~',
            };
            let anew = if change.replaces { ", made anew" } else { "" };
            lines.push(format!(
                "  {sign} {} ({}){anew}",
                change.logical_id, change.resource_type
            ));
        }
        lines.extend(
            stack
                .refused
                .iter()
                .map(|refusal| format!("! refused: {refusal}")),
        );
        lines.extend(self.uploads.iter().map(|key| format!("+ upload {key}")));
        lines.extend(self.new_release.iter().map(|name| format!("+ release {name}")));
        let Change { from, to } = &self.current_release;
        if from != to {
            let named = |name: &Option<String>| name.clone().unwrap_or_else(|| "nothing".to_owned());
            lines.push(format!(
                "~ new tenants get {} instead of {}",
                named(to),
                named(from)
            ));
        }
        if let Some(changes) = self.registration["changes"].as_object() {
            for (pointer, change) in changes {
                lines.push(format!(
                    "~ cell {pointer}: {} -> {}",
                    change["from"], change["to"]
                ));
            }
        }
        lines.push(if self.changes() {
            "`stepgate cell apply` with the same arguments makes these changes.".to_owned()
        } else {
            "Nothing would change.".to_owned()
        });
        lines
    }
}

/// Says what [`super::apply`] would change for this request.
pub async fn plan(context: &Context, request: &CellRequest) -> anyhow::Result<CellPlan> {
    let ground = Ground::survey(context, request).await?;
    let context = &ground.context;
    let template = template::cell();
    let key = Some(ground.artifacts.forwarder.key.as_str());
    let wanted = wanted_stack(context, request, ground.registered.as_ref(), key, &template).await?;
    let stacks = Stacks {
        client: context.aws.cloudformation(&request.region),
        ids: &context.ids,
    };
    let present = stacks.client.describe(&wanted.name).await?;
    let uploads = missing_artifacts(&ground, request, present.as_ref()).await?;
    let stack = plan_stack(&stacks, &wanted, present.as_ref()).await?;
    let artifacts = ground.artifacts.registered();
    let name = release_name(&artifacts, &template::tenant().digest);
    let (is_new, current_release) = plan_release(context, ground.registered.as_ref(), &name).await?;
    Ok(CellPlan {
        cell_id: ground.registered.as_ref().map(|cell| cell.id),
        registration: plan_registration(ground.registered.as_ref(), request)?,
        account_id: ground.account_id,
        region: request.region.clone(),
        stack,
        uploads,
        new_release: is_new.then_some(name),
        current_release,
    })
}

async fn missing_artifacts(
    ground: &Ground,
    request: &CellRequest,
    stack: Option<&Stack>,
) -> anyhow::Result<Vec<String>> {
    let bucket = stack.and_then(|stack| stack.outputs.get("ArtifactBucketName"));
    let s3 = ground.context.aws.s3(&request.region);
    let artifacts = &ground.artifacts;
    let mut missing = Vec::new();
    for artifact in [&artifacts.challenge, &artifacts.verify, &artifacts.forwarder] {
        let there = match bucket {
            Some(bucket) => s3.has(bucket, &artifact.key, &artifact.sha256_base64).await?,
            None => false,
        };
        if !there {
            missing.push(artifact.key.clone());
        }
    }
    Ok(missing)
}

async fn plan_stack(
    stacks: &Stacks<'_>,
    wanted: &WantedStack<'_>,
    present: Option<&Stack>,
) -> anyhow::Result<StackPlan> {
    let parameters = wanted.parameters.iter().filter_map(|(name, to)| {
        let from = present.and_then(|stack| stack.parameters.get(*name));
        let from = from.cloned().unwrap_or_default();
        (from != *to).then(|| ((*name).to_owned(), Change { from, to: to.clone() }))
    });
    let plan = |action, resources, refused| StackPlan {
        name: wanted.name.clone(),
        action,
        parameters: parameters.collect(),
        resources,
        refused,
    };
    let Some(stack) = present else {
        return Ok(plan(StackAction::Create, Vec::new(), None));
    };
    let preview = stacks.preview(wanted, stack).await;
    let Preview { changes, refusal } = preview.map_err(readable)?;
    let action = if changes.is_empty() && refusal.is_none() {
        StackAction::None
    } else {
        StackAction::Change
    };
    Ok(plan(action, changes, refusal.map(|refusal| refusal.message)))
}

/// Whether the cell lacks a release of this name, and what would become of the one that new tenants get.
async fn plan_release(
    context: &Context,
    registered: Option<&Cell>,
    name: &str,
) -> anyhow::Result<(bool, Change<Option<String>>)> {
    let Some(cell) = registered else {
        let to = Some(name.to_owned());
        return Ok((true, Change { from: None, to }));
    };
    let scope = OperatorScope::command_line();
    let mut db = context.db.begin(&scope).await?;
    let releases = storage::releases::list(&mut db, &scope, cell.id).await?;
    let tenants = storage::cells::head_room(&mut db, cell, context.clock.now())
        .await?
        .tenants;
    let known = releases.iter().find(|release| release.name == name);
    let current = releases
        .iter()
        .find(|release| Some(release.id) == cell.release_id);
    let from = current.map(|release| release.name.clone());
    let changes = match known {
        Some(known) => release::becomes_current(cell, known, tenants),
        None => cell.release_id.is_none() || tenants == 0,
    };
    let to = if changes {
        Some(name.to_owned())
    } else {
        from.clone()
    };
    Ok((known.is_none(), Change { from, to }))
}

/// What of the row comes from the request alone; the rest comes out of the stack.
fn plan_registration(registered: Option<&Cell>, request: &CellRequest) -> anyhow::Result<Value> {
    let Some(cell) = registered else {
        return Ok(Value::Null);
    };
    let then = Cell {
        architecture: request.architecture,
        access: request.access.clone(),
        allowed_provider_networks: request.allowed_provider_networks.clone(),
        ..cell.clone()
    };
    Ok(audit_diff::diff(cell, &then)?)
}
