//! What a request asks of AWS, read from the request as the SDK signs it.

use crate::http::Message;

/// One call on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Service and operation, for example `cloudformation:DescribeStacks`.
    pub operation: String,
    /// Path and body: calls of one operation that ask the same have the same.
    pub question: String,
}

/// How a service words its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wording {
    /// JSON, the kind of an error in `__type`.
    Json,
    /// XML of the query protocol.
    Query,
    /// JSON, the kind of an error in a header.
    Rest,
    /// XML of S3.
    S3,
}

impl Call {
    pub(crate) fn read(request: &Message) -> (Self, Wording) {
        let service = scope(request, 3).unwrap_or("unknown");
        let (method, path) = (request.word(0), request.word(1));
        let body = String::from_utf8_lossy(&request.body);
        let (name, wording) = if let Some(target) = request.header("x-amz-target") {
            (
                target.rsplit('.').next().unwrap_or_default().to_owned(),
                Wording::Json,
            )
        } else if let Some(action) = body.split('&').find_map(|pair| pair.strip_prefix("Action=")) {
            (action.to_owned(), Wording::Query)
        } else if service == "s3" {
            (s3_operation(method, path), Wording::S3)
        } else {
            (rest_operation(method, path), Wording::Rest)
        };
        let call = Self {
            operation: format!("{service}:{name}"),
            question: format!("{path} {body}"),
        };
        (call, wording)
    }

    /// Whether the call changes nothing.
    pub fn is_read(&self) -> bool {
        let name = self.operation.split(':').nth(1).unwrap_or_default();
        ["Describe", "Get", "List", "Head", "Query", "Scan"]
            .iter()
            .any(|verb| name.starts_with(verb))
    }
}

/// A part of the signature's scope: key, date, region, service.
fn scope(request: &Message, part: usize) -> Option<&str> {
    let credential = request.header("authorization")?.split("Credential=").nth(1)?;
    credential.split(',').next()?.split('/').nth(part)
}

fn s3_operation(method: &str, path: &str) -> String {
    let of_object = path
        .split('?')
        .next()
        .unwrap_or_default()
        .trim_matches('/')
        .contains('/');
    let verb = match method {
        "HEAD" => "Head",
        "PUT" => "Put",
        "DELETE" => "Delete",
        _ => "Get",
    };
    format!("{verb}{}", if of_object { "Object" } else { "Bucket" })
}

/// Operations of Lambda, as IAM names them.
fn rest_operation(method: &str, path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    match (method, path.rsplit('/').next().unwrap_or_default()) {
        ("POST", "invocations") => "InvokeFunction".to_owned(),
        ("GET", "configuration") => "GetFunctionConfiguration".to_owned(),
        (method, last) => format!("{method} {last}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(first_line: &str, headers: &[(&str, &str)], body: &str) -> Message {
        let scope = (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=1/20260101/eu-central-1/lambda/aws4_request, Signature=x",
        );
        let headers = headers
            .iter()
            .chain([&scope])
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Message {
            first_line: first_line.to_owned(),
            headers: headers.collect(),
            body: body.into(),
        }
    }

    #[test]
    fn every_protocol_tells_its_operation() {
        for (message, operation) in [
            (
                request(
                    "POST / HTTP/1.1",
                    &[("x-amz-target", "DynamoDB_20120810.GetItem")],
                    "{}",
                ),
                "lambda:GetItem",
            ),
            (
                request("POST / HTTP/1.1", &[], "Action=DescribeStacks&Version=1"),
                "lambda:DescribeStacks",
            ),
            (
                request("POST /2015-03-31/functions/f/invocations HTTP/1.1", &[], "{}"),
                "lambda:InvokeFunction",
            ),
        ] {
            assert_eq!(Call::read(&message).0.operation, operation);
        }
        assert_eq!(s3_operation("PUT", "/bucket/key?x-id=PutObject"), "PutObject");
    }

    #[test]
    fn reads_are_told_from_writes() {
        let call = |operation: &str| Call {
            operation: operation.to_owned(),
            question: String::new(),
        };
        assert!(call("s3:HeadObject").is_read() && !call("cloudformation:DeleteStack").is_read());
    }
}
