//! `stepgate probe`: asks for a URL, for images and clusters where no other program can.

use anyhow::{Context as _, bail};
use clap::Args;
use std::time::Duration;
use url::Url;

/// Time for the whole answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Arguments of `stepgate probe`.
#[derive(Debug, Args)]
pub struct ProbeArgs {
    /// What to ask for, for example `http://stepgate/readyz`.
    url: Url,
}

/// Asks once, directly: no proxy, no redirect.
pub async fn run(arguments: ProbeArgs) -> anyhow::Result<()> {
    let url = arguments.url;
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(TIMEOUT)
        .build()?;
    let answer = client.get(url.clone()).send().await;
    let status = answer.with_context(|| format!("{url} does not answer"))?.status();
    if !status.is_success() {
        bail!("{url} answers {status}");
    }
    Ok(())
}
