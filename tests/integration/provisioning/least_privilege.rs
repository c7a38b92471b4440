//! The control plane's policies allow what it does, and without any one of their statements it cannot do it.

use super::guarded::{Guarded, Lived, place};
use crate::installation::ACCOUNT;
use crate::support::REGION;
use serde_json::Value;
use stepgate::{
    aws::Aws,
    provisioning::access::{Document, Statement, policy, statements, statements_of},
};

/// What a policy says, by the rules of IAM as far as these policies use them.
struct Evaluator(Value);

impl Evaluator {
    fn of(document: Document) -> Self {
        Self(policy(document, &place()))
    }

    fn without(document: Document, sid: &str) -> Self {
        let mut policy = policy(document, &place());
        let statements = policy["Statement"].as_array_mut().unwrap();
        let before = statements.len();
        statements.retain(|statement| statement["Sid"] != sid);
        assert_eq!(statements.len(), before - 1, "{sid}");
        Self(policy)
    }

    fn allows(&self, action: &str, arn: &str, facts: &[(&str, &str)]) -> bool {
        self.0["Statement"].as_array().unwrap().iter().any(|statement| {
            list(&statement["Action"]).iter().any(|one| one == action)
                && list(&statement["Resource"])
                    .iter()
                    .any(|pattern| matches(pattern, arn))
                && conditions(statement)
                    .iter()
                    .all(|(key, value)| facts.contains(&(key.as_str(), value.as_str())))
        })
    }
}

fn conditions(statement: &Value) -> Vec<(String, String)> {
    let Some(all) = statement.get("Condition") else {
        return Vec::new();
    };
    let operators = all.as_object().unwrap();
    assert!(
        operators.keys().all(|operator| operator == "StringEquals"),
        "{operators:?}"
    );
    let pairs = operators.values().flat_map(|pairs| pairs.as_object().unwrap());
    pairs
        .map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned()))
        .collect()
}

fn list(value: &Value) -> Vec<String> {
    match value {
        Value::Array(all) => all.iter().map(|one| one.as_str().unwrap().to_owned()).collect(),
        one => vec![one.as_str().unwrap().to_owned()],
    }
}

/// `*` is any text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len())
                .filter(|at| rest.is_char_boundary(*at))
                .any(|at| matches(after, &rest[at..]))
        }),
    }
}

/// What CloudFormation touched when it made a cell and a tenant: type and ARN.
async fn made_by_cloudformation(root: &Aws, lived: &Lived) -> Vec<(String, String)> {
    let client = aws_sdk_cloudformation::Client::new(&root.region(REGION));
    let ulid = lived.tenant_id.trim_start_matches("tnt_");
    let mut found = Vec::new();
    for stack in ["stepgate-cell-test".to_owned(), format!("stepgate-{ulid}")] {
        let listed = client
            .describe_stack_resources()
            .stack_name(stack)
            .send()
            .await
            .unwrap();
        for resource in listed.stack_resources() {
            let kind = resource.resource_type().unwrap().to_owned();
            let id = resource.physical_resource_id().unwrap();
            let arn = arn(&kind, id, ulid);
            found.push((kind, arn));
        }
    }
    found
}

fn arn(kind: &str, id: &str, ulid: &str) -> String {
    let regional = |service: &str, rest: &str| format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}");
    let name = id.rsplit('/').next().unwrap();
    match kind {
        "AWS::IAM::Role" => format!("arn:aws:iam::{ACCOUNT}:role/stepgate/{name}"),
        "AWS::IAM::Policy" => format!("arn:aws:iam::{ACCOUNT}:role/stepgate/stepgate-{ulid}-verify"),
        "AWS::Lambda::Function" => regional(
            "lambda",
            &format!("function:{}", name.rsplit(':').next().unwrap()),
        ),
        // Its id is its own; what is touched is the function.
        "AWS::Lambda::Permission" => regional("lambda", &format!("function:stepgate-{ulid}-verify")),
        "AWS::DynamoDB::Table" => regional("dynamodb", &format!("table/{name}")),
        "AWS::CloudWatch::Alarm" => regional("cloudwatch", &format!("alarm:{name}")),
        "AWS::Cognito::UserPool" => regional("cognito-idp", &format!("userpool/{name}")),
        "AWS::Logs::LogGroup" => regional("logs", &format!("log-group:{id}")),
        "AWS::Logs::SubscriptionFilter" => regional("logs", "log-group:/stepgate/test/triggers"),
        "AWS::SQS::Queue" => regional("sqs", name),
        "AWS::SQS::QueuePolicy" => regional("sqs", "stepgate-test-events"),
        "AWS::S3::Bucket" => format!("arn:aws:s3:::{id}"),
        "AWS::S3::BucketPolicy" => "arn:aws:s3:::stepgate-cell-test-artifactbucket".to_owned(),
        other => panic!("{other}: what is its ARN?"),
    }
}

