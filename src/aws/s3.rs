//! S3: trigger artifacts in the bucket of a cell.

use super::{AwsError, calls::observed};
use aws_config::SdkConfig;
use aws_sdk_s3::{Client, primitives::ByteStream, types::ChecksumMode};

/// S3 of one region.
#[derive(Debug, Clone)]
pub struct S3 {
    client: Client,
}

impl S3 {
    /// A client for the region of `config`.
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            client: observed!(aws_sdk_s3, config),
        }
    }

    /// Whether the object is there with exactly this digest (SHA-256, base64).
    pub async fn has(&self, bucket: &str, key: &str, sha256_base64: &str) -> Result<bool, AwsError> {
        let head = self
            .client
            .head_object()
            .bucket(bucket)
            .key(key)
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await;
        match head {
            Ok(head) => Ok(head.checksum_sha256() == Some(sha256_base64)),
            Err(error) => {
                let error = AwsError::from_sdk("s3:HeadObject", &error);
                if error.is_not_found() {
                    Ok(false)
                } else {
                    Err(error)
                }
            }
        }
    }

    /// Stores the object; S3 refuses it when the bytes do not have this digest (SHA-256, base64).
    pub async fn put(
        &self,
        bucket: &str,
        key: &str,
        bytes: Vec<u8>,
        sha256_base64: &str,
    ) -> Result<(), AwsError> {
        let put = self
            .client
            .put_object()
            .bucket(bucket)
            .key(key)
            .content_type("application/zip")
            .checksum_sha256(sha256_base64)
            .body(ByteStream::from(bytes))
            .send()
            .await;
        put.map(drop)
            .map_err(|error| AwsError::from_sdk("s3:PutObject", &error))
    }
}
