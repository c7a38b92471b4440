//! A budget for calls: every try of a call takes a token first, so that all workers together stay under what AWS allows.
//!
//! The one place that every call passes is the HTTP connection: [`BudgetedHttp`] reads from the signed request what it asks
//! for, waits for a token of its [`CallGroup`], and tells the source of tokens when AWS throttles all the same. Tokens are taken
//! a few at a time and kept for a moment, so that a call does not cost a question to the database.
//!
//! To budget another operation: a line in [`group`].

use crate::domain::cell::{CallGroup, CallScope};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use std::{
    collections::HashMap,
    fmt::Debug,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Longest wait for a token. Shorter than the time for a try, so that running out of budget is told from a lost answer.
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// How long tokens are good after they were taken.
const KEPT_FOR: Duration = Duration::from_millis(200);
/// Answers of errors are read up to this size to see whether AWS throttles.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// A future of a source of tokens.
pub type Answering<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where tokens come from.
pub trait Tokens: Debug + Send + Sync {
    /// Takes up to what the group's bucket gives at once; none and a pause when it is empty.
    fn take<'a>(&'a self, scope: &'a CallScope, group: CallGroup) -> Answering<'a, Granted>;
    /// AWS refused a call as one too many.
    fn throttled<'a>(&'a self, scope: &'a CallScope, group: CallGroup) -> Answering<'a, ()>;
}

/// Tokens that were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted {
    /// How many.
    pub tokens: u32,
    /// When to ask again if there were none.
    pub pause: Duration,
}

/// The budget ran out for longer than a call can wait.
#[derive(Debug, thiserror::Error)]
#[error("the budget for {0} is used up")]
pub struct BudgetUsedUp(pub CallGroup);

/// The group of an operation; `None` for what AWS does not limit in a way that matters here.
pub(super) fn group(operation: &str) -> Option<CallGroup> {
    let (service, name) = operation.split_once(':')?;
    match service {
        "cognito-idp" => match name {
            "DescribeUserPool" | "GetUserPoolMfaConfig" => Some(CallGroup::UserPoolRead),
            "AddCustomAttributes" | "DeleteUserPool" | "SetUserPoolMfaConfig" | "UpdateUserPool" => {
                Some(CallGroup::UserPoolUpdate)
            }
            "ListUsers" => Some(CallGroup::UserList),
            "DescribeUserPoolClient" | "ListUserPoolClients" => Some(CallGroup::UserPoolClientRead),
            "CreateUserPoolClient" | "DeleteUserPoolClient" | "UpdateUserPoolClient" => {
                Some(CallGroup::UserPoolClientUpdate)
            }
            _ => None,
        },
        "cloudformation" if name.starts_with("Describe") => Some(CallGroup::StackDescribe),
        "cloudformation" => Some(CallGroup::StackChange),
        // Reads are far from their quota.
        "secretsmanager" if name.starts_with("Get") || name.starts_with("Describe") => None,
        "secretsmanager" => Some(CallGroup::SecretChange),
        // Invocations are limited by concurrency.
        "lambda" if name == "InvokeFunction" => None,
        "lambda" if name == "GetFunctionConfiguration" => Some(CallGroup::FunctionRead),
        "lambda" => Some(CallGroup::FunctionChange),
        "dynamodb" if name == "UpdateTable" || name == "DeleteTable" => Some(CallGroup::TableUpdate),
        "iam" if name.starts_with("Get") || name.starts_with("List") => Some(CallGroup::RoleRead),
        "iam" => Some(CallGroup::RoleChange),
        _ => None,
    }
}

/// Connections on which every call is within the budget.
#[derive(Debug)]
pub(super) struct BudgetedHttp {
    inner: SharedHttpClient,
    gate: Arc<Gate>,
}

impl BudgetedHttp {
    /// Calls of one scope through `inner`, with tokens of `source`.
    pub(super) fn new(inner: SharedHttpClient, source: Arc<dyn Tokens>, scope: CallScope) -> Self {
        let gate = Gate {
            source,
            scope,
            purses: Mutex::new(HashMap::new()),
        };
        Self {
            inner,
            gate: Arc::new(gate),
        }
    }
}

impl HttpClient for BudgetedHttp {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector {
            inner: self.inner.http_connector(settings, components),
            gate: Arc::clone(&self.gate),
        })
    }
}

#[derive(Debug)]
struct Connector {
    inner: SharedHttpConnector,
    gate: Arc<Gate>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Some(group) = operation_of(&request).as_deref().and_then(group) else {
            return self.inner.call(request);
        };
        let (inner, gate) = (self.inner.clone(), Arc::clone(&self.gate));
        HttpConnectorFuture::new(async move {
            gate.pass(group).await?;
            let mut response = inner.call(request).await?;
            if is_throttling(&mut response).await? {
                gate.source.throttled(&gate.scope, group).await;
            }
            Ok(response)
        })
    }
}

/// Tokens at hand, one purse a group. Whoever holds a purse's lock asks for all who wait behind.
#[derive(Debug)]
struct Gate {
    source: Arc<dyn Tokens>,
    scope: CallScope,
    purses: Mutex<HashMap<CallGroup, Arc<tokio::sync::Mutex<Purse>>>>,
}

#[derive(Debug)]
struct Purse {
    tokens: u32,
    good_until: Instant,
}

