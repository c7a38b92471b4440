//! The tie between a BlockID subject and a Cognito user, and the fields in which the `records` table holds it.
//!
//! A link is two items with the same fields, one under the user and one under the subject ([`crate::record_keys`]),
//! so that each side has at most one. *verify* writes them for a first link by name or address, the control plane
//! for an administrator; both through [`Link::fields`] and [`Link::from_fields`], so that the two cannot drift apart.

/// The tie between a BlockID subject and a Cognito user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Cognito `sub`.
    pub user_sub: String,
    /// `iss` of the provider.
    pub issuer: String,
    /// `sub` at the provider.
    pub subject: String,
    /// Community it was made in.
    pub community: String,
    /// How it came about: `username`, `verified_email`, [`BY_ADMINISTRATOR`].
    pub made_by: String,
    /// Who made it, where that was a caller of the control plane.
    pub actor: Option<String>,
    /// When, s.
    pub made_at_unix_s: i64,
}

/// [`Link::made_by`] of a link that an administrator made.
pub const BY_ADMINISTRATOR: &str = "administrator";

/// The value of one attribute of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// Text.
    Text(String),
    /// A whole number.
    Number(i64),
}

impl Field {
    fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(_) => None,
        }
    }

    fn into_number(self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Text(_) => None,
        }
    }
}

impl Link {
    /// Attributes of either item, beside its key.
    pub fn fields(&self) -> Vec<(&'static str, Field)> {
        let text = |value: &String| Field::Text(value.clone());
        let mut fields = vec![
            ("user_sub", text(&self.user_sub)),
            ("issuer", text(&self.issuer)),
            ("subject", text(&self.subject)),
            ("community", text(&self.community)),
            ("made_by", text(&self.made_by)),
            ("made_at_unix_s", Field::Number(self.made_at_unix_s)),
        ];
        fields.extend(self.actor.as_ref().map(|actor| ("actor", text(actor))));
        fields
    }

    /// Reads an item by its attributes; `None` when one is missing or of another type.
    pub fn from_fields(field: impl Fn(&str) -> Option<Field>) -> Option<Self> {
        let text = |name: &str| field(name)?.into_text();
        Some(Self {
            user_sub: text("user_sub")?,
            issuer: text("issuer")?,
            subject: text("subject")?,
            community: text("community")?,
            made_by: text("made_by")?,
            // Links by name or address have no actor, nor have those of older versions.
            actor: text("actor"),
            made_at_unix_s: field("made_at_unix_s")?.into_number()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn link(actor: Option<&str>) -> Link {
        Link {
            user_sub: "u".to_owned(),
            issuer: "https://acme.1kosmos.example".to_owned(),
            subject: "s".to_owned(),
            community: "default".to_owned(),
            made_by: BY_ADMINISTRATOR.to_owned(),
            actor: actor.map(str::to_owned),
            made_at_unix_s: 1_800_000_000,
        }
    }

    #[test]
    fn a_link_survives_being_stored_with_and_without_an_actor() {
        for link in [link(None), link(Some("key_1"))] {
            let stored: BTreeMap<_, _> = link.fields().into_iter().collect();
            assert_eq!(Link::from_fields(|name| stored.get(name).cloned()), Some(link));
        }
    }

    #[test]
    fn an_item_that_lacks_anything_else_is_no_link() {
        let stored: BTreeMap<_, _> = link(Some("key_1")).fields().into_iter().collect();
        for missing in stored.keys().filter(|name| **name != "actor") {
            let read = Link::from_fields(|name| stored.get(name).filter(|_| name != *missing).cloned());
            assert_eq!(read, None, "without {missing}");
        }
        let mistyped = Link::from_fields(|name| match name {
            "made_at_unix_s" => Some(Field::Text("1800000000".to_owned())),
            name => stored.get(name).cloned(),
        });
        assert_eq!(mistyped, None);
    }
}
