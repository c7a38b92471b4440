//! `stepgatectl call`: any operation of the API.

use crate::output::{self, Print};
use anyhow::Context as _;
use serde_json::Value;
use std::{path::Path, process::ExitCode};
use stepgate_client::Client;

pub(super) async fn run(
    client: &Client,
    print: &Print,
    (method, path): (&str, &str),
    body: Option<&Path>,
    if_match: Option<i64>,
) -> anyhow::Result<ExitCode> {
    let method = method
        .to_uppercase()
        .parse()
        .with_context(|| format!("`{method}` is not a method"))?;
    anyhow::ensure!(path.starts_with('/'), "the path begins with `/`");
    let mut call = client.call(method, path);
    if let Some(body) = body {
        call = call.body(&super::read_json(body)?);
    }
    if let Some(revision) = if_match {
        call = call.if_match(revision);
    }
    let text = call.text().await?;
    // As it came, made readable when it is JSON.
    match serde_json::from_str::<Value>(&text) {
        Ok(value) => {
            let pretty = serde_json::to_string_pretty(&value)?;
            output::result(print, &value, || pretty)?;
        }
        Err(_) => println!("{}", text.trim_end()),
    }
    Ok(ExitCode::SUCCESS)
}