/// Facts that AWS knows of every call of CloudFormation for our templates.
fn facts() -> [(&'static str, &'static str); 3] {
    [
        (
            "iam:PermissionsBoundary",
            "arn:aws:iam::000000000000:policy/stepgate/stepgate-functions",
        ),
        ("iam:PassedToService", "lambda.amazonaws.com"),
        ("iam:AWSServiceName", "email.cognito-idp.amazonaws.com"),
    ]
}

/// What an action is about; most often the resource that CloudFormation makes.
fn about(action: &str, kind: &str, arn: &str, ulid: &str) -> String {
    match action {
        "cognito-idp:CreateUserPool" | "cloudwatch:DescribeAlarms" | "logs:DescribeLogGroups" => {
            "*".to_owned()
        }
        "iam:CreateServiceLinkedRole" => format!(
            "arn:aws:iam::{ACCOUNT}:role/aws-service-role/email.cognito-idp.amazonaws.com/AWSServiceRoleForAmazonCognitoIdpEmail"
        ),
        "iam:PassRole" => format!("arn:aws:iam::{ACCOUNT}:role/stepgate/stepgate-{ulid}-verify"),
        "s3:GetObject" if kind == "AWS::Lambda::Function" => {
            "arn:aws:s3:::stepgate-cell-test-b/triggers/verify.zip".to_owned()
        }
        _ => arn.to_owned(),
    }
}

