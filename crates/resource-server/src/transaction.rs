//! The canonical form of a transaction and its hash.
//!
//! A step-up for an action can be bound to one transaction: app and resource server compute the same
//! `action_ref` from what is to be done, the app hands it in with the step-up, the token brings it
//! back. Both sides must then agree on bytes, so the canonical form is kept as small as possible:
//!
//! - one JSON object whose values are all strings (amounts too: `"12.50"` has one spelling, `12.5` many),
//! - member names of ASCII letters, digits, `_`, `-`, `.`, sorted by code,
//! - no white space; strings escaped as RFC 8785, section 3.2.2.2.
//!
//! For such objects this is RFC 8785 (JSON Canonicalization Scheme). `action_ref` is the SHA-256 of the
//! UTF-8 bytes, base64url without padding: 43 characters.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use subtle::ConstantTimeEq as _;

/// What is to be done, as named text fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transaction {
    fields: BTreeMap<String, String>,
}

impl Transaction {
    /// A transaction without fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field. Put in everything the user agrees to, with the spelling that the user was shown.
    ///
    /// Characters that a name may not have are dropped; a name given twice keeps the later value.
    #[must_use]
    pub fn field(mut self, name: &str, value: &str) -> Self {
        let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let name = name.chars().filter(allowed).collect();
        self.fields.insert(name, value.to_owned());
        self
    }

    /// The bytes that are hashed.
    pub fn canonical(&self) -> String {
        let mut out = String::from("{");
        for (index, (name, value)) in self.fields.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            push_json_string(&mut out, name);
            out.push(':');
            push_json_string(&mut out, value);
        }
        out.push('}');
        out
    }

    /// SHA-256 of [`Self::canonical`], base64url without padding.
    pub fn action_ref(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.canonical().as_bytes()))
    }

    /// Whether `claimed` is this transaction's `action_ref`, compared in constant time.
    pub fn is_named_by(&self, claimed: &str) -> bool {
        self.action_ref().as_bytes().ct_eq(claimed.as_bytes()).into()
    }
}

/// RFC 8785, section 3.2.2.2: escape what JSON demands, in its shortest form, and nothing else.
fn push_json_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            control if control < ' ' => {
                out.push_str("\\u00");
                let code = u32::from(control);
                for digit in [code >> 4, code & 0xf] {
                    out.push(char::from_digit(digit, 16).unwrap_or('0'));
                }
            }
            plain => out.push(plain),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transfer() -> Transaction {
        Transaction::new()
            .field("to", "DE02 1203")
            .field("amount", "12.50")
            .field("currency", "EUR")
    }

    #[test]
    fn the_order_in_which_fields_are_given_does_not_matter() {
        assert_eq!(
            transfer().canonical(),
            r#"{"amount":"12.50","currency":"EUR","to":"DE02 1203"}"#
        );
    }

    // Computed independently: printf '%s' '{"amount":"12.50",…}' | openssl dgst -sha256 -binary | basenc --base64url
    #[test]
    fn the_hash_is_the_one_that_others_compute() {
        assert_eq!(
            transfer().action_ref(),
            "xcrfel8ixYpftSqjoe7feGG_-OjdMXpqAURF2ylOEaw"
        );
        assert_eq!(
            Transaction::new().action_ref(),
            "RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o"
        );
    }

    #[test]
    fn text_is_escaped_as_browsers_do() {
        let odd = Transaction::new().field("note", "a\"b\\c\n\u{1}\u{1f}é€😀</script>\u{2028}\u{7f}");
        assert_eq!(
            odd.canonical(),
            "{\"note\":\"a\\\"b\\\\c\\n\\u0001\\u001fé€😀</script>\u{2028}\u{7f}\"}"
        );
    }

    #[test]
    fn a_field_cannot_pretend_to_be_two() {
        let one = Transaction::new().field("a", "1\",\"b\":\"2");
        let two = Transaction::new().field("a", "1").field("b", "2");
        assert_ne!(one.action_ref(), two.action_ref());
    }

    #[test]
    fn every_change_changes_the_hash() {
        let paid = transfer();
        assert!(paid.is_named_by(&transfer().action_ref()));
        for other in [
            transfer().field("amount", "12.51"),
            transfer().field("x", ""),
            Transaction::new(),
        ] {
            assert!(!paid.is_named_by(&other.action_ref()));
        }
        for text in [
            "",
            "x",
            &paid.action_ref()[..42],
            &format!("{}=", paid.action_ref()),
        ] {
            assert!(!paid.is_named_by(text), "{text}");
        }
    }
}
