//! How often AWS lets an account be called, by groups of operations that it counts together.

use super::super::{text_enum, validation::Problems};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::openapi::{
    KnownFormat, ObjectBuilder, RefOr, SchemaFormat,
    schema::{AdditionalProperties, Schema, Type},
};

/// Smallest limit that is taken, calls a second. With less most calls would wait in vain for their turn and be put back.
pub const CALLS_PER_S_MIN: f64 = 0.2;
/// Largest limit that is taken, calls a second.
pub const CALLS_PER_S_MAX: f64 = 100_000.0;

text_enum! {
    /// Operations that AWS counts together.
    CallGroup {
        /// Reads of user pools.
        UserPoolRead => "cognito-idp:UserPoolRead",
        /// Changes of user pools.
        UserPoolUpdate => "cognito-idp:UserPoolUpdate",
        /// Reads of app clients.
        UserPoolClientRead => "cognito-idp:UserPoolClientRead",
        /// Changes of app clients.
        UserPoolClientUpdate => "cognito-idp:UserPoolClientUpdate",
        /// Lists of users.
        UserList => "cognito-idp:UserList",
        /// Looks at stacks and change sets.
        StackDescribe => "cloudformation:Describe",
        /// Everything else of CloudFormation.
        StackChange => "cloudformation:Change",
        /// Changes of secrets.
        SecretChange => "secretsmanager:Change",
        /// Reads of functions.
        FunctionRead => "lambda:GetFunction",
        /// Changes of functions.
        FunctionChange => "lambda:Change",
        /// Changes of tables.
        TableUpdate => "dynamodb:UpdateTable",
        /// Reads of roles and their policies.
        RoleRead => "iam:Read",
        /// Changes of roles and their policies.
        RoleChange => "iam:Change",
    }
}

impl CallGroup {
    /// Every group.
    pub const ALL: [Self; 13] = [
        Self::UserPoolRead,
        Self::UserPoolUpdate,
        Self::UserPoolClientRead,
        Self::UserPoolClientUpdate,
        Self::UserList,
        Self::StackDescribe,
        Self::StackChange,
        Self::SecretChange,
        Self::FunctionRead,
        Self::FunctionChange,
        Self::TableUpdate,
        Self::RoleRead,
        Self::RoleChange,
    ];

    /// Calls a second that AWS allows by its documentation; where it documents none, a cautious guess that adapts.
    pub const fn default_per_s(self) -> f64 {
        match self {
            // Quotas of Amazon Cognito, by category of operations; of AWS Lambda for everything but reads and invocations.
            Self::UserPoolRead
            | Self::UserPoolUpdate
            | Self::UserPoolClientRead
            | Self::UserPoolClientUpdate
            | Self::FunctionChange => 15.0,
            Self::UserList => 30.0,
            // Not documented.
            Self::RoleRead => 20.0,
            Self::StackDescribe | Self::TableUpdate => 10.0,
            Self::StackChange | Self::RoleChange => 5.0,
            // Quotas of AWS Secrets Manager: 50 changes a second.
            Self::SecretChange => 50.0,
            // Quotas of AWS Lambda: 100 reads of functions a second.
            Self::FunctionRead => 100.0,
        }
    }
}

/// Where AWS counts calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallScope {
    /// The account; `None` is that of the service's own credentials.
    pub account_id: Option<String>,
    /// The region.
    pub region: String,
}

/// Calls a second that AWS allows an account and region, by group of operations, as an operator gave them.
// Names are texts: a row that another release wrote is read all the same.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallLimits(BTreeMap<String, f64>);

// JSON has no number that differs from itself.
impl Eq for CallLimits {}

impl CallLimits {
    /// What was given for a group.
    pub fn given(&self, group: CallGroup) -> Option<f64> {
        self.0.get(group.as_str()).copied()
    }

    /// Checks what an operator gives.
    pub fn validate(&self, problems: &mut Problems) {
        for (name, per_s) in &self.0 {
            let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            if !CallGroup::ALL.iter().any(|group| group.as_str() == name) {
                let known = CallGroup::ALL.map(CallGroup::as_str).join("`, `");
                problems.add(
                    &pointer,
                    "unknown",
                    format!("is none of the groups of operations: `{known}`"),
                );
            } else if !(CALLS_PER_S_MIN..=CALLS_PER_S_MAX).contains(per_s) {
                let detail = format!("must be from {CALLS_PER_S_MIN} to {CALLS_PER_S_MAX} calls a second");
                problems.add(&pointer, "out_of_range", detail);
            }
        }
    }
}

// By hand, so that the document names the groups.
impl utoipa::PartialSchema for CallLimits {
    fn schema() -> RefOr<Schema> {
        let mut object = ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some(
                "Calls a second that AWS allows the account and region, by group of operations that it counts together.",
            ))
            .examples([serde_json::json!({"cognito-idp:UserPoolUpdate": 30})])
            .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)));
        for group in CallGroup::ALL {
            let limit = ObjectBuilder::new()
                .schema_type(Type::Number)
                .format(Some(SchemaFormat::KnownFormat(KnownFormat::Double)))
                .description(Some(format!(
                    "By default {} calls a second.",
                    group.default_per_s()
                )))
                .minimum(Some(CALLS_PER_S_MIN))
                .maximum(Some(CALLS_PER_S_MAX));
            object = object.property(group.as_str(), limit);
        }
        object.into()
    }
}

impl utoipa::ToSchema for CallLimits {}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(given: &str) -> Vec<(String, String)> {
        let limits: CallLimits = serde_json::from_str(given).unwrap();
        let mut problems = Problems::new();
        limits.validate(&mut problems);
        problems.finish().map_or_else(
            |error| {
                let of = |field: &crate::error::FieldError| (field.pointer.clone(), field.code.clone());
                error.fields().iter().map(of).collect()
            },
            |()| Vec::new(),
        )
    }

    #[test]
    fn groups_are_taken_by_name_with_rates_that_let_calls_through() {
        let every: BTreeMap<&str, f64> = CallGroup::ALL
            .iter()
            .map(|group| (group.as_str(), group.default_per_s()))
            .collect();
        assert_eq!(every.len(), CallGroup::ALL.len());
        assert_eq!(problems(&serde_json::to_string(&every).unwrap()), []);
        let refused = |pointer: &str, code: &str| vec![(pointer.to_owned(), code.to_owned())];
        assert_eq!(problems(r#"{"iam:a/b": 1}"#), refused("/iam:a~1b", "unknown"));
        for rate in ["0", "-1", "0.19", "100001"] {
            let given = format!(r#"{{"lambda:GetFunction": {rate}}}"#);
            assert_eq!(
                problems(&given),
                refused("/lambda:GetFunction", "out_of_range"),
                "{rate}"
            );
        }
    }

    #[test]
    fn every_group_is_on_the_page_with_its_default() {
        let page = include_str!("../../../docs/cells.md");
        for group in CallGroup::ALL {
            let row = format!("| `{group}` | {} |", group.default_per_s());
            assert!(page.contains(&row), "docs/cells.md has no row `{row} …`");
        }
    }
}
