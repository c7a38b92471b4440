//! What stacks are made of. CloudFormation acts with the rights of its caller; what it does is what the published
//! handlers of the resource types do for the properties that our templates set.

use super::{
    BOUNDARY_ARN, Document, Statement,
    statements::{BUCKETS, EMPTY, QUEUES, TABLES},
};

const FUNCTIONS: &str = "arn:{partition}:lambda:{region}:{account}:function:stepgate-*";
const ROLES: &str = "arn:{partition}:iam::{account}:role/stepgate/*";
const LOG_GROUPS: &str = "arn:{partition}:logs:{region}:{account}:log-group:/stepgate/*";

/// Stacks, and what CloudFormation makes of them.
pub(super) const STATEMENTS: &[Statement] = &[
    Statement {
        sid: "Stacks",
        document: Document::WorkerStacks,
        why: "Stacks of cells and tenants.",
        calls: &[
            "cloudformation:CreateChangeSet",
            "cloudformation:CreateStack",
            "cloudformation:DeleteChangeSet",
            "cloudformation:DeleteStack",
            "cloudformation:DescribeChangeSet",
            "cloudformation:DescribeStackEvents",
            "cloudformation:DescribeStackResources",
            "cloudformation:DescribeStacks",
            "cloudformation:ExecuteChangeSet",
            "cloudformation:GetTemplate",
            "cloudformation:UpdateTerminationProtection",
        ],
        resources: &["arn:{partition}:cloudformation:{region}:{account}:stack/stepgate-*/*"],
        ..EMPTY
    },
    Statement {
        sid: "BoundedRoles",
        document: Document::WorkerStacks,
        why: "Roles of functions get policies only within the boundary, also when drift is written back.",
        calls: &["iam:DeleteRolePolicy", "iam:PutRolePolicy"],
        on_behalf: &[
            (
                "AWS::IAM::Role",
                &[
                    "iam:CreateRole",
                    "iam:DeleteRolePolicy",
                    "iam:PutRolePermissionsBoundary",
                    "iam:PutRolePolicy",
                ],
            ),
            ("AWS::IAM::Policy", &["iam:DeleteRolePolicy", "iam:PutRolePolicy"]),
        ],
        resources: &[ROLES],
        condition: Some(("StringEquals", "iam:PermissionsBoundary", BOUNDARY_ARN)),
        ..EMPTY
    },
    Statement {
        sid: "Roles",
        document: Document::WorkerStacks,
        why: "Roles of functions are read, described and deleted, and rid of what somebody attached to them.",
        calls: &[
            "iam:DetachRolePolicy",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:UpdateAssumeRolePolicy",
        ],
        on_behalf: &[
            (
                "AWS::IAM::Role",
                &[
                    "iam:DeleteRole",
                    "iam:GetRole",
                    "iam:GetRolePolicy",
                    "iam:ListAttachedRolePolicies",
                    "iam:ListRolePolicies",
                    "iam:TagRole",
                    "iam:UntagRole",
                    "iam:UpdateAssumeRolePolicy",
                    "iam:UpdateRole",
                    "iam:UpdateRoleDescription",
                ],
            ),
            ("AWS::IAM::Policy", &["iam:GetRolePolicy"]),
        ],
        resources: &[ROLES],
        ..EMPTY
    },
    Statement {
        sid: "RolesForFunctions",
        document: Document::WorkerStacks,
        why: "Roles are handed to functions and to nothing else.",
        on_behalf: &[("AWS::Lambda::Function", &["iam:PassRole"])],
        resources: &[ROLES],
        condition: Some(("StringEquals", "iam:PassedToService", "lambda.amazonaws.com")),
        ..EMPTY
    },
    Statement {
        sid: "Functions",
        document: Document::WorkerStacks,
        why: "Functions of tenants, and the forwarder.",
        calls: &[
            "lambda:GetFunctionConfiguration",
            "lambda:UpdateFunctionCode",
            "lambda:UpdateFunctionConfiguration",
        ],
        on_behalf: &[
            (
                "AWS::Lambda::Function",
                &[
                    "lambda:CreateFunction",
                    "lambda:DeleteFunction",
                    "lambda:GetFunction",
                    "lambda:GetFunctionCodeSigningConfig",
                    "lambda:GetFunctionRecursionConfig",
                    "lambda:GetRuntimeManagementConfig",
                    "lambda:ListTags",
                    "lambda:TagResource",
                    "lambda:UntagResource",
                    "lambda:UpdateFunctionCode",
                    "lambda:UpdateFunctionConfiguration",
                ],
            ),
            (
                "AWS::Lambda::Permission",
                &[
                    "lambda:AddPermission",
                    "lambda:GetPolicy",
                    "lambda:RemovePermission",
                ],
            ),
        ],
        resources: &[FUNCTIONS],
        ..EMPTY
    },
    Statement {
        sid: "Tables",
        document: Document::WorkerStacks,
        why: "Tables of tenants, without what is in them.",
        calls: &["dynamodb:DeleteTable", "dynamodb:UpdateTable"],
        on_behalf: &[(
            "AWS::DynamoDB::Table",
            &[
                "dynamodb:CreateTable",
                "dynamodb:DeleteTable",
                "dynamodb:DescribeContinuousBackups",
                "dynamodb:DescribeContributorInsights",
                "dynamodb:DescribeKinesisStreamingDestination",
                "dynamodb:DescribeTable",
                "dynamodb:DescribeTimeToLive",
                "dynamodb:GetResourcePolicy",
                "dynamodb:ListTagsOfResource",
                "dynamodb:TagResource",
                "dynamodb:UntagResource",
                "dynamodb:UpdateContinuousBackups",
                "dynamodb:UpdateTimeToLive",
            ],
        )],
        resources: &[TABLES],
        ..EMPTY
    },
    Statement {
        sid: "Alarms",
        document: Document::WorkerStacks,
        why: "Alarms of tenants.",
        on_behalf: &[(
            "AWS::CloudWatch::Alarm",
            &[
                "cloudwatch:DeleteAlarms",
                "cloudwatch:ListTagsForResource",
                "cloudwatch:PutMetricAlarm",
                "cloudwatch:TagResource",
                "cloudwatch:UntagResource",
            ],
        )],
        resources: &["arn:{partition}:cloudwatch:{region}:{account}:alarm:stepgate-*"],
        ..EMPTY
    },
    Statement {
        sid: "LogGroupsOfACell",
        document: Document::WorkerStacks,
        why: "The groups that a cell's functions log to, and the subscription that carries events away.",
        on_behalf: &[
            (
                "AWS::Logs::LogGroup",
                &[
                    "logs:CreateLogGroup",
                    "logs:DeleteLogGroup",
                    "logs:ListTagsForResource",
                    "logs:PutRetentionPolicy",
                    "logs:TagResource",
                    "logs:UntagResource",
                ],
            ),
            (
                "AWS::Logs::SubscriptionFilter",
                &[
                    "logs:DeleteSubscriptionFilter",
                    "logs:DescribeSubscriptionFilters",
                    "logs:PutSubscriptionFilter",
                ],
            ),
        ],
        resources: &[LOG_GROUPS],
        ..EMPTY
    },
    Statement {
        sid: "QueuesOfACell",
        document: Document::WorkerStacks,
        why: "The queues on which events arrive; what is left in the dead letter queue is counted.",
        calls: &["sqs:GetQueueAttributes"],
        on_behalf: &[
            (
                "AWS::SQS::Queue",
                &[
                    "sqs:CreateQueue",
                    "sqs:DeleteQueue",
                    "sqs:GetQueueAttributes",
                    "sqs:GetQueueUrl",
                    "sqs:ListQueueTags",
                    "sqs:SetQueueAttributes",
                    "sqs:TagQueue",
                    "sqs:UntagQueue",
                ],
            ),
            (
                "AWS::SQS::QueuePolicy",
                &["sqs:GetQueueAttributes", "sqs:SetQueueAttributes"],
            ),
        ],
        resources: &[QUEUES],
        ..EMPTY
    },
    Statement {
        sid: "BucketOfACell",
        document: Document::WorkerStacks,
        why: "The bucket that holds the trigger artifacts.",
        on_behalf: &[
            (
                "AWS::S3::Bucket",
                &[
                    "s3:CreateBucket",
                    "s3:DeleteBucket",
                    "s3:GetBucketOwnershipControls",
                    "s3:GetBucketPublicAccessBlock",
                    "s3:GetBucketTagging",
                    "s3:GetBucketVersioning",
                    "s3:GetEncryptionConfiguration",
                    "s3:GetLifecycleConfiguration",
                    "s3:PutBucketOwnershipControls",
                    "s3:PutBucketPublicAccessBlock",
                    "s3:PutBucketTagging",
                    "s3:PutBucketVersioning",
                    "s3:PutEncryptionConfiguration",
                    "s3:PutLifecycleConfiguration",
                ],
            ),
            (
                "AWS::S3::BucketPolicy",
                &[
                    "s3:DeleteBucketPolicy",
                    "s3:GetBucketPolicy",
                    "s3:PutBucketPolicy",
                ],
            ),
        ],
        resources: &[BUCKETS],
        ..EMPTY
    },
    Statement {
        sid: "MakePools",
        document: Document::WorkerStacks,
        why: "A pool has no ARN before it is made.",
        on_behalf: &[("AWS::Cognito::UserPool", &["cognito-idp:CreateUserPool"])],
        resources: &["*"],
        ..EMPTY
    },
    Statement {
        sid: "EmailServiceRole",
        document: Document::WorkerStacks,
        why: "Cognito makes its own role the first time that a pool of the account sends through SES.",
        on_behalf: &[("AWS::Cognito::UserPool", &["iam:CreateServiceLinkedRole"])],
        resources: &[
            "arn:{partition}:iam::{account}:role/aws-service-role/email.cognito-idp.amazonaws.com/*",
        ],
        condition: Some((
            "StringEquals",
            "iam:AWSServiceName",
            "email.cognito-idp.amazonaws.com",
        )),
        ..EMPTY
    },
    Statement {
        sid: "FindStacks",
        document: Document::WorkerStacks,
        why: "Tenants that the database knows nothing of are found by the tags of their stacks (`stepgate cell rebuild`); AWS lists all stacks or none.",
        calls: &["cloudformation:DescribeStacks"],
        resources: &["*"],
        ..EMPTY
    },
    Statement {
        sid: "Looks",
        document: Document::WorkerStacks,
        why: "Neither can be limited to resources: AWS looks at no ARN for them.",
        on_behalf: &[
            ("AWS::CloudWatch::Alarm", &["cloudwatch:DescribeAlarms"]),
            ("AWS::Logs::LogGroup", &["logs:DescribeLogGroups"]),
        ],
        resources: &["*"],
        ..EMPTY
    },
];
