//! Rows of tenants from what AWS holds of them, for an installation whose database is lost.
//!
//! A tenant's stack says by its tags whose it is; its `settings` secret and the items of its `policies` table hold what
//! the triggers must know, and beside that, for this day, what they need not ([`crate::domain::registration`]). Nothing
//! in AWS is changed. A tenant that has a row is left alone, so repeating it adds what is missing and nothing else.

use super::{artifacts, steps::stack_outputs, template::sha256_hex};
use crate::{
    Context,
    aws::{cloudformation::Stack, dynamodb::StoredPolicy},
    domain::{
        actor::OperatorScope,
        audit::{AuditAction, AuditEntry},
        blockid::BlockIdConnection,
        cell::{Cell, Release, release_name},
        method::TenantMethods,
        provisioning::{DiscoveredProvider, Observed, ObservedRelease, StackOutputs},
        registration::{AppRegistration, TenantRegistration},
        text_enum,
    },
    ids::{CellId, ReleaseId, TenantId},
    storage::{
        self,
        audit_log::Author,
        rebuilds::{self, FoundApp, FoundTenant},
    },
    usecases::audit,
};
use anyhow::{Context as _, bail};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Serialize;
use serde_json::json;
use step_up::{policy_item::PolicyItem, settings::TenantSettings};

/// What `stepgate cell rebuild` is asked for.
#[derive(Debug, Clone)]
pub struct RebuildRequest {
    /// Region of the cell, which must be registered. The account is that of the credentials.
    pub region: String,
    /// Only this tenant.
    pub tenant_id: Option<TenantId>,
    /// Whether rows are written; else it is only told which.
    pub apply: bool,
}

text_enum! {
    /// What became of a tenant that was found.
    RebuildOutcome {
        /// It has a row, which is left as it is.
        Present => "present",
        /// It has no row and would get one.
        Missing => "missing",
        /// It has a row again.
        Rebuilt => "rebuilt",
        /// It cannot be read; `problem` says why.
        Unreadable => "unreadable",
    }
}

/// A tenant that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RebuiltTenant {
    /// Its stack.
    pub stack: String,
    /// Its id.
    pub tenant_id: TenantId,
    /// Its name.
    pub name: Option<String>,
    /// Apps that were found.
    pub apps: usize,
    /// The release that it runs, and goes on running.
    pub release: Option<String>,
    /// What became of it.
    pub outcome: RebuildOutcome,
    /// Why it could not be read.
    pub problem: Option<String>,
}

/// What a rebuild found and did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rebuild {
    /// The cell.
    pub cell_id: CellId,
    /// Every tenant that has a stack in it.
    pub tenants: Vec<RebuiltTenant>,
    /// What AWS does not hold and cannot be had back this way.
    pub lost: &'static [&'static str],
}

/// What nothing in AWS tells.
pub const LOST: &[&str] = &[
    "partners' names (a partner comes back under its id), and API keys: make new ones",
    "the audit log and its seals, operations, step-up events and reports",
    "webhooks and what they have not been told yet",
    "earlier versions of policies, and who wrote the one in force",
    "exemptions: those in force end with the next pass",
    "changes of a BlockID connection that were under way, and the connection before the last one",
    "why a tenant is suspended; a deleted one comes back suspended",
    "which tenants heal what is changed past Stepgate: each comes back reporting it",
    "rollouts that were under way: each tenant stays on the release that it runs",
];

/// Finds the tenants of a cell and, if so asked, gives those a row that have none.
pub async fn rebuild(context: &Context, request: &RebuildRequest) -> anyhow::Result<Rebuild> {
    let cell = registered_cell(context, &request.region).await?;
    let mut tenants = Vec::new();
    for stack in context.aws.cloudformation(&request.region).list().await? {
        if stack.tags.get("stepgate:cell") != Some(&cell.id.to_string()) {
            continue;
        }
        let Some(id) = stack.tags.get("stepgate:tenant").and_then(|tag| tag.parse().ok()) else {
            continue;
        };
        if request.tenant_id.is_none_or(|only| only == id) {
            tenants.push(look_at(context, &cell, (id, &stack), request.apply).await?);
        }
    }
    Ok(Rebuild {
        cell_id: cell.id,
        tenants,
        lost: LOST,
    })
}

async fn registered_cell(context: &Context, region: &str) -> anyhow::Result<Cell> {
    let account_id = context
        .aws
        .sts(region)
        .account_id()
        .await
        .context("AWS does not say who we are")?;
    let scope = OperatorScope::command_line();
    let cells = storage::cells::list(&mut *context.db.begin(&scope).await?, &scope).await?;
    cells
        .into_iter()
        .find(|cell| cell.account_id == account_id && cell.region == region)
        .with_context(|| {
            format!("account {account_id} has no registered cell in {region}: run `stepgate cell apply` first, which finds it again")
        })
}