/// What CloudFormation may not do of what it does in the worker's name.
fn refused(
    made: &[(String, String)],
    ulid: &str,
    policies: &[Evaluator],
    facts: &[(&str, &str)],
) -> Vec<String> {
    let mut refused = Vec::new();
    for (kind, arn) in made {
        let needed = statements()
            .flat_map(|statement| statement.on_behalf)
            .filter(|(one, _)| one == kind);
        for action in needed.flat_map(|(_, actions)| *actions) {
            let about = about(action, kind, arn, ulid);
            if !policies.iter().any(|policy| policy.allows(action, &about, facts)) {
                refused.push(format!("{action} on {about}"));
            }
        }
    }
    refused
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_life_of_a_tenant_needs_every_statement_and_nothing_else() {
    let guarded = Guarded::start().await;
    let lived = guarded.up("Complete").await.unwrap();
    let ulid = lived.ulid().to_owned();
    nobody_reads_the_client_secret(&guarded, &lived).await;
    the_functions_stay_within_their_boundary(&guarded, &ulid).await;

    let made = made_by_cloudformation(&guarded.root, &lived).await;
    let worker = || {
        [
            Evaluator::of(Document::WorkerStacks),
            Evaluator::of(Document::WorkerData),
        ]
    };
    assert_eq!(refused(&made, &ulid, &worker(), &facts()), Vec::<String>::new());
    for fact in facts() {
        let others: Vec<_> = facts().into_iter().filter(|one| *one != fact).collect();
        assert!(
            !refused(&made, &ulid, &worker(), &others).is_empty(),
            "{fact:?} is asked for by nothing"
        );
    }

    guarded.later(&lived).await.unwrap();

    for statement in statements().filter(|statement| statement.document != Document::Boundary) {
        fails_without(&guarded, statement, &made, &ulid).await;
    }
    guarded.life("Again").await.unwrap();
}

/// Without the statement a life ends early, or CloudFormation's part of it does.
async fn fails_without(guarded: &Guarded, statement: &Statement, made: &[(String, String)], ulid: &str) {
    let document = statement.document;
    let less = Evaluator::without(document, statement.sid);
    // The emulator does not ask what CloudFormation may, and knows no boundary when a role's inline policy is written: what
    // only these need is seen by the evaluator. Whatever the worker or the API calls themselves, a life comes to.
    if statement.calls.is_empty() || statement.sid == "BoundedRoles" {
        let rest = if document == Document::WorkerStacks {
            Document::WorkerData
        } else {
            Document::WorkerStacks
        };
        let left = [Evaluator::without(document, statement.sid), Evaluator::of(rest)];
        let refused = refused(made, ulid, &left, &facts());
        if !refused.is_empty() {
            return;
        }
    }
    guarded.set(document, &less.0).await;
    let end = guarded.life(statement.sid).await.err();
    guarded.set(document, &policy(document, &place())).await;
    let end = end.unwrap_or_else(|| panic!("a tenant lives without {}", statement.sid));
    let said = end.to_ascii_lowercase();
    assert!(
        // S3 refuses to look at an object without a word.
        [
            "denied",
            "may not call",
            "cell_unavailable",
            "cannot be called",
            "s3:headobject"
        ]
        .iter()
        .any(|word| said.contains(word)),
        "without {} it ended by something else: {end}",
        statement.sid
    );
}

async fn nobody_reads_the_client_secret(guarded: &Guarded, lived: &Lived) {
    // With the secret's own policy, and by their roles' policies alone.
    for step in ["guarded", "bare"] {
        for (who, context) in [("serve", &guarded.app.context), ("worker", &guarded.worker)] {
            let client = aws_sdk_secretsmanager::Client::new(&context.aws.region(REGION));
            let read = context
                .aws
                .secrets_manager(REGION)
                .value(&lived.credentials_arn)
                .await;
            assert!(
                read.unwrap_err().code.starts_with("AccessDenied"),
                "{who}, {step}"
            );
            let batch = client
                .batch_get_secret_value()
                .secret_id_list(&lived.credentials_arn)
                .send()
                .await;
            assert!(
                batch.is_err() || batch.is_ok_and(|batch| batch.secret_values().is_empty()),
                "{who}, {step}: a batch"
            );
        }
        let root = aws_sdk_secretsmanager::Client::new(&guarded.root.region(REGION));
        if step == "guarded" {
            root.delete_resource_policy()
                .secret_id(&lived.credentials_arn)
                .send()
                .await
                .unwrap();
        } else {
            let read = root
                .get_secret_value()
                .secret_id(&lived.credentials_arn)
                .send()
                .await;
            assert!(
                read.unwrap().secret_string().is_some(),
                "the secret is there to be read"
            );
        }
    }
}

/// Everything that the functions' roles allow is within the boundary, so nothing of it is lost there.
async fn the_functions_stay_within_their_boundary(guarded: &Guarded, ulid: &str) {
    let boundary = Evaluator::of(Document::Boundary);
    let mut used = std::collections::BTreeSet::new();
    for (role, names) in [
        (format!("stepgate-{ulid}-challenge"), vec!["challenge"]),
        (format!("stepgate-{ulid}-verify"), vec!["verify", "users"]),
        ("stepgate-test-forwarder".to_owned(), vec!["forwarder"]),
    ] {
        for document in guarded.role_policies(&role, &names).await {
            for statement in document["Statement"].as_array().unwrap() {
                for action in list(&statement["Action"]) {
                    for arn in list(&statement["Resource"]) {
                        assert!(boundary.allows(&action, &arn, &[]), "{role}: {action} on {arn}");
                        used.insert(action.clone());
                    }
                }
            }
        }
    }
    for statement in statements_of(Document::Boundary) {
        for action in statement.actions() {
            assert!(
                used.contains(action),
                "{}: no function uses {action}",
                statement.sid
            );
        }
    }
}
