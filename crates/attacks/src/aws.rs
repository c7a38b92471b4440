//! Signed calls to AWS, for those who hold the account: the operator who looks, and the attacker who got in.
//!
//! Requests are made by hand instead of with the SDK: an attack sends what no SDK would, and the answer is
//! wanted as it is.

use crate::cognito::error_kind;
use anyhow::Context as _;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::time::SystemTime;
use url::Url;

/// An account, a region, and the credentials to act there.
#[derive(Clone)]
pub struct Aws {
    http: reqwest::Client,
    endpoint: Option<Url>,
    region: String,
    credentials: Credentials,
}

impl std::fmt::Debug for Aws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Aws")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// AWS said no.
#[derive(Debug, Clone)]
pub struct AwsError {
    /// HTTP status.
    pub status: u16,
    /// Error code, for example `AccessDeniedException`.
    pub code: String,
    /// Text for people.
    pub message: String,
}

impl AwsError {
    /// Whether the caller may not do it.
    pub fn is_access_denied(&self) -> bool {
        self.code.starts_with("AccessDenied")
    }
}

impl std::fmt::Display for AwsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// What a function answered.
#[derive(Debug, Clone)]
pub struct Invoked {
    /// Its payload.
    pub payload: Value,
    /// Whether it failed.
    pub failed: bool,
    /// Lines it printed, as far as the invocation shows them.
    pub log: Vec<String>,
}