async fn look_at(
    context: &Context,
    cell: &Cell,
    (id, stack): (TenantId, &Stack),
    apply: bool,
) -> anyhow::Result<RebuiltTenant> {
    let mut told = RebuiltTenant {
        stack: stack.id.split('/').nth(1).unwrap_or(&stack.id).to_owned(),
        tenant_id: id,
        name: None,
        apps: 0,
        release: None,
        outcome: RebuildOutcome::Present,
        problem: None,
    };
    let scope = OperatorScope::command_line();
    let mut tx = context.db.begin(&scope).await?;
    let there = rebuilds::is_there(&mut tx, &scope, id).await?;
    drop(tx);
    if there {
        return Ok(told);
    }
    let stored = async {
        let found = read(context, cell, id, stack).await?;
        told.name = Some(found.registration.name.clone());
        told.apps = found.apps.len();
        let release = release_of(context, cell, stack).await?;
        told.release = Some(release.release.name.clone());
        if apply {
            store(context, found, &release).await?;
        }
        anyhow::Ok(())
    };
    let stored = stored.await;
    match stored {
        Ok(()) if apply => told.outcome = RebuildOutcome::Rebuilt,
        Ok(()) => told.outcome = RebuildOutcome::Missing,
        // One that cannot be had back does not keep the others.
        Err(error) => {
            told.outcome = RebuildOutcome::Unreadable;
            told.problem = Some(format!("{error:#}"));
        }
    }
    Ok(told)
}

async fn read(context: &Context, cell: &Cell, id: TenantId, stack: &Stack) -> anyhow::Result<FoundTenant> {
    let Ok(outputs) = stack_outputs(stack, stack.parameters.clone()) else {
        bail!(
            "its stack is in state {} and has no outputs: it never came up",
            stack.status_text
        );
    };
    let parameter = |name: &str| {
        let value = stack.parameters.get(name).cloned();
        value.with_context(|| format!("its stack has no parameter {name}"))
    };
    let settings_arn = parameter("SettingsSecretArn")?;
    let credentials_arn = parameter("CredentialsSecretArn")?;
    let secrets = context.aws.secrets_manager(&cell.region);
    let document = secrets.value(&settings_arn).await?;
    let document = document.context("its settings secret is gone")?;
    let settings: TenantSettings =
        serde_json::from_str(&document).context("its settings secret cannot be read")?;
    if settings.tenant_id != id.to_string() {
        bail!("its settings secret is of tenant {}", settings.tenant_id);
    }
    let registration: TenantRegistration = registered(settings.registration.as_ref(), "settings secret")?;
    let partner_id = stack
        .tags
        .get("stepgate:partner")
        .and_then(|tag| tag.parse().ok());
    let items = context
        .aws
        .dynamodb(&cell.region)
        .policies(&outputs.policies_table)
        .await?;
    let apps = items.iter().map(app_of).collect::<anyhow::Result<Vec<_>>>()?;
    let blockid = BlockIdConnection {
        tenant_dns: settings.connection.tenant_dns.clone(),
        community: settings.connection.community.clone(),
        client_id: settings.connection.client_id.clone(),
        extra_ca_pem: settings.extra_ca_pem.clone(),
    };
    Ok(FoundTenant {
        id,
        partner_id: partner_id.context("its stack does not say whose it is")?,
        cell_id: cell.id,
        registration,
        methods: methods_of(&settings, &blockid),
        credentials_secret: (name_of(&credentials_arn)?, credentials_arn),
        settings_secret_name: name_of(&settings_arn)?,
        event_hash_key: BASE64_STANDARD
            .decode(&settings.event_hash_key.0)
            .context("the key in its settings secret is not base64")?,
        sandbox: parameter("Sandbox")? == "true",
        suspended: settings.suspended,
        observed: observed(settings, settings_arn, outputs, stack),
        blockid,
        apps,
    })
}

/// A release that a stack runs.
struct FoundRelease {
    release: Release,
    /// Text of its template, where it has to be registered.
    unregistered: Option<String>,
}

/// The release that a stack runs. With the database the releases are lost that `stepgate cell apply` registered before
/// the last: those are made again of what the stack says, because a tenant must not be brought to another release by
/// getting its row back.
async fn release_of(context: &Context, cell: &Cell, stack: &Stack) -> anyhow::Result<FoundRelease> {
    let parameter = |name: &str| {
        let value = stack.parameters.get(name);
        value.with_context(|| format!("its stack has no parameter {name}"))
    };
    let artifacts = artifacts::of_keys(
        parameter("ChallengeArtifactKey")?,
        parameter("VerifyArtifactKey")?,
    )?;
    let digest = parameter("TemplateDigest")?;
    let name = release_name(&artifacts, digest);
    let scope = OperatorScope::command_line();
    let known = storage::releases::named(&mut *context.db.begin(&scope).await?, cell.id, &name).await?;
    if let Some(release) = known {
        return Ok(FoundRelease {
            release,
            unregistered: None,
        });
    }
    let body = context
        .aws
        .cloudformation(&cell.region)
        .template(&stack.id)
        .await?;
    if sha256_hex(&[&body]) != *digest {
        bail!(
            "its stack's template is not the one of digest {digest}: run `stepgate cell apply` with the version and the \
             artifacts of release {name}, which registers it, and then this again"
        );
    }
    let now = context.clock.now();
    let release = Release {
        id: ReleaseId::generate(&context.ids, now),
        cell_id: cell.id,
        name,
        artifacts,
        template_sha256: digest.clone(),
        created_at: now,
    };
    Ok(FoundRelease {
        release,
        unregistered: Some(body),
    })
}

