//! Compares everything in AWS that a tenant's step-up rests on with what is wanted. Reads only.
//!
//! | module | compares |
//! | --- | --- |
//! | `place` | nothing: where a difference is, how bad that is, whether it can be written back |
//! | `pool` | the user pool and its app clients |
//! | `functions` | code, settings and environment of the functions, and their roles |
//! | `documents` | what the triggers read: secrets, their policies, the items of the `policies` table |
//! | this one | the stack |
//!
//! What is wanted comes from the same functions by which the steps write it ([`super::wanted`]), for a tenant whose last
//! change has arrived. To compare something new: a variant of [`Place`], and a line where it is read.

mod documents;
mod functions;
mod place;
mod pool;

pub(super) use functions::role_name;
pub use place::Place;

use super::{template, wanted};
use crate::{
    Context,
    aws::AwsError,
    domain::{
        drift::{Comparison, Finding},
        provisioning::{Desired, StackOutputs},
    },
};
use serde_json::{Value, json};

/// A difference.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Where.
    pub place: Place,
    /// What is wanted; `null`: nothing.
    pub wanted: Value,
    /// What is there; `null`: nothing.
    pub observed: Value,
}

/// What was compared so far.
struct Look<'a> {
    context: &'a Context,
    desired: &'a Desired,
    outputs: &'a StackOutputs,
    differences: Vec<Difference>,
    not_checked: Vec<String>,
}

/// Differences, and what could not be compared.
#[derive(Debug, Default)]
pub struct Looked {
    /// Differences.
    pub differences: Vec<Difference>,
    /// What could not be compared, and why.
    pub not_checked: Vec<String>,
}

/// Compares a tenant. About thirty calls, and two more for each app.
pub async fn look(context: &Context, desired: &Desired) -> Result<Looked, AwsError> {
    let (Some(outputs), Some(pool_id)) = (&desired.observed.stack, &desired.observed.user_pool_id) else {
        return Ok(Looked {
            not_checked: vec!["everything: the tenant's stack is not known".to_owned()],
            ..Looked::default()
        });
    };
    let mut look = Look {
        context,
        desired,
        outputs,
        differences: Vec::new(),
        not_checked: Vec::new(),
    };
    look.stack().await?;
    look.pool(pool_id).await?;
    look.clients(pool_id).await?;
    look.functions().await?;
    look.secrets().await?;
    look.policies().await?;
    Ok(Looked {
        differences: look.differences,
        not_checked: look.not_checked,
    })
}

impl Look<'_> {
    fn region(&self) -> &str {
        &self.desired.cell.region
    }

    fn differs(&mut self, place: Place, wanted: Value, observed: Value) {
        self.differences.push(Difference {
            place,
            wanted,
            observed,
        });
    }

    /// Whether the functions and roles are made by the template that the tenant is to have.
    fn template_is_known(&self) -> bool {
        self.outputs.parameters.get("TemplateDigest") == Some(&template::of(self.desired).digest)
    }

    async fn stack(&mut self) -> Result<(), AwsError> {
        let cloudformation = self.context.aws.cloudformation(self.region());
        let outputs = self.outputs;
        let Some(stack) = cloudformation.describe(&outputs.stack_id).await? else {
            self.differs(Place::Stack, json!(wanted::stack_name(self.desired)), Value::Null);
            return Ok(());
        };
        if !stack.termination_protection {
            self.differs(Place::StackProtection, json!(true), json!(false));
        }
        for (name, wanted) in &outputs.parameters {
            let found = stack.parameters.get(name);
            if found != Some(wanted) {
                self.differs(Place::StackParameter(name.clone()), json!(wanted), json!(found));
            }
        }
        if outputs.parameters.is_empty() {
            let why = "parameters of the stack: it was last changed by an earlier version of Stepgate";
            self.not_checked.push(why.to_owned());
        }
        Ok(())
    }
}

impl From<Looked> for Comparison {
    fn from(looked: Looked) -> Self {
        let finding = |difference: Difference| Finding {
            path: difference.place.to_string(),
            severity: difference.place.severity(),
            healable: difference.place.is_healable(),
            wanted: difference.wanted,
            observed: difference.observed,
        };
        Self {
            findings: looked.differences.into_iter().map(finding).collect(),
            not_checked: looked.not_checked,
        }
    }
}
