//! `stepgatectl onboard`: a tenant, waited for, and maybe a first app.

use crate::{
    args::Onboard,
    output::{self, Print},
};
use anyhow::Context as _;
use serde_json::{Value, json};
use std::process::ExitCode;
use stepgate_client::{Client, types::Operation};

pub(super) async fn run(client: &Client, print: &Print, asked: &Onboard) -> anyhow::Result<ExitCode> {
    let secret = super::read_secret(&asked.client_secret_file)?;
    let mut body = match &asked.settings {
        Some(path) => super::read_json(path)?,
        None => json!({}),
    };
    let fields = body
        .as_object_mut()
        .context("--settings must hold a JSON object")?;
    fields.insert("name".into(), json!(asked.name));
    fields.insert(
        "blockid".into(),
        json!({
            "tenant_dns": asked.tenant_dns, "community": asked.community, "client_id": asked.client_id,
            "client_secret": secret,
        }),
    );
    if asked.sandbox {
        fields.insert("sandbox".into(), json!(true));
    }
    let made = client.create_tenant(&body).await?;
    let tenant_id = made.tenant.id.clone();
    let mut operations = vec![made.operation];
    let mut app_id = None;
    // Both are asked for before anything is waited for: one pass of the worker brings about both.
    if let Some(name) = &asked.app {
        let app = json!({ "name": name, "allowed_origins": asked.origin });
        let made = client.create_app(&tenant_id, &app).await?;
        app_id = Some(made.app.id);
        operations.push(made.operation);
    }
    if !asked.no_wait {
        for operation in &mut operations {
            *operation = client.wait(&operation.id, output::progress).await?;
        }
    }
    let tenant = client.get_tenant(&tenant_id).await?;
    let app = match &app_id {
        Some(id) => Some(client.get_app(&tenant_id, id).await?),
        None => None,
    };
    let result = json!({ "tenant": tenant, "app": app, "operations": operations });
    output::result(print, &result, || text(&result))?;
    let failed = operations.iter().find(|operation| !operation.succeeded());
    Ok(match failed {
        Some(operation) if !asked.no_wait => output::code_of(operation),
        _ => ExitCode::SUCCESS,
    })
}

fn text(result: &Value) -> String {
    let field = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let tenant = &result["tenant"];
    let mut lines = vec![
        format!("tenant     {}", field(&tenant["id"])),
        format!("region     {}", field(&tenant["region"])),
        format!("user pool  {}", field(&tenant["user_pool_id"])),
    ];
    if result["app"].is_object() {
        lines.push(format!("app        {}", field(&result["app"]["id"])));
        lines.push(format!("client     {}", field(&result["app"]["client_id"])));
    }
    let ended = |operation: &Operation| (!operation.succeeded()).then(|| output::operation_text(operation));
    let operations: Vec<Operation> = serde_json::from_value(result["operations"].clone()).unwrap_or_default();
    lines.extend(operations.iter().filter_map(ended));
    lines.join("\n")
}
