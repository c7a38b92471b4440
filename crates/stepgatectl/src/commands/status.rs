//! `stepgatectl status` and `tenants`.

use crate::{
    args::Status,
    output::{self, Print},
};
use serde_json::json;
use std::process::ExitCode;
use stepgate_client::{Client, Error, types::Operation, types::Tenant};

pub(super) async fn run(client: &Client, print: &Print, asked: &Status) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    if asked.watch {
        for operation in open(client, &asked.tenant).await? {
            let ended = client.wait(&operation.id, output::progress).await?;
            if !ended.succeeded() {
                code = output::code_of(&ended);
            }
        }
    }
    let tenant = client.get_tenant(&asked.tenant).await?;
    let apps = client.list_apps(&asked.tenant, &[("limit", "200")]).await?;
    let operations = open(client, &asked.tenant).await?;
    let result = json!({ "tenant": tenant, "apps": apps.items, "open_operations": operations });
    output::result(print, &result, || {
        let mut lines = vec![line(&tenant)];
        if let Some(failure) = &tenant.last_error {
            lines.push(format!("  last error: {} ({})", failure.message, failure.code));
        }
        lines.extend(conditions(&tenant));
        for app in &apps.items {
            let client_id = app.client_id.as_deref().unwrap_or("no client yet");
            lines.push(format!(
                "  app {}  {}  {client_id}  policy {}",
                app.id, app.name, app.policy_version
            ));
        }
        lines.extend(operations.iter().map(output::operation_text));
        lines.join("\n")
    })?;
    Ok(code)
}

/// What is out of the ordinary: conditions that hold and need somebody's eye.
fn conditions(tenant: &Tenant) -> Vec<String> {
    let conditions = tenant.rest.get("conditions").and_then(|all| all.as_array());
    let worth = ["Failing", "Drifted", "RotationPending", "Suspended"];
    let text = |condition: &serde_json::Value, name: &str| {
        let text = condition[name].as_str().unwrap_or_default();
        text.to_owned()
    };
    conditions
        .into_iter()
        .flatten()
        .filter(|one| one["status"] == "True" && worth.contains(&text(one, "type").as_str()))
        .map(|one| {
            let line = format!(
                "  {} since {}: {} {}",
                text(one, "type"),
                text(one, "last_transition_time"),
                text(one, "reason"),
                text(one, "message")
            );
            line.trim_end().to_owned()
        })
        .collect()
}

/// Operations of a tenant that have not ended, oldest first.
async fn open(client: &Client, tenant: &str) -> Result<Vec<Operation>, Error> {
    let mut open = Vec::new();
    for state in ["pending", "running"] {
        let query = [("tenant_id", tenant), ("state", state), ("limit", "200")];
        open.extend(client.list_operations(&query).await?.items);
    }
    open.sort_by(|one, other| one.id.cmp(&other.id));
    open.dedup_by(|one, other| one.id == other.id);
    Ok(open)
}

pub(super) async fn list(client: &Client, print: &Print) -> anyhow::Result<ExitCode> {
    let mut tenants = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut query = vec![("limit", "200")];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = client.list_tenants(&query).await?;
        tenants.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    output::result(print, &tenants, || {
        let lines: Vec<_> = tenants.iter().map(line).collect();
        lines.join("\n")
    })?;
    Ok(ExitCode::SUCCESS)
}

fn line(tenant: &Tenant) -> String {
    let ready = if tenant.ready { "ready" } else { "not ready" };
    let pool = tenant.user_pool_id.as_deref().unwrap_or("no pool yet");
    format!(
        "{}  {}  {}, {ready}  {pool}",
        tenant.id, tenant.name, tenant.state
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_needs_an_eye_is_shown() {
        let condition = |kind: &str, status: &str, message: &str| {
            json!({ "type": kind, "status": status, "reason": "Why", "message": message,
                "last_transition_time": "2026-01-05T10:00:00Z" })
        };
        let tenant: Tenant = serde_json::from_value(json!({
            "id": "tnt_x", "name": "Acme", "state": "active", "ready": true, "generation": 1,
            "observed_generation": 1, "user_pool_id": null, "region": "eu-central-1", "last_error": null,
            "conditions": [
                condition("Ready", "True", ""),
                condition("Drifted", "True", "2 differences"),
                condition("Suspended", "False", ""),
                condition("RotationPending", "True", ""),
            ],
        }))
        .unwrap();
        assert_eq!(
            conditions(&tenant),
            [
                "  Drifted since 2026-01-05T10:00:00Z: Why 2 differences",
                "  RotationPending since 2026-01-05T10:00:00Z: Why"
            ]
        );
    }
}
