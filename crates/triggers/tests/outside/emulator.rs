//! The AWS emulator, in an account of this test process.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use std::path::Path;

/// An access key id of twelve digits is an account of its own there.
pub(crate) const ACCESS_KEY_ID: &str = "480017650921";
pub(crate) const REGION: &str = "eu-central-1";

/// A variable of the test environment: from the process, else from the file that `cargo xtask services` writes.
pub(crate) fn variable(name: &str) -> Option<String> {
    if let Ok(value) = std::env::var(name) {
        return Some(value);
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.stepgate/services.env");
    let text = std::fs::read_to_string(file).ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
}

pub(crate) fn endpoint() -> String {
    variable("STEPGATE_TEST_AWS_ENDPOINT_URL").unwrap_or_else(|| {
        panic!("STEPGATE_TEST_AWS_ENDPOINT_URL is not set and .stepgate/services.env is not there; run `cargo xtask services`")
    })
}

pub(crate) async fn config() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(endpoint())
        .credentials_provider(aws_sdk_dynamodb::config::Credentials::new(
            ACCESS_KEY_ID,
            "test",
            None,
            None,
            "test",
        ))
        .http_client(
            aws_smithy_http_client::Builder::new()
                .tls_provider(aws_smithy_http_client::tls::Provider::Rustls(
                    aws_smithy_http_client::tls::rustls_provider::CryptoMode::Ring,
                ))
                .build_https(),
        )
        .load()
        .await
}

/// A name nobody else uses.
pub(crate) fn unique(prefix: &str) -> String {
    let mut bytes = [0_u8; 8];
    triggers::random::Random::fill(&triggers::random::OsRandom, &mut bytes).expect("entropy");
    format!("{prefix}-{}", hex::encode(bytes))
}

/// Makes a table; a new name each time, so tests cannot meet.
pub(crate) async fn table(client: &aws_sdk_dynamodb::Client, prefix: &str, keys: &[&str]) -> String {
    let name = unique(prefix);
    let mut request = client
        .create_table()
        .table_name(&name)
        .billing_mode(BillingMode::PayPerRequest);
    for (index, key) in keys.iter().enumerate() {
        let key_type = if index == 0 { KeyType::Hash } else { KeyType::Range };
        request = request
            .attribute_definitions(
                AttributeDefinition::builder()
                    .attribute_name(*key)
                    .attribute_type(ScalarAttributeType::S)
                    .build()
                    .expect("attribute"),
            )
            .key_schema(
                KeySchemaElement::builder()
                    .attribute_name(*key)
                    .key_type(key_type)
                    .build()
                    .expect("key"),
            );
    }
    request.send().await.expect("the emulator makes a table");
    name
}
