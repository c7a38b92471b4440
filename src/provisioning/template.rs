//! The CloudFormation templates, compiled in.

use sha2::{Digest, Sha256};

/// A template and its digest, which is a parameter and an output of the stack: a stack that runs another template
/// is seen without fetching it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The text, YAML.
    pub body: &'static str,
    /// SHA-256, hex.
    pub digest: String,
}

/// The template of a tenant's stack.
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
    fn new(body: &'static str) -> Self {
        Self {
            body,
            digest: sha256_hex(&[body]),
        }
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
    fn texts_are_told_apart() {
        assert_ne!(sha256_hex(&["ab", "c"]), sha256_hex(&["a", "bc"]));
    }
}
