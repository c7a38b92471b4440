//! `stepgatectl rotate`: another client secret, tried before it is put in force.

use crate::{
    args::Rotate,
    output::{self, Print},
};
use anyhow::Context as _;
use serde_json::{Value, json};
use std::process::ExitCode;
use stepgate_client::Client;

pub(super) async fn run(client: &Client, print: &Print, asked: &Rotate) -> anyhow::Result<ExitCode> {
    let secret = super::read_secret(&asked.client_secret_file)?;
    let connection = client.get_connection(&asked.tenant).await?;
    let mut body =
        wanted(&connection["blockid"], asked).context("the connection is of a form unknown here")?;
    body["client_secret"] = json!(secret);
    let generation = connection["generation"]
        .as_i64()
        .context("a connection without generation")?;
    let mut made = match client.put_connection(&asked.tenant, generation, &body).await {
        Ok(made) => made,
        Err(error) => return Err(output::refused(error)),
    };
    if !asked.no_wait {
        made.operation = client.wait(&made.operation.id, output::progress).await?;
        made.connection = client.get_connection(&asked.tenant).await?;
    }
    output::result(print, &made, || {
        let change = made.connection["change"]["state"].as_str().unwrap_or("-");
        format!("change {change}\n{}", output::operation_text(&made.operation))
    })?;
    Ok(if asked.no_wait {
        ExitCode::SUCCESS
    } else {
        output::code_of(&made.operation)
    })
}

/// The connection in force with what is to be another; without its secret.
fn wanted(blockid: &Value, asked: &Rotate) -> Option<Value> {
    let mut body = json!({});
    let fields = [
        ("tenant_dns", &asked.tenant_dns),
        ("community", &asked.community),
        ("client_id", &asked.client_id),
    ];
    for (name, given) in fields {
        body[name] = match given {
            Some(given) => json!(given),
            None => json!(blockid[name].as_str()?),
        };
    }
    for (name, value) in [
        ("extra_ca_pem", blockid["extra_ca_pem"].clone()),
        ("issuer", json!(asked.issuer)),
        ("confirm", json!(asked.confirm)),
        ("reason", json!(asked.reason)),
    ] {
        if !value.is_null() {
            body[name] = value;
        }
    }
    Some(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn asked() -> Rotate {
        Rotate {
            tenant: "tnt_1".into(),
            client_secret_file: PathBuf::from("-"),
            client_id: None,
            tenant_dns: None,
            community: None,
            issuer: None,
            confirm: None,
            reason: None,
            no_wait: false,
        }
    }

    #[test]
    fn what_is_not_named_stays_as_it_is() {
        let blockid = json!({ "tenant_dns": "acme.1kosmos.net", "community": "default", "client_id": "portal",
                              "extra_ca_pem": "PEM" });
        assert_eq!(wanted(&blockid, &asked()), Some(blockid.clone()));
        let mut other = asked();
        other.client_id = Some("portal-2".into());
        other.confirm = Some("c0ffee".into());
        let body = wanted(&blockid, &other).unwrap();
        assert_eq!(
            body,
            json!({ "tenant_dns": "acme.1kosmos.net", "community": "default", "client_id": "portal-2",
                    "extra_ca_pem": "PEM", "confirm": "c0ffee" })
        );
        assert_eq!(wanted(&json!({ "community": "default" }), &asked()), None);
    }
}
