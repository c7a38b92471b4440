//! What the control plane may do in AWS: the policies of its roles, made from the list of what it does there.
//!
//! [`statements`] gives that list. Each statement names the calls of ours that it is for (`calls`), what
//! CloudFormation does in our name for a type of resource (`on_behalf`: it acts with the rights of its caller), and, for
//! the permissions boundary, what the functions do. Its actions follow from them; nothing is allowed that nobody does.
//!
//! The same list is shipped as JSON (`stepgate cell policy`), in `templates/access.yaml` and as a table in
//! `docs/iam.md`; tests hold them against it. To add a call: a verb in [`crate::aws`], its name in the statement of
//! what it touches, then `stepgate cell policy --as template` and `--as page`.

mod render;
mod stack_statements;
mod statements;

pub use render::{refreshed_page, refreshed_template};
pub use statements::WITHOUT_PERMISSION;

use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Name of the policy that bounds what the functions' roles can ever do; under the path `/stepgate/`.
pub const BOUNDARY_NAME: &str = "stepgate-functions";
/// ARN of that policy, to be completed.
const BOUNDARY_ARN: &str = "arn:{partition}:iam::{account}:policy/stepgate/stepgate-functions";

/// A policy of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Document {
    /// Of the API's role.
    Serve,
    /// Of the worker's role: stacks and what CloudFormation makes of them.
    WorkerStacks,
    /// Of the worker's role: what it does itself.
    WorkerData,
    /// The boundary of every role that the worker makes.
    Boundary,
}

impl Document {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Serve, Self::WorkerStacks, Self::WorkerData, Self::Boundary];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::WorkerStacks => "worker-stacks",
            Self::WorkerData => "worker-data",
            Self::Boundary => BOUNDARY_NAME,
        }
    }
}

/// What one role may do with one kind of thing.
#[derive(Debug, Clone, Copy)]
pub struct Statement {
    /// Its name in the policy.
    pub sid: &'static str,
    /// The policy that it is in.
    pub document: Document,
    /// Why, for people.
    pub why: &'static str,
    /// Calls of ours, as [`crate::aws::AwsError`] names them.
    pub calls: &'static [&'static str],
    /// What CloudFormation does in our name: type of resource, actions.
    pub on_behalf: &'static [(&'static str, &'static [&'static str])],
    /// What the functions do.
    pub functions: &'static [&'static str],
    /// ARNs; `{partition}`, `{region}` and `{account}` are to be completed.
    pub resources: &'static [&'static str],
    /// Operator, key and value that must hold as well.
    pub condition: Option<(&'static str, &'static str, &'static str)>,
}

/// Where a policy is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `aws`, `aws-us-gov`, `aws-cn`.
    pub partition: String,
    /// The cell's account.
    pub account: String,
    /// The cell's region; `*` for every one.
    pub region: String,
}

impl Place {
    fn complete(&self, arn: &str) -> String {
        arn.replace("{partition}", &self.partition)
            .replace("{account}", &self.account)
            .replace("{region}", &self.region)
    }
}

impl Statement {
    /// The actions that it allows, in order.
    pub fn actions(&self) -> BTreeSet<&'static str> {
        let calls = self.calls.iter().flat_map(|call| permissions_of(call));
        let on_behalf = self.on_behalf.iter().flat_map(|(_, actions)| *actions);
        calls.chain(on_behalf).chain(self.functions).copied().collect()
    }

    /// The statement as IAM takes it.
    pub fn json(&self, place: &Place) -> Value {
        let resources: Vec<_> = self.resources.iter().map(|arn| place.complete(arn)).collect();
        let mut statement = json!({
            "Sid": self.sid, "Effect": "Allow", "Action": self.actions(), "Resource": resources
        });
        if let Some((operator, key, value)) = self.condition {
            statement["Condition"] = json!({ operator: { key: place.complete(value) } });
        }
        statement
    }
}

/// Everything that the control plane and its functions may do.
pub fn statements() -> impl Iterator<Item = &'static Statement> {
    stack_statements::STATEMENTS.iter().chain(statements::STATEMENTS)
}

/// The statements of a policy.
pub fn statements_of(document: Document) -> impl Iterator<Item = &'static Statement> {
    statements().filter(move |statement| statement.document == document)
}

