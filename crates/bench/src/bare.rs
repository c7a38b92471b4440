//! What *verify* asks of others, and nothing else: the limit that its own time is measured against.
//!
//! The calls are those of `crates/triggers/src/verify/` for a right answer by a user without a link, in the same order and
//! as parallel: the round is claimed, the code exchanged, both sides of the link looked up, the success stored.

use crate::stage::RECORDS;
use anyhow::Context as _;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use std::collections::HashMap;

/// Clients as the function has them.
pub(crate) struct Bare {
    dynamodb: Client,
    http: reqwest::Client,
    token_endpoint: String,
}

impl Bare {
    pub(crate) async fn new(address: &str) -> anyhow::Result<Self> {
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let config = aws_config::defaults(aws_config::BehaviorVersion::latest())
            .http_client(http)
            .endpoint_url(format!("http://{address}"))
            .region(aws_config::Region::new("eu-central-1"))
            .credentials_provider(aws_credential_types::Credentials::new(
                "bench",
                "not-a-secret",
                None,
                None,
                "bench",
            ))
            .load()
            .await;
        Ok(Self {
            dynamodb: Client::new(&config),
            http: reqwest::Client::builder().no_proxy().build()?,
            token_endpoint: format!("http://{address}/oauth2/community/default/v1/token"),
        })
    }

    /// One round of calls.
    pub(crate) async fn round(&self, number: u32) -> anyhow::Result<()> {
        let journey = format!("jrn_{number}");
        let claim = vec![
            put(&journey, 3)?,
            count(&journey, "attempts")?,
            count("user#ada", "attempts#h")?,
            count("user#ada", "attempts#d")?,
        ];
        self.transact(claim).await?;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", "code-of-the-bench"),
            ("redirect_uri", "http://127.0.0.1/admin/default/post_stepup"),
            ("code_verifier", "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv"),
        ];
        let answer = self
            .http
            .post(&self.token_endpoint)
            .basic_auth("bench-client", Some("not-a-secret"))
            .form(&form)
            .send()
            .await?
            .error_for_status()?;
        anyhow::ensure!(!answer.bytes().await?.is_empty(), "an empty answer");
        tokio::try_join!(self.look_up("user#ada"), self.look_up("subject#ada"))?;
        let success = vec![
            put("user#ada", 8)?,
            put("subject#ada", 8)?,
            put(&format!("grant#{journey}"), 12)?,
            put(&format!("evidence#{journey}"), 12)?,
            count(&journey, "round#1")?,
            count("user#ada", "attempts#h")?,
            count("user#ada", "attempts#d")?,
        ];
        self.transact(success).await
    }

    async fn transact(&self, items: Vec<TransactWriteItem>) -> anyhow::Result<()> {
        let call = self
            .dynamodb
            .transact_write_items()
            .set_transact_items(Some(items));
        call.send().await.context("a transaction")?;
        Ok(())
    }

    async fn look_up(&self, pk: &str) -> anyhow::Result<()> {
        let call = self
            .dynamodb
            .get_item()
            .table_name(RECORDS)
            .set_key(Some(key(pk, "link")))
            .consistent_read(true);
        call.send().await.context("a lookup")?;
        Ok(())
    }
}

fn key(pk: &str, sk: &str) -> HashMap<String, AttributeValue> {
    [("pk", pk), ("sk", sk)]
        .map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned())))
        .into()
}

/// An item with so many attributes.
fn put(pk: &str, attributes: usize) -> anyhow::Result<TransactWriteItem> {
    let mut item = key(pk, "sk");
    let value = || AttributeValue::S("a text of twenty-six letters".to_owned());
    item.extend((0..attributes).map(|attribute| (format!("attribute_{attribute}"), value())));
    let put = Put::builder()
        .table_name(RECORDS)
        .set_item(Some(item))
        .condition_expression("attribute_not_exists(pk)")
        .build()?;
    Ok(TransactWriteItem::builder().put(put).build())
}

fn count(pk: &str, sk: &str) -> anyhow::Result<TransactWriteItem> {
    let number = |value: &str| AttributeValue::N(value.to_owned());
    let update = Update::builder()
        .table_name(RECORDS)
        .set_key(Some(key(pk, sk)))
        .update_expression("ADD attempts :one SET expires_at_unix_s = :expires")
        .condition_expression("attribute_not_exists(attempts) OR attempts < :limit")
        .expression_attribute_values(":one", number("1"))
        .expression_attribute_values(":limit", number("10"))
        .expression_attribute_values(":expires", number("1800000000"))
        .build()?;
    Ok(TransactWriteItem::builder().update(update).build())
}