impl Gate {
    async fn pass(&self, group: CallGroup) -> Result<(), ConnectorError> {
        let used_up = || ConnectorError::other(Box::new(BudgetUsedUp(group)), None);
        let taken = tokio::time::timeout(LONGEST_WAIT, self.take(group)).await;
        taken.map_err(|_| {
            tracing::warn!(
                bucket = group.as_str(),
                account = self.scope.account_id,
                region = self.scope.region,
                "no budget for a call in time"
            );
            used_up()
        })
    }

    async fn take(&self, group: CallGroup) {
        let purse = {
            let mut purses = self.purses.lock().unwrap_or_else(PoisonError::into_inner);
            let empty = || {
                Arc::new(tokio::sync::Mutex::new(Purse {
                    tokens: 0,
                    good_until: Instant::now(),
                }))
            };
            Arc::clone(purses.entry(group).or_insert_with(empty))
        };
        let mut purse = purse.lock().await;
        loop {
            if purse.tokens > 0 && Instant::now() < purse.good_until {
                purse.tokens -= 1;
                return;
            }
            // Good from when they were asked for: the database counted from then.
            let asked_at = Instant::now();
            let granted = self.source.take(&self.scope, group).await;
            *purse = Purse {
                tokens: granted.tokens,
                good_until: asked_at + KEPT_FOR,
            };
            if granted.tokens == 0 {
                tokio::time::sleep(granted.pause).await;
            }
        }
    }
}

/// Service and operation of a signed request.
fn operation_of(request: &HttpRequest) -> Option<String> {
    let headers = request.headers();
    // Credential=KEY/DATE/REGION/SERVICE/aws4_request
    let scope = headers.get("authorization")?.split("Credential=").nth(1)?;
    let service = scope.split('/').nth(3)?;
    let name = if let Some(target) = headers.get("x-amz-target") {
        target.rsplit('.').next()?.to_owned()
    } else if service == "lambda" {
        let path = request.uri().split('?').next()?;
        match (request.method(), path.rsplit('/').next()?) {
            ("GET", "configuration") => "GetFunctionConfiguration",
            ("POST", "invocations") => "InvokeFunction",
            _ => "Other",
        }
        .to_owned()
    } else {
        let body = std::str::from_utf8(request.body().bytes()?).ok()?;
        body.split('&')
            .find_map(|pair| pair.strip_prefix("Action="))?
            .to_owned()
    };
    Some(format!("{service}:{name}"))
}

/// Whether AWS refused a call as one too many. The body is read for it and put back.
async fn is_throttling(response: &mut HttpResponse) -> Result<bool, ConnectorError> {
    if response.status().is_success() {
        return Ok(false);
    }
    let body = std::mem::replace(response.body_mut(), SdkBody::taken());
    let bytes = ByteStream::new(body).collect().await;
    let bytes = bytes
        .map_err(|error| ConnectorError::io(Box::new(error)))?
        .into_bytes();
    let says = |text: &str| {
        ["Throttl", "TooManyRequests", "RequestLimitExceeded", "SlowDown"]
            .iter()
            .any(|word| text.contains(word))
    };
    let told = response.headers().get("x-amzn-errortype").is_some_and(says);
    let start = bytes.get(..bytes.len().min(MAX_ERROR_BYTES)).unwrap_or_default();
    let written = says(&String::from_utf8_lossy(start));
    *response.body_mut() = SdkBody::from(bytes);
    Ok(told || written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_that_aws_counts_together_are_a_group() {
        let name = |operation| group(operation).map(CallGroup::as_str);
        assert_eq!(
            name("cognito-idp:UpdateUserPoolClient"),
            name("cognito-idp:CreateUserPoolClient")
        );
        assert_ne!(
            name("cognito-idp:UpdateUserPool"),
            name("cognito-idp:UpdateUserPoolClient")
        );
        assert_eq!(
            name("cloudformation:DescribeStacks"),
            Some("cloudformation:Describe")
        );
        assert_eq!(
            name("cognito-idp:GetUserPoolMfaConfig"),
            name("cognito-idp:DescribeUserPool")
        );
        assert_eq!(name("dynamodb:GetItem"), None);
        assert_eq!(name("nonsense"), None);
    }

    /// Calls without a group, with the reason.
    const UNLIMITED: [(&str, &str); 6] = [
        (
            "cognito-idp:Admin",
            "help for one user; of the API, a person behind each",
        ),
        ("secretsmanager:", "reads: some 10,000 a second are allowed"),
        (
            "lambda:InvokeFunction",
            "limited by concurrency, and a person or a pass behind each",
        ),
        ("dynamodb:", "items of tables on demand: AWS counts them by table"),
        ("sqs:", "AWS counts messages by queue"),
        ("s3:", "AWS counts requests by prefix"),
    ];

    #[test]
    fn every_call_that_is_made_is_of_a_group_or_needs_none() {
        let calls = crate::provisioning::access::statements().flat_map(|statement| statement.calls);
        let mut grouped = std::collections::BTreeSet::new();
        for call in calls {
            match group(call) {
                Some(group) => {
                    grouped.insert(group.as_str());
                }
                None => assert!(
                    UNLIMITED.iter().any(|(beginning, _)| call.starts_with(beginning)),
                    "{call} is of no group: AWS may throttle it, and no worker would wait for another"
                ),
            }
        }
        assert_eq!(
            grouped.len(),
            CallGroup::ALL.len(),
            "a group that nothing is of: {grouped:?}"
        );
        for read in [
            "secretsmanager:CreateSecret",
            "dynamodb:DeleteTable",
            "lambda:UpdateFunctionCode",
        ] {
            assert!(group(read).is_some(), "{read}");
        }
    }
}
