//! JSON objects only.
//!
//! serde's derived structs also read arrays, field by field in order: `["Acme"]` would be a partner. Types
//! that callers send are derived under `#[serde(remote = "Self")]`, which makes the derived code an inherent
//! function, and get the trait from here: an object goes to the derived code, anything else is refused.

/// Implements `Deserialize` for types derived under `#[serde(remote = "Self")]`; with `and Serialize`, that too.
macro_rules! objects_only {
    ($($name:ident),+ and Serialize) => {
        $crate::domain::object::objects_only!($($name),+);
        $(impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $name::serialize(self, serializer)
            }
        })+
    };
    ($($name:ident),+) => {$(
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;

                impl<'de> serde::de::Visitor<'de> for Visitor {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<$name, A::Error> {
                        $name::deserialize(serde::de::value::MapAccessDeserializer::new(map))
                    }
                }

                deserializer.deserialize_map(Visitor)
            }
        }
    )+};
}
pub(crate) use objects_only;
