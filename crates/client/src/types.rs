//! What the API answers, as far as a caller branches on it. Fields that this version does not name are in `rest`: a
//! newer service adds some, and writing an answer out again loses none.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

macro_rules! answers {
    ($($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $field_doc:literal])+ $field:ident: $type:ty,)+ })+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub struct $name {
            $($(#[doc = $field_doc])+ pub $field: $type,)+
            /// Everything else.
            #[serde(flatten)]
            pub rest: Map<String, Value>,
        }
    )+};
}

answers! {
    /// A customer: a BlockID connection and a user pool.
    Tenant {
        /// `tnt_…`
        id: String,
        /// Name, unique at the partner.
        name: String,
        /// Where it is in its life.
        state: String,
        /// Whether AWS is as asked.
        ready: bool,
        /// Grows with every accepted change.
        generation: i64,
        /// The generation that AWS was last brought to.
        observed_generation: i64,
        /// Its pool, once there is one.
        user_pool_id: Option<String>,
        /// AWS region.
        region: String,
        /// Why the last attempt failed, while it does.
        last_error: Option<Failure>,
    }

    /// A customer application.
    App {
        /// `app_…`
        id: String,
        /// Tenant it belongs to.
        tenant_id: String,
        /// Name, unique in the tenant.
        name: String,
        /// Cognito app client id, once there is one.
        client_id: Option<String>,
        /// Newest version of its policy.
        policy_version: i64,
        /// Grows with every change of name and settings; what `If-Match` takes.
        revision: i64,
    }

    /// A version of a policy.
    Policy {
        /// From 1; what `If-Match` takes.
        version: i64,
        /// The document.
        document: Value,
        /// Whether the triggers were brought to it.
        in_force: bool,
    }

    /// Accepted work and how far it is.
    Operation {
        /// `op_…`
        id: String,
        /// What was asked for.
        kind: String,
        /// `pending`, `running`, `succeeded`, `failed` or `cancelled`.
        state: String,
        /// Tenant it works on.
        tenant_id: String,
        /// What is created or changed.
        resource_id: String,
        /// Steps in order.
        steps: Vec<Step>,
        /// Why it failed.
        error: Option<Failure>,
    }

    /// One step of an operation.
    Step {
        /// Its name.
        name: String,
        /// How far it is.
        state: String,
        /// How often it was tried.
        attempts: i64,
        /// What it is doing or did.
        detail: Option<String>,
        /// Why the last try failed.
        error: Option<String>,
    }

    /// Why something did not work.
    Failure {
        /// Stable code, or AWS's error code.
        code: String,
        /// What happened.
        message: String,
    }

    /// A tenant and the operation that was opened for it.
    AcceptedTenant {
        /// As asked for.
        tenant: Tenant,
        /// The work.
        operation: Operation,
    }

    /// An app and the operation that was opened for it.
    AcceptedApp {
        /// As asked for.
        app: App,
        /// The work.
        operation: Operation,
    }

    /// A BlockID connection and the operation that was opened for its change.
    AcceptedConnection {
        /// The connection with the change that was asked for.
        connection: Value,
        /// The work.
        operation: Operation,
    }

    /// A policy version and the operation that was opened for it.
    AcceptedPolicy {
        /// The new version.
        policy: Policy,
        /// The work.
        operation: Operation,
        /// What its author should know.
        warnings: Vec<Value>,
    }
}

impl Operation {
    /// Whether nothing will change any more.
    pub fn has_ended(&self) -> bool {
        matches!(self.state.as_str(), "succeeded" | "failed" | "cancelled")
    }

    /// Whether AWS is as asked.
    pub fn succeeded(&self) -> bool {
        self.state == "succeeded"
    }
}

/// Part of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// `cursor` of the next part; `None` on the last one.
    #[serde(default)]
    pub next_cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_known_is_kept() {
        let text = json!({"name": "s", "state": "running", "attempts": 1, "detail": null, "error": null, "new": [1]});
        let step: Step = serde_json::from_value(text.clone()).unwrap();
        assert_eq!(serde_json::to_value(step).unwrap(), text);
    }
}
