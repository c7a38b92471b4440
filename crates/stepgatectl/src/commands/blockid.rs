//! `stepgatectl blockid`: connections, looked at and checked.

use crate::{
    args::BlockId,
    output::{self, Print},
};
use serde_json::{Value, json};
use std::process::ExitCode;
use stepgate_client::Client;

pub(super) async fn run(client: &Client, print: &Print, command: BlockId) -> anyhow::Result<ExitCode> {
    match command {
        BlockId::Get { tenant } => {
            let connection = client.get_connection(&tenant).await?;
            output::result(print, &connection, || {
                let field = |value: &Value| value.as_str().unwrap_or("-").to_owned();
                let blockid = &connection["blockid"];
                [
                    format!("host       {}", field(&blockid["tenant_dns"])),
                    format!("community  {}", field(&blockid["community"])),
                    format!("client     {}", field(&blockid["client_id"])),
                    format!("issuer     {}", field(&connection["issuer"])),
                    format!("change     {}", field(&connection["change"]["state"])),
                ]
                .join("\n")
            })?;
            Ok(ExitCode::SUCCESS)
        }
        BlockId::Check { tenant } => report(print, &client.check_tenant_connection(&tenant).await?),
        BlockId::Preflight {
            tenant_dns,
            community,
            client_id,
            client_secret_file,
        } => {
            let body = json!({
                "tenant_dns": tenant_dns, "community": community, "client_id": client_id,
                "client_secret": super::read_secret(&client_secret_file)?,
            });
            report(print, &client.check_connection(&body).await?)
        }
    }
}

/// Prints what a check found; exit code 1 when sign-ins cannot work.
fn report(print: &Print, report: &Value) -> anyhow::Result<ExitCode> {
    output::result(print, report, || text(report))?;
    Ok(if report["usable"] == true {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(output::NO)
    })
}

fn text(report: &Value) -> String {
    let mut lines = vec![if report["usable"] == true {
        "usable".to_owned()
    } else {
        "not usable".to_owned()
    }];
    for check in report["checks"].as_array().into_iter().flatten() {
        let field = |name: &str| check[name].as_str().unwrap_or_default();
        let line = format!(
            "  {:<8} {:<16} {}",
            field("outcome"),
            field("name"),
            field("detail")
        );
        lines.push(line.trim_end().to_owned());
        if !field("hint").is_empty() {
            lines.push(format!("  {:<25} {}", "", field("hint")));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_shows_each_check_with_its_hint() {
        let report = json!({ "usable": false, "checks": [
            { "name": "host", "outcome": "passed", "detail": "1.2.3.4", "hint": null },
            { "name": "client_secret", "outcome": "failed", "detail": "invalid_client", "hint": "Look in AdminX." },
        ]});
        assert_eq!(
            text(&report),
            "not usable\n  passed   host             1.2.3.4\n  failed   client_secret    invalid_client\n                            Look in AdminX."
        );
    }
}