/// A policy as IAM takes it.
pub fn policy(document: Document, place: &Place) -> Value {
    let statements: Vec<_> = statements_of(document)
        .map(|statement| statement.json(place))
        .collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// What IAM asks for when a call is made; most often an action of the call's name.
fn permissions_of(call: &'static &'static str) -> &'static [&'static str] {
    match *call {
        "cloudformation:CreateStack" => &["cloudformation:CreateStack", "cloudformation:TagResource"],
        "cloudformation:CreateChangeSet" => &[
            "cloudformation:CreateChangeSet",
            "cloudformation:TagResource",
            "cloudformation:UntagResource",
        ],
        "dynamodb:TransactWriteItems" => &["dynamodb:DeleteItem", "dynamodb:PutItem"],
        // Without the right to list, S3 answers 403 for what is not there.
        "s3:HeadObject" => &["s3:GetObject", "s3:ListBucket"],
        "secretsmanager:CreateSecret" => &["secretsmanager:CreateSecret", "secretsmanager:TagResource"],
        "sqs:DeleteMessageBatch" => &["sqs:DeleteMessage"],
        _ => std::slice::from_ref(call),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            partition: "aws".to_owned(),
            account: "111122223333".to_owned(),
            region: "eu-central-1".to_owned(),
        }
    }

    /// The SDK calls in the source of `crate::aws`, as service and operation: `self.client.describe_stacks()`, and the
    /// names that its errors carry, `"cloudformation:DescribeStacks"`.
    fn calls_in_source() -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/aws")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                let file = path
                    .strip_prefix(concat!(env!("CARGO_MANIFEST_DIR"), "/src/aws"))
                    .unwrap();
                let file = file.components().next().unwrap().as_os_str().to_str().unwrap();
                let service = match file.trim_end_matches(".rs") {
                    "cognito" => "cognito-idp",
                    "records" => "dynamodb",
                    same => same,
                };
                // Names of the budget's groups are not calls.
                if file != "budget.rs" {
                    found.extend(text.split('"').filter(|part| is_call(part)).map(str::to_owned));
                }
                let dense: String = text.split_whitespace().collect();
                for after in dense.split("self.client.").skip(1) {
                    let name: String = after
                        .chars()
                        .take_while(|one| one.is_ascii_lowercase() || *one == '_' || one.is_ascii_digit())
                        .collect();
                    if after[name.len()..].starts_with('(') {
                        found.insert(format!("{service}:{}", named(&name)));
                    }
                }
            }
        }
        found
    }

    fn is_call(text: &str) -> bool {
        text.split_once(':').is_some_and(|(service, name)| {
            !service.is_empty()
                && service
                    .bytes()
                    .all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == b'-')
                && name.starts_with(|one: char| one.is_ascii_uppercase())
                && name.bytes().all(|one| one.is_ascii_alphanumeric())
        })
    }

    /// `invoke` is `InvokeFunction` to IAM; everything else has the name of the API.
    fn named(snake: &str) -> String {
        if snake == "invoke" {
            return "InvokeFunction".to_owned();
        }
        let parts = snake.split('_').map(|part| {
            let (first, rest) = part.split_at(1);
            first.to_ascii_uppercase() + rest
        });
        parts.collect()
    }

    #[test]
    fn every_call_of_the_sdk_is_in_the_list_and_nothing_else_is() {
        let source = calls_in_source();
        assert!(source.len() > 30, "the source was not read: {source:?}");
        let listed: BTreeSet<String> = statements()
            .flat_map(|statement| statement.calls)
            .chain(WITHOUT_PERMISSION)
            .map(|call| (*call).to_owned())
            .collect();
        let missing: Vec<_> = source.difference(&listed).collect();
        assert!(
            missing.is_empty(),
            "no statement in src/provisioning/access/ is for {missing:?}"
        );
        let gone: Vec<_> = listed.difference(&source).collect();
        assert!(gone.is_empty(), "listed, but nothing in src/aws/ calls {gone:?}");
    }

    #[test]
    fn every_type_of_resource_in_the_templates_is_in_the_list_and_no_other() {
        let templates = [
            crate::provisioning::template::tenant(),
            crate::provisioning::template::cell(),
        ];
        let used: BTreeSet<&str> = templates
            .iter()
            .flat_map(|template| template.body.lines())
            .filter_map(|line| line.strip_prefix("    Type: "))
            .filter(|kind| kind.starts_with("AWS::"))
            .collect();
        let listed: BTreeSet<&str> = statements()
            .flat_map(|statement| statement.on_behalf)
            .map(|(kind, _)| *kind)
            .collect();
        assert_eq!(used, listed);
    }

    #[test]
    fn nothing_is_allowed_by_wildcard_but_where_aws_knows_no_resource() {
        for statement in statements() {
            for action in statement.actions() {
                assert!(
                    !action.contains('*') && action.contains(':'),
                    "{}: {action}",
                    statement.sid
                );
            }
            let everything = statement.resources.contains(&"*");
            assert_eq!(
                everything,
                ["FindStacks", "Looks", "MakePools"].contains(&statement.sid),
                "{}: only what has no resource yet, or none ever, or is a list of all, may be about `*`",
                statement.sid
            );
            for arn in statement.resources.iter().filter(|arn| **arn != "*") {
                // The one thing without a name of ours is a pool, whose id is Cognito's.
                assert!(
                    arn.contains("stepgate")
                        || arn.contains(":userpool/")
                        || arn.contains("/aws-service-role/"),
                    "{}: {arn}",
                    statement.sid
                );
            }
        }
    }

    #[test]
    fn nobody_but_the_functions_may_read_a_client_secret() {
        let reads = [
            "secretsmanager:GetSecretValue",
            "secretsmanager:BatchGetSecretValue",
        ];
        for statement in statements().filter(|one| one.document != Document::Boundary) {
            if reads.iter().any(|read| statement.actions().contains(read)) {
                assert!(
                    statement.resources.iter().all(|arn| arn.ends_with("/settings-*")),
                    "{}: {:?}",
                    statement.sid,
                    statement.resources
                );
            }
        }
    }

    #[test]
    fn roles_are_made_only_within_the_boundary_and_handed_only_to_lambda() {
        for statement in statements() {
            for action in statement.actions() {
                let condition = statement.condition;
                match action {
                    "iam:CreateRole" | "iam:PutRolePolicy" | "iam:PutRolePermissionsBoundary" => {
                        assert_eq!(
                            condition,
                            Some(("StringEquals", "iam:PermissionsBoundary", BOUNDARY_ARN))
                        );
                    }
                    "iam:PassRole" => {
                        assert_eq!(
                            condition,
                            Some(("StringEquals", "iam:PassedToService", "lambda.amazonaws.com"))
                        );
                    }
                    "iam:AttachRolePolicy"
                    | "iam:DeleteRolePermissionsBoundary"
                    | "iam:CreatePolicyVersion" => {
                        panic!("{}: a way out of the boundary", statement.sid)
                    }
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn names_are_unique_and_policies_fit_into_iam() {
        let names: BTreeSet<_> = statements().map(|one| (one.document, one.sid)).collect();
        assert_eq!(names.len(), statements().count());
        for document in Document::ALL {
            // IAM counts what is not white space: 6,144 in a managed policy.
            let size = policy(document, &place()).to_string().len();
            assert!(size < 6144, "{} has {size} characters", document.name());
        }
    }

    #[test]
    fn a_policy_names_the_cell() {
        let policy = policy(Document::WorkerStacks, &place());
        let text = policy.to_string();
        assert!(text.contains("arn:aws:cloudformation:eu-central-1:111122223333:stack/stepgate-*/*"));
        assert!(!text.contains('{') || !text.contains("{account}"), "{text}");
    }

    #[test]
    fn the_access_template_and_the_page_say_the_same() {
        let template = include_str!("../templates/access.yaml");
        assert_eq!(
            refreshed_template(template),
            template,
            "run `stepgate cell policy --as template > src/provisioning/templates/access.yaml`"
        );
        let page = include_str!("../../../docs/iam.md");
        assert_eq!(
            refreshed_page(page),
            page,
            "run `stepgate cell policy --as page > docs/iam.md`"
        );
    }
}
