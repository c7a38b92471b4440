//! AWS clients and the process environment, read once at start.

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::time::Duration;

/// Time for a TCP and TLS connection, ms.
const CONNECT_TIMEOUT_MS: u64 = 800;
/// Time for one try of a call, ms: a regional service that takes longer is tried again.
const ATTEMPT_TIMEOUT_MS: u64 = 1_000;
/// Time for a call with its retries, ms.
const CALL_TIMEOUT_MS: u64 = 1_800;

/// The functions' environment, set by the tenant's template.
#[derive(Debug, Clone)]
pub struct Environment {
    /// `STEPGATE_TENANT_ID`
    pub tenant_id: String,
    /// `STEPGATE_SETTINGS_SECRET_ARN`
    pub settings_secret_arn: String,
    /// `STEPGATE_CREDENTIALS_SECRET_ARN`; only *verify* has it.
    pub credentials_secret_arn: String,
    /// `STEPGATE_POLICIES_TABLE`
    pub policies_table: String,
    /// `STEPGATE_POLICY_SECRET_ARN`; only of the standalone template, whose one policy item is there instead.
    pub policy_secret_arn: Option<String>,
    /// `STEPGATE_RECORDS_TABLE`
    pub records_table: String,
    /// `STEPGATE_DEV_INSECURE_LOOPBACK`: plain HTTP to loopback, for development. Never set by the template.
    pub insecure_loopback: bool,
    /// `AWS_ENDPOINT_URL`, which the AWS clients obey as well.
    pub endpoint: Option<String>,
}

impl Environment {
    /// Reads the environment. What is missing is empty: then nothing can be read and everything is refused,
    /// with a reason in the log, which says more than a function that does not start.
    pub fn read() -> Self {
        let variable = |name: &str| std::env::var(name).unwrap_or_default();
        Self {
            tenant_id: variable("STEPGATE_TENANT_ID"),
            settings_secret_arn: variable("STEPGATE_SETTINGS_SECRET_ARN"),
            credentials_secret_arn: variable("STEPGATE_CREDENTIALS_SECRET_ARN"),
            policies_table: variable("STEPGATE_POLICIES_TABLE"),
            policy_secret_arn: Some(variable("STEPGATE_POLICY_SECRET_ARN")).filter(|arn| !arn.is_empty()),
            records_table: variable("STEPGATE_RECORDS_TABLE"),
            insecure_loopback: variable("STEPGATE_DEV_INSECURE_LOOPBACK") == "1",
            endpoint: Some(variable("AWS_ENDPOINT_URL")).filter(|url| !url.is_empty()),
        }
    }
}

/// Whom AWS's certificates may be from: the authorities that are compiled in, as for the provider. Reading those of the machine
/// is work for every start.
fn trusted_pem() -> String {
    let mut pem = String::new();
    for certificate in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        STANDARD.encode_string(certificate, &mut pem);
        pem.push_str("\n-----END CERTIFICATE-----\n");
    }
    pem
}

/// The configuration all clients share: TLS by rustls on ring, and timeouts that fit into a sign-in.
pub async fn config() -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring));
    let trusted = TrustStore::empty().with_pem_certificate(trusted_pem());
    let http = match TlsContext::builder().with_trust_store(trusted).build() {
        Ok(context) => http.tls_context(context),
        // Those of the machine, then.
        Err(_) => http,
    };
    let http = http.build_https();
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .retry_config(RetryConfig::standard().with_max_attempts(2))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_millis(CONNECT_TIMEOUT_MS))
                .operation_attempt_timeout(Duration::from_millis(ATTEMPT_TIMEOUT_MS))
                .operation_timeout(Duration::from_millis(CALL_TIMEOUT_MS))
                .build(),
        )
        .load()
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::{CertificateDer, pem::PemObject as _};

    #[test]
    fn every_authority_that_is_compiled_in_can_be_read() {
        let mut roots = rustls::RootCertStore::empty();
        let pem = trusted_pem();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots.add(certificate.expect("PEM")).expect("a certificate");
        }
        assert_eq!(roots.len(), webpki_root_certs::TLS_SERVER_ROOT_CERTS.len());
        assert!(roots.len() > 50);
    }
}
