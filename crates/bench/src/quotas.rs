//! What AWS allows an account in a region by default, and how long it takes.
//!
//! Quotas: "Quotas in Amazon Cognito" (Developer Guide) gives categories of operations and, for those about app clients,
//! calls a second to one pool; "AWS Secrets Manager quotas" (User Guide) and "Lambda quotas" (Developer Guide) the rest.
//! CloudFormation publishes none: its two are what the service's own budget begins with. Latencies and the time of a
//! stack are assumptions; AWS publishes none.

use fault_proxy::{Pace, Quota};
use std::time::Duration;

/// A quota of the account.
const fn account(name: &'static str, per_second: f64, counts: fn(&str) -> bool) -> Quota {
    Quota {
        name,
        per_second,
        by_tenant: false,
        counts,
    }
}

/// A quota of each user pool, of which a tenant has one.
const fn pool(name: &'static str, counts: fn(&str) -> bool) -> Quota {
    Quota {
        name,
        per_second: 5.0,
        by_tenant: true,
        counts,
    }
}

/// Every quota that an onboarding or a look for drift meets.
pub(crate) const QUOTAS: &[Quota] = &[
    account("cognito-idp UserPoolRead", 15.0, |operation| {
        operation == "cognito-idp:DescribeUserPool"
    }),
    account("cognito-idp UserPoolUpdate", 15.0, |operation| {
        matches!(
            operation,
            "cognito-idp:AddCustomAttributes" | "cognito-idp:UpdateUserPool"
        )
    }),
    account("cognito-idp UserPoolClientRead", 15.0, |operation| {
        matches!(
            operation,
            "cognito-idp:DescribeUserPoolClient" | "cognito-idp:ListUserPoolClients"
        )
    }),
    account("cognito-idp UserPoolClientUpdate", 15.0, |operation| {
        matches!(
            operation,
            "cognito-idp:CreateUserPoolClient"
                | "cognito-idp:UpdateUserPoolClient"
                | "cognito-idp:DeleteUserPoolClient"
        )
    }),
    pool("DescribeUserPoolClient of a pool", |operation| {
        operation == "cognito-idp:DescribeUserPoolClient"
    }),
    pool("ListUserPoolClients of a pool", |operation| {
        operation == "cognito-idp:ListUserPoolClients"
    }),
    pool("CreateUserPoolClient of a pool", |operation| {
        operation == "cognito-idp:CreateUserPoolClient"
    }),
    pool("UpdateUserPoolClient of a pool", |operation| {
        operation == "cognito-idp:UpdateUserPoolClient"
    }),
    account("cloudformation Describe", 10.0, |operation| {
        operation.starts_with("cloudformation:Describe")
    }),
    account("cloudformation changes", 5.0, |operation| {
        operation.starts_with("cloudformation:") && !operation.starts_with("cloudformation:Describe")
    }),
    account("secretsmanager changes", 50.0, |operation| {
        operation.starts_with("secretsmanager:") && !is_read(operation)
    }),
    account("lambda GetFunction", 100.0, |operation| {
        operation == "lambda:GetFunctionConfiguration"
    }),
];

/// AWS with stacks that take so long.
pub(crate) fn pace(stacks_take: Duration) -> Pace {
    Pace {
        quotas: QUOTAS,
        latency,
        stacks_take,
    }
}

fn is_read(operation: &str) -> bool {
    let name = operation.split(':').nth(1).unwrap_or_default();
    ["Get", "List", "Describe"]
        .iter()
        .any(|verb| name.starts_with(verb))
}

fn latency(operation: &str) -> Duration {
    let service = operation.split(':').next().unwrap_or_default();
    Duration::from_millis(match (service, is_read(operation)) {
        ("cloudformation", true) => 120,
        ("cloudformation", false) => 400,
        ("cognito-idp", true) => 60,
        ("cognito-idp", false) => 150,
        ("iam", _) | ("secretsmanager", false) => 80,
        ("dynamodb", _) => 8,
        _ => 40,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_counts_where_aws_counts_it() {
        let counting = |operation: &str| -> Vec<&str> {
            let counting = QUOTAS.iter().filter(|quota| (quota.counts)(operation));
            counting.map(|quota| quota.name).collect()
        };
        assert_eq!(
            counting("cognito-idp:CreateUserPoolClient"),
            [
                "cognito-idp UserPoolClientUpdate",
                "CreateUserPoolClient of a pool"
            ]
        );
        assert_eq!(
            counting("cloudformation:DescribeStacks"),
            ["cloudformation Describe"]
        );
        assert_eq!(counting("cloudformation:CreateStack"), ["cloudformation changes"]);
        assert_eq!(counting("secretsmanager:GetSecretValue"), [""; 0]);
    }
}
