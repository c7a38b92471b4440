//! What the service is about, without I/O: values, states and the changes that are allowed.
//!
//! States are enums that carry their data; a transition consumes the old value and may refuse. Input is
//! checked by `validate` functions that collect every problem into [`validation::Problems`], with JSON
//! pointers relative to the value, so that a caller hears of all of them at once.

pub mod actor;
pub mod alarm;
pub mod api_key;
pub mod app;
pub mod app_client;
pub mod audit;
pub mod audit_diff;
pub mod blockid;
pub mod cell;
pub mod condition;
pub mod confirmation;
pub mod connection_change;
pub mod connection_check;
pub mod console_session;
pub mod deletion;
pub mod drift;
mod email_sender;
pub mod exemption;
pub mod method;
pub(crate) mod object;
pub mod operation;
pub mod partner;
pub mod pilot;
pub mod policy;
pub mod pool;
pub mod provisioning;
pub mod registration;
pub mod rollout;
pub mod tenant;
pub mod tenant_overview;
pub mod user;
pub mod validation;
pub mod webhook;

/// An enum whose variants have a stable text form, in the database and in JSON.
macro_rules! text_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $doc:literal])+ $variant:ident => $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[doc = $doc])+ #[serde(rename = $text)] $variant,)+ }

        impl $name {
            /// The stable text form.
            pub const fn as_str(self) -> &'static str { match self { $(Self::$variant => $text,)+ } }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::Error;

            fn from_str(text: &str) -> $crate::Result<Self> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    other => Err($crate::Error::internal(anyhow::anyhow!(concat!("`{}` is not a ", stringify!($name)), other))),
                }
            }
        }

        // By hand: utoipa's derive does not see a `rename` whose text comes from a macro, and would show Rust's names.
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                let meanings = [$(($text, concat!($($doc,)+)),)+].map(|(text, doc)| format!("`{text}`: {}", doc.trim()));
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .description(Some(meanings.join(" ")))
                    .enum_values(Some([$($text,)+]))
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {}

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(self.as_str()) }
        }
    };
}
pub(crate) use text_enum;