fn registered<T: serde::de::DeserializeOwned>(
    registration: Option<&serde_json::Value>,
    place: &str,
) -> anyhow::Result<T> {
    let registration = registration.with_context(|| {
        format!("its {place} was written by a version of Stepgate that did not keep what a rebuild needs")
    })?;
    serde_json::from_value(registration.clone()).with_context(|| format!("its {place} cannot be read"))
}

fn app_of(item: &StoredPolicy) -> anyhow::Result<FoundApp> {
    let item: PolicyItem = serde_json::from_str(&item.document).context("a policy item cannot be read")?;
    let registration: AppRegistration = registered(item.registration.as_ref(), "policy item")?;
    Ok(FoundApp {
        id: item.app_id.parse().context("a policy item names no app")?,
        name: registration.name,
        settings: registration.settings,
        client_id: item.client_id,
        policy_version: item.policy_version,
        policy: item.policy,
        item_generation: item.generation,
        created_at: registration.created_at,
    })
}

fn methods_of(settings: &TenantSettings, blockid: &BlockIdConnection) -> TenantMethods {
    let mut methods = TenantMethods {
        extra: settings.extra_methods.clone(),
        learned: None,
    };
    for (acr, observed) in &settings.observed_methods {
        methods.learn(blockid, acr, observed.clone());
    }
    methods
}

fn observed(
    settings: TenantSettings,
    settings_arn: String,
    outputs: StackOutputs,
    stack: &Stack,
) -> Observed {
    Observed {
        user_pool_id: stack.outputs.get("UserPoolId").cloned(),
        stack: Some(outputs),
        settings_secret_arn: Some(settings_arn),
        provider: settings.provider.map(|metadata| DiscoveredProvider {
            tenant_dns: settings.connection.tenant_dns,
            community: settings.connection.community,
            metadata,
        }),
        ..Observed::default()
    }
}

/// The name in a secret's ARN, which ends with a hyphen and six characters of AWS's own.
fn name_of(arn: &str) -> anyhow::Result<String> {
    let name = arn.rsplit_once(":secret:").map(|(_, rest)| rest);
    let name = name.and_then(|rest| Some(rest.rsplit_once('-')?.0.to_owned()));
    name.with_context(|| format!("{arn} is not the ARN of a secret"))
}

async fn store(context: &Context, mut found: FoundTenant, release: &FoundRelease) -> anyhow::Result<()> {
    let scope = OperatorScope::command_line();
    let now = context.clock.now();
    let mut tx = context.db.begin(&scope).await?;
    let release = match &release.unregistered {
        None => release.release.clone(),
        // Another tenant that runs it may have registered it by now.
        Some(body) => {
            storage::releases::register(&mut tx, &scope, &release.release, body)
                .await?
                .0
        }
    };
    found.observed.release = Some(ObservedRelease {
        id: release.id,
        name: release.name.clone(),
    });
    rebuilds::insert(&mut tx, &scope, &found, release.id, now).await?;
    let entry = AuditEntry {
        tenant_id: Some(found.id),
        resource_id: found.id.to_string(),
        action: AuditAction::TenantRebuilt,
        reason: String::new(),
        detail: json!({ "apps": found.apps.len(), "cell_id": found.cell_id, "release": release.name }),
    };
    let chain = Some(found.partner_id);
    audit::record_by(&mut tx, context, Author::COMMAND_LINE, chain, &entry, now).await?;
    storage::notify_work(&mut tx).await?;
    tx.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_s_name_is_its_arn_without_what_aws_adds() {
        let arn = "arn:aws:secretsmanager:eu-central-1:1:secret:stepgate/tnt_1/settings-abc123-Xy9ZaB";
        assert_eq!(name_of(arn).unwrap(), "stepgate/tnt_1/settings-abc123");
        assert!(name_of("arn:aws:s3:::bucket").is_err());
    }

    #[test]
    fn what_was_written_by_an_older_version_is_told_so() {
        let error = registered::<TenantRegistration>(None, "settings secret").unwrap_err();
        assert!(error.to_string().contains("version of Stepgate"), "{error}");
    }
}