struct Request<'a> {
    service: &'a str,
    method: http::Method,
    path: &'a str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Aws {
    /// Acts in `region` with `credentials`; `endpoint` replaces AWS's own addresses.
    pub fn new(http: reqwest::Client, endpoint: Option<Url>, region: &str, credentials: Credentials) -> Self {
        Self {
            http,
            endpoint,
            region: region.to_owned(),
            credentials,
        }
    }

    /// The same account seen by another caller.
    #[must_use]
    pub fn with_credentials(&self, credentials: Credentials) -> Self {
        Self {
            credentials,
            ..self.clone()
        }
    }

    /// One call of a JSON service; the outer error means that there was no answer.
    pub async fn json(
        &self,
        service: &str,
        operation: &str,
        body: &Value,
    ) -> anyhow::Result<Result<Value, AwsError>> {
        let (target, version) = match service {
            "cognito-idp" => ("AWSCognitoIdentityProviderService", "1.1"),
            "dynamodb" => ("DynamoDB_20120810", "1.0"),
            "logs" => ("Logs_20140328", "1.1"),
            "sqs" => ("AmazonSQS", "1.0"),
            _ => (service, "1.1"),
        };
        let (status, text) = self
            .send(Request {
                service,
                method: http::Method::POST,
                path: "/",
                headers: vec![
                    ("content-type", format!("application/x-amz-json-{version}")),
                    ("x-amz-target", format!("{target}.{operation}")),
                ],
                body: serde_json::to_vec(body)?,
            })
            .await?;
        let value: Value = serde_json::from_slice(&text.0).unwrap_or(Value::Null);
        Ok(if status == 200 {
            Ok(value)
        } else {
            Err(json_error(status, &value))
        })
    }

    /// Like [`Aws::json`], for calls that are expected to work.
    pub async fn must(&self, service: &str, operation: &str, body: &Value) -> anyhow::Result<Value> {
        let answer = self.json(service, operation, body).await?;
        answer.map_err(|error| anyhow::anyhow!("{service} {operation}: {error}"))
    }

    /// One call of a query service (`sts`, `iam`, `cloudformation`): the XML as it came.
    pub async fn query(
        &self,
        service: &str,
        version: &str,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> anyhow::Result<Result<String, AwsError>> {
        let named = [("Action", action), ("Version", version)];
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(named.iter().chain(parameters))
            .finish();
        let (status, text) = self
            .send(Request {
                service,
                method: http::Method::POST,
                path: "/",
                headers: vec![("content-type", "application/x-www-form-urlencoded".to_owned())],
                body: form.into_bytes(),
            })
            .await?;
        let text = String::from_utf8_lossy(&text.0).into_owned();
        if status == 200 {
            return Ok(Ok(text));
        }
        let code = xml_text(&text, "Code").unwrap_or_else(|| format!("HTTP {status}"));
        Ok(Err(AwsError {
            status,
            code,
            message: xml_text(&text, "Message").unwrap_or_default(),
        }))
    }

    /// Invokes a function and waits for its answer.
    pub async fn invoke(&self, function: &str, event: &Value) -> anyhow::Result<Result<Invoked, AwsError>> {
        let path = format!("/2015-03-31/functions/{function}/invocations");
        let (status, (body, headers)) = self
            .send(Request {
                service: "lambda",
                method: http::Method::POST,
                path: &path,
                headers: vec![("x-amz-log-type", "Tail".to_owned())],
                body: serde_json::to_vec(event)?,
            })
            .await?;
        let payload: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        if !(200..300).contains(&status) {
            return Ok(Err(json_error(status, &payload)));
        }
        let log = headers
            .get("x-amz-log-result")
            .and_then(|value| STANDARD.decode(value.as_bytes()).ok())
            .map(|bytes| {
                String::from_utf8_lossy(&bytes)
                    .lines()
                    .map(str::to_owned)
                    .collect()
            })
            .unwrap_or_default();
        Ok(Ok(Invoked {
            payload,
            failed: headers.contains_key("x-amz-function-error"),
            log,
        }))
    }

    /// `GET` of the Lambda API, for example `/2015-03-31/functions/{name}/configuration`.
    pub async fn lambda_get(&self, path: &str) -> anyhow::Result<Result<Value, AwsError>> {
        let (status, (body, _)) = self
            .send(Request {
                service: "lambda",
                method: http::Method::GET,
                path,
                headers: vec![],
                body: vec![],
            })
            .await?;
        let value: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Ok(if status == 200 {
            Ok(value)
        } else {
            Err(json_error(status, &value))
        })
    }

    /// Credentials of a role, in a session of this name.
    pub async fn assume_role(
        &self,
        role_arn: &str,
        session: &str,
    ) -> anyhow::Result<Result<Credentials, AwsError>> {
        let parameters = [("RoleArn", role_arn), ("RoleSessionName", session)];
        let xml = match self.query("sts", "2011-06-15", "AssumeRole", &parameters).await? {
            Ok(xml) => xml,
            Err(error) => return Ok(Err(error)),
        };
        let text =
            |tag: &str| xml_text(&xml, tag).with_context(|| format!("AssumeRole answered without {tag}"));
        Ok(Ok(Credentials::new(
            text("AccessKeyId")?,
            text("SecretAccessKey")?,
            Some(text("SessionToken")?),
            None,
            "AssumeRole",
        )))
    }

    /// The account id of these credentials.
    pub async fn account_id(&self) -> anyhow::Result<String> {
        let answer = self.query("sts", "2011-06-15", "GetCallerIdentity", &[]).await?;
        let xml = answer.map_err(|error| anyhow::anyhow!("sts GetCallerIdentity: {error}"))?;
        xml_text(&xml, "Account").context("GetCallerIdentity answered without Account")
    }

    /// Messages of a log group since a moment, oldest first.
    pub async fn log_messages(&self, group: &str, since_unix_ms: i64) -> anyhow::Result<Vec<String>> {
        let mut messages = Vec::new();
        let mut body = json!({ "logGroupName": group, "startTime": since_unix_ms });
        loop {
            let page = self.must("logs", "FilterLogEvents", &body).await?;
            let events = page["events"].as_array().cloned().unwrap_or_default();
            messages.extend(
                events
                    .iter()
                    .filter_map(|event| event["message"].as_str().map(str::to_owned)),
            );
            let Some(next) = page["nextToken"].as_str() else {
                return Ok(messages);
            };
            body["nextToken"] = next.into();
        }
    }

    async fn send(&self, request: Request<'_>) -> anyhow::Result<(u16, (Vec<u8>, http::HeaderMap))> {
        let url = match &self.endpoint {
            Some(endpoint) => endpoint.join(request.path)?,
            None => Url::parse(&format!("https://{}{}", self.host(request.service), request.path))?,
        };
        let host = url.authority().to_owned();
        let identity: Identity = self.credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(request.service)
            .time(now())
            .settings(SigningSettings::default())
            .build()?
            .into();
        let headers = request
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        let signable = SignableRequest::new(
            request.method.as_str(),
            url.as_str(),
            headers.clone().chain([("host", host.as_str())]),
            SignableBody::Bytes(&request.body),
        )?;
        let (instructions, _) = sign(signable, &parameters)?.into_parts();
        let mut builder = self.http.request(request.method.clone(), url.clone());
        for (name, value) in headers.chain(instructions.headers()) {
            builder = builder.header(name, value);
        }
        let what = format!("{} {}", request.service, request.path);
        let answer = builder
            .body(request.body)
            .send()
            .await
            .with_context(|| format!("{what} got no answer"))?;
        let status = answer.status().as_u16();
        let headers = answer.headers().clone();
        Ok((status, (answer.bytes().await?.to_vec(), headers)))
    }

    fn host(&self, service: &str) -> String {
        match service {
            "iam" => "iam.amazonaws.com".to_owned(),
            _ => format!("{service}.{}.amazonaws.com", self.region),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a signature carries the time of the request"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

fn json_error(status: u16, value: &Value) -> AwsError {
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    AwsError {
        status,
        code: error_kind(value).unwrap_or_else(|| format!("HTTP {status}")),
        message: text("message").or_else(|| text("Message")).unwrap_or_default(),
    }
}

/// Text of the first element of that name.
pub fn xml_text(xml: &str, tag: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{tag}>"))?;
    let (text, _) = rest.split_once(&format!("</{tag}>"))?;
    let plain = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'");
    Some(plain.replace("&amp;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_an_element_is_unescaped() {
        let xml = "<R><Code>AccessDenied</Code><Message>&lt;no&gt; &amp;amp;</Message></R>";
        assert_eq!(xml_text(xml, "Code").as_deref(), Some("AccessDenied"));
        assert_eq!(xml_text(xml, "Message").as_deref(), Some("<no> &amp;"));
        assert_eq!(xml_text(xml, "Other"), None);
    }
}
