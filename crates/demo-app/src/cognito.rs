//! Cognito for the page. On AWS a page talks to Cognito itself; the emulator differs in one answer that a page must be able to read, so its
//! answers pass through here: tokens that the gate refused are a `500` without CORS headers there, and a `400` with the gate's reason on AWS.

use crate::server::Emulator;
use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Bytes, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, post};
use serde_json::{Value, json};

const TARGET: &str = "x-amz-target";
const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

pub(crate) fn configure(config: &mut ServiceConfig) {
    config.service(call);
}

#[post("/cognito")]
async fn call(request: HttpRequest, body: Bytes, emulator: Data<Emulator>) -> HttpResponse {
    let target = request
        .headers()
        .get(TARGET)
        .and_then(|value| value.to_str().ok())
        .filter(|target| target.starts_with("AWSCognitoIdentityProviderService."));
    let Some(target) = target else {
        return HttpResponse::BadRequest().finish();
    };
    let Some((status, answer)) = emulator.cognito(target, body.to_vec()).await else {
        return HttpResponse::BadGateway().finish();
    };
    let (status, answer) = as_on_aws(status, answer);
    HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY))
        .content_type(CONTENT_TYPE)
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(answer)
}

/// The refusal of the gate in AWS's words.
fn as_on_aws(status: u16, answer: Value) -> (u16, Value) {
    let reason = answer["message"]
        .as_str()
        .filter(|message| status == 500 && message.starts_with("PreTokenGeneration error"))
        .and_then(|message| message.split("'errorMessage': '").nth(1)?.split('\'').next());
    match reason {
        Some(reason) => {
            let message = format!("PreTokenGeneration failed with error {reason}.");
            (
                400,
                json!({ "__type": "UserLambdaValidationException", "message": message }),
            )
        }
        None => (status, answer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gates_refusal_is_told_as_aws_tells_it() {
        let message =
            "PreTokenGeneration error: {'errorType': 'TokensRefused', 'errorMessage': 'evidence_expired'}";
        let (status, answer) = as_on_aws(500, json!({ "__type": "InternalError", "message": message }));
        assert_eq!(status, 400);
        assert_eq!(answer["__type"], "UserLambdaValidationException");
        assert_eq!(
            answer["message"],
            "PreTokenGeneration failed with error evidence_expired."
        );
    }

    #[test]
    fn everything_else_stays_as_it_is() {
        for (status, answer) in [
            (200, json!({ "Session": "s" })),
            (
                400,
                json!({ "__type": "NotAuthorizedException", "message": "PreTokenGeneration error" }),
            ),
            (
                500,
                json!({ "message": "PreTokenGeneration error: nothing more" }),
            ),
            (500, json!(null)),
        ] {
            assert_eq!(as_on_aws(status, answer.clone()), (status, answer));
        }
    }
}
