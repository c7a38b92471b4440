//! What the API, the worker and the functions do themselves.

use super::{Document, Statement};

/// Calls that IAM lets everybody make.
pub const WITHOUT_PERMISSION: &[&str] = &["sts:GetCallerIdentity"];

const CREDENTIALS: &str = "arn:{partition}:secretsmanager:{region}:{account}:secret:stepgate/*/credentials-*";
const SETTINGS: &str = "arn:{partition}:secretsmanager:{region}:{account}:secret:stepgate/*/settings-*";
const VERIFY: &str = "arn:{partition}:lambda:{region}:{account}:function:stepgate-*-verify";
const CHALLENGE: &str = "arn:{partition}:lambda:{region}:{account}:function:stepgate-*-challenge";
const POOLS: &str = "arn:{partition}:cognito-idp:{region}:{account}:userpool/*";
const POLICIES: &str = "arn:{partition}:dynamodb:{region}:{account}:table/stepgate-*-policies";
const RECORDS: &str = "arn:{partition}:dynamodb:{region}:{account}:table/stepgate-*-records";
pub(super) const TABLES: &str = "arn:{partition}:dynamodb:{region}:{account}:table/stepgate-*";
pub(super) const QUEUES: &str = "arn:{partition}:sqs:{region}:{account}:stepgate-*";
pub(super) const BUCKETS: &str = "arn:{partition}:s3:::stepgate-cell-*";
const OBJECTS: &str = "arn:{partition}:s3:::stepgate-cell-*/*";

/// What a statement leaves out.
pub(super) const EMPTY: Statement = Statement {
    sid: "",
    document: Document::Serve,
    why: "",
    calls: &[],
    on_behalf: &[],
    functions: &[],
    resources: &[],
    condition: None,
};

