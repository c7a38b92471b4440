//! An issuer's metadata (OpenID Connect Discovery 1.0).

use blockid::{HttpClient, http::METADATA_BODY_LIMIT_BYTES};
use serde_json::{Map, Value};
use std::time::Instant;

/// The document, about the very issuer that was asked.
#[derive(Debug, Clone)]
pub(super) struct Metadata(Map<String, Value>);

impl Metadata {
    /// Reads it where section 4 says it is.
    pub(super) async fn read(client: &HttpClient, issuer: &str, deadline: Instant) -> anyhow::Result<Self> {
        let base = issuer.trim_end_matches('/');
        let url = format!("{base}/.well-known/openid-configuration");
        let answer = client.get(&url, METADATA_BODY_LIMIT_BYTES, deadline).await?;
        anyhow::ensure!(answer.status == 200, "discovery answered {}", answer.status);
        let metadata = Self(answer.json()?);
        anyhow::ensure!(
            metadata.text("issuer")? == issuer,
            "the discovery document is about another issuer"
        );
        Ok(metadata)
    }

    /// A text that must be there.
    pub(super) fn text(&self, name: &str) -> anyhow::Result<&str> {
        self.0
            .get(name)
            .and_then(Value::as_str)
            .ok_or_else(|| anyhow::anyhow!("the discovery document names no {name}"))
    }
}
