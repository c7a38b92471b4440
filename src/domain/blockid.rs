//! How a tenant is known to BlockID.

use super::validation::Problems;
use blockid::{EgressPolicy, HttpClient, TenantDns};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use step_up::settings::ProviderPlace;

/// A tenant's BlockID connection without the client secret, which only passes through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(title = "BlockIdConnection")]
pub struct BlockIdConnection {
    /// Host name of the tenant at 1Kosmos, without scheme.
    #[schema(example = "acme.1kosmos.net", max_length = 253)]
    pub tenant_dns: String,
    /// Community name.
    #[schema(example = "default", max_length = 128)]
    pub community: String,
    /// OAuth client id, as registered in AdminX.
    #[schema(example = "acme-portal", max_length = 256)]
    pub client_id: String,
    /// CA certificates of the provider beside the public ones, PEM; for private installations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 16384)]
    pub extra_ca_pem: Option<String>,
}

/// Longest list of extra CA certificates, bytes: it travels in the settings secret.
pub const EXTRA_CA_MAX_BYTES: usize = 16 * 1024;

impl BlockIdConnection {
    /// Checks community and client id; the host name's turn is [`Self::place`].
    pub fn validate(&self, problems: &mut Problems) {
        problems.name("/community", &self.community, 128);
        // The community becomes one path segment of provider URLs.
        problems.require(
            !self.community.contains(['/', '\\', '?', '#', '%'])
                && !matches!(self.community.as_str(), "." | ".."),
            "/community",
            "not_a_path_segment",
            "must not contain `/`, `\\`, `?`, `#` or `%`",
        );
        problems.name("/client_id", &self.client_id, 256);
        // HTTP Basic separates id and secret by a colon.
        problems.require(
            self.client_id
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b':'),
            "/client_id",
            "invalid_character",
            "must consist of printable ASCII characters without `:` and spaces",
        );
        if let Some(pem) = &self.extra_ca_pem {
            let egress = EgressPolicy {
                extra_ca_pem: Some(pem.clone()),
                ..EgressPolicy::default()
            };
            problems.require(
                pem.len() <= EXTRA_CA_MAX_BYTES,
                "/extra_ca_pem",
                "too_long",
                format!("must have at most {EXTRA_CA_MAX_BYTES} bytes"),
            );
            problems.require(
                HttpClient::new(egress).is_ok(),
                "/extra_ca_pem",
                "not_certificates",
                "must be one or more CA certificates in PEM form",
            );
        }
    }

    /// Whether both are of one community at one host, so that a secret of the one is a secret of the other.
    pub fn same_place(&self, other: &Self) -> bool {
        self.tenant_dns == other.tenant_dns && self.community == other.community
    }

    /// The credentials document of the tenant's cell.
    pub fn credentials(&self, client_secret: &SecretString) -> step_up::settings::Credentials {
        step_up::settings::Credentials {
            client_id: self.client_id.clone(),
            client_secret: client_secret.expose_secret().to_owned(),
            issued_by: Some(ProviderPlace {
                tenant_dns: self.tenant_dns.clone(),
                community: self.community.clone(),
            }),
        }
    }

    /// Checks the host name under the rules of the cell the tenant goes to, and brings it to its one form.
    pub fn place(&mut self, policy: &EgressPolicy, problems: &mut Problems) {
        match TenantDns::parse(&self.tenant_dns, policy) {
            Ok(host) => self.tenant_dns = host.to_string(),
            Err(error) => problems.add("/tenant_dns", error.code(), error.to_string()),
        }
    }
}

/// Checks a client secret without repeating it.
pub fn validate_client_secret(secret: &str, problems: &mut Problems) {
    problems.require(!secret.is_empty(), "/client_secret", "empty", "must not be empty");
    problems.require(
        secret.len() <= 1024,
        "/client_secret",
        "too_long",
        "must have at most 1024 characters",
    );
    problems.require(
        secret.bytes().all(|byte| (0x20..0x7f).contains(&byte)),
        "/client_secret",
        "invalid_character",
        "must consist of printable ASCII characters",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extra_ca_that_is_none_is_refused_and_not_repeated() {
        let connection = BlockIdConnection {
            tenant_dns: "acme.1kosmos.net".into(),
            community: "default".into(),
            client_id: "x".into(),
            extra_ca_pem: Some("canary".into()),
        };
        let mut problems = Problems::new();
        connection.validate(&mut problems);
        let error = problems.finish().unwrap_err();
        assert_eq!(error.fields()[0].code, "not_certificates");
        assert!(!format!("{error:?}").contains("canary"));
    }

    #[test]
    fn a_host_name_is_brought_to_one_form_and_places_inside_are_refused() {
        let connection = |tenant_dns: &str| BlockIdConnection {
            tenant_dns: tenant_dns.into(),
            community: "default".into(),
            client_id: "x".into(),
            extra_ca_pem: None,
        };
        let mut problems = Problems::new();
        let mut fine = connection("Acme.1Kosmos.net");
        fine.place(&EgressPolicy::default(), &mut problems);
        assert_eq!(fine.tenant_dns, "acme.1kosmos.net");
        problems.finish().unwrap();
        for bad in [
            "https://acme.1kosmos.net",
            "127.0.0.1:1",
            "localhost",
            "u@acme.1kosmos.net",
            "169.254.169.254",
            "",
        ] {
            let mut problems = Problems::new();
            connection(bad).place(&EgressPolicy::default(), &mut problems);
            assert_eq!(
                problems.finish().unwrap_err().fields()[0].pointer,
                "/tenant_dns",
                "{bad}"
            );
        }
    }
}