/// Everything but what CloudFormation does in our name.
pub(super) const STATEMENTS: &[Statement] = &[
    // --- serve -----------------------------------------------------------------------------------------------------
    Statement {
        sid: "StoreClientSecrets",
        document: Document::Serve,
        why: "The API stores client secrets and cannot read them back.",
        calls: &[
            "secretsmanager:CreateSecret",
            "secretsmanager:DescribeSecret",
            "secretsmanager:PutSecretValue",
            "secretsmanager:UpdateSecretVersionStage",
        ],
        resources: &[CREDENTIALS],
        ..EMPTY
    },
    Statement {
        sid: "AskVerify",
        document: Document::Serve,
        why: "Pilot step-ups and checks of a connection run in verify, which holds the client secret.",
        calls: &["lambda:InvokeFunction"],
        resources: &[VERIFY],
        ..EMPTY
    },
    Statement {
        sid: "HelpUsers",
        document: Document::Serve,
        why: "Users are found, looked at, counted, exported and signed out. A pool's id is Cognito's: every pool of the account is in reach.",
        calls: &[
            "cognito-idp:AdminGetUser",
            "cognito-idp:AdminUserGlobalSignOut",
            "cognito-idp:DescribeUserPool",
            "cognito-idp:ListUsers",
        ],
        resources: &[POOLS],
        ..EMPTY
    },
    Statement {
        sid: "Links",
        document: Document::Serve,
        why: "Links are made and removed, and what step-ups left behind is forgotten.",
        calls: &["dynamodb:Query", "dynamodb:TransactWriteItems"],
        resources: &[RECORDS],
        ..EMPTY
    },
    // --- worker: what it does itself -------------------------------------------------------------------------------
    Statement {
        sid: "Pools",
        document: Document::WorkerData,
        why: "Pools and their app clients; before a pool is deleted, whether its users were exported. A pool's id is Cognito's: every pool of the account is in reach, so give Stepgate an account of its own.",
        calls: &[
            "cognito-idp:AddCustomAttributes",
            "cognito-idp:CreateUserPoolClient",
            "cognito-idp:DeleteUserPool",
            "cognito-idp:DeleteUserPoolClient",
            "cognito-idp:DescribeUserPool",
            "cognito-idp:DescribeUserPoolClient",
            "cognito-idp:GetUserPoolMfaConfig",
            "cognito-idp:ListUserPoolClients",
            "cognito-idp:ListUsers",
            "cognito-idp:SetUserPoolMfaConfig",
            "cognito-idp:UpdateUserPool",
            "cognito-idp:UpdateUserPoolClient",
        ],
        on_behalf: &[(
            "AWS::Cognito::UserPool",
            &[
                "cognito-idp:DeleteUserPool",
                "cognito-idp:GetUserPoolMfaConfig",
                "cognito-idp:ListTagsForResource",
                "cognito-idp:SetUserPoolMfaConfig",
                "cognito-idp:TagResource",
                "cognito-idp:UntagResource",
            ],
        )],
        resources: &[POOLS],
        ..EMPTY
    },
    Statement {
        sid: "Settings",
        document: Document::WorkerData,
        why: "What the functions must know of a tenant, the client secret apart.",
        calls: &[
            "secretsmanager:CreateSecret",
            "secretsmanager:DeleteResourcePolicy",
            "secretsmanager:DeleteSecret",
            "secretsmanager:DescribeSecret",
            "secretsmanager:GetResourcePolicy",
            "secretsmanager:GetSecretValue",
            "secretsmanager:PutSecretValue",
        ],
        resources: &[SETTINGS],
        ..EMPTY
    },
    Statement {
        sid: "GuardCredentials",
        document: Document::WorkerData,
        why: "The worker guards the client secret, moves its labels and cannot read it.",
        calls: &[
            "secretsmanager:DeleteSecret",
            "secretsmanager:DescribeSecret",
            "secretsmanager:GetResourcePolicy",
            "secretsmanager:PutResourcePolicy",
            "secretsmanager:UpdateSecretVersionStage",
        ],
        resources: &[CREDENTIALS],
        ..EMPTY
    },
    Statement {
        sid: "Policies",
        document: Document::WorkerData,
        why: "Policies of apps, where the functions read them.",
        calls: &[
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Scan",
        ],
        resources: &[POLICIES],
        ..EMPTY
    },
    Statement {
        sid: "TrySecrets",
        document: Document::WorkerData,
        why: "A new client secret is tried by verify before it is put in force, and both functions are asked whether a new release answers.",
        calls: &["lambda:InvokeFunction"],
        resources: &[VERIFY, CHALLENGE],
        ..EMPTY
    },
    Statement {
        sid: "Artifacts",
        document: Document::WorkerData,
        why: "Trigger artifacts are put into a cell's bucket, and CloudFormation hands them to the functions.",
        calls: &["s3:HeadObject", "s3:PutObject"],
        on_behalf: &[("AWS::Lambda::Function", &["s3:GetObject"])],
        resources: &[BUCKETS, OBJECTS],
        ..EMPTY
    },
    Statement {
        sid: "Events",
        document: Document::WorkerData,
        why: "Step-up events are taken from the queue of a cell.",
        calls: &[
            "sqs:DeleteMessageBatch",
            "sqs:GetQueueAttributes",
            "sqs:ReceiveMessage",
        ],
        resources: &["arn:{partition}:sqs:{region}:{account}:stepgate-*-events"],
        ..EMPTY
    },
    // --- the boundary of the functions -----------------------------------------------------------------------------
    Statement {
        sid: "ReadSecrets",
        document: Document::Boundary,
        why: "Settings and client secrets of tenants.",
        functions: &["secretsmanager:GetSecretValue"],
        resources: &[SETTINGS, CREDENTIALS],
        ..EMPTY
    },
    Statement {
        sid: "UseTables",
        document: Document::Boundary,
        why: "Policies and records.",
        functions: &[
            "dynamodb:ConditionCheckItem",
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
        ],
        resources: &[TABLES],
        ..EMPTY
    },
    Statement {
        sid: "ReadUsers",
        document: Document::Boundary,
        why: "When an account was made.",
        functions: &["cognito-idp:AdminGetUser"],
        resources: &[POOLS],
        ..EMPTY
    },
    Statement {
        sid: "WriteLogs",
        document: Document::Boundary,
        why: "Events and logs.",
        functions: &["logs:CreateLogStream", "logs:PutLogEvents"],
        resources: &[
            "arn:{partition}:logs:{region}:{account}:log-group:/stepgate/*",
            "arn:{partition}:logs:{region}:{account}:log-group:/stepgate/*:*",
        ],
        ..EMPTY
    },
    Statement {
        sid: "SendEvents",
        document: Document::Boundary,
        why: "The forwarder's queue.",
        functions: &["sqs:SendMessage"],
        resources: &[QUEUES],
        ..EMPTY
    },
];
