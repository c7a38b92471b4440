//! The CloudFormation templates, compiled in.

use crate::domain::provisioning::Desired;
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// A template and its digest, which is a parameter and an output of the stack: a stack that runs another template
/// is seen without fetching it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The text, YAML.
    pub body: Cow<'static, str>,
    /// SHA-256, hex.
    pub digest: String,
}

/// The template that a tenant's stack is to run: that of its release, else the one compiled in.
pub fn of(desired: &Desired) -> Template {
    match &desired.release {
        Some(release) => Template::new(release.template_body.clone()),
        None => tenant(),
    }
}

/// The template of a tenant's stack that this binary brings.
pub fn tenant() -> Template {
    Template::new(include_str!("templates/tenant.yaml"))
}

/// The template of a cell's stack.
pub fn cell() -> Template {
    Template::new(include_str!("templates/cell.yaml"))
}

/// The template for people who deploy by hand; see its own description.
pub fn standalone() -> Template {
    Template::new(include_str!("templates/standalone.yaml"))
}

impl Template {
    fn new(body: impl Into<Cow<'static, str>>) -> Self {
        let body = body.into();
        Self {
            digest: sha256_hex(&[&body]),
            body,
        }
    }

    /// Whether the template has such a parameter: those of an earlier release may lack some. Reads the way in which our
    /// templates are written, where parameters stand two spaces in, below `Parameters:`.
    pub fn declares(&self, parameter: &str) -> bool {
        let mut lines = self
            .body
            .lines()
            .skip_while(|line| *line != "Parameters:")
            .skip(1);
        let of_the_block = |line: &&str| line.is_empty() || line.starts_with([' ', '#']);
        lines
            .by_ref()
            .take_while(of_the_block)
            .any(|line| line.strip_prefix("  ").and_then(|line| line.strip_suffix(':')) == Some(parameter))
    }
}

/// SHA-256 over texts, hex; for digests and for request tokens that are stable over repeats. The texts are told
/// apart by a zero byte.
pub fn sha256_hex(texts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            hash.update([0]);
        }
        hash.update(text.as_bytes());
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CloudFormation takes 51,200 bytes of template in a request.
    #[test]
    fn templates_fit_into_a_request() {
        for template in [tenant(), cell(), standalone()] {
            assert!(template.body.len() < 51_200, "{} bytes", template.body.len());
        }
    }

    #[test]
    fn parameters_are_known_by_name_and_nothing_else_is() {
        let template = tenant();
        for name in ["TenantId", "ChallengeArtifactKey", "EmailSesIdentityArn"] {
            assert!(template.declares(name), "{name}");
        }
        for name in ["UserPool", "Type", "IsKept", "TenantIdx", ""] {
            assert!(!template.declares(name), "{name}");
        }
    }

    #[test]
    fn texts_are_told_apart() {
        assert_ne!(sha256_hex(&["ab", "c"]), sha256_hex(&["a", "bc"]));
    }
}
