//! Every "no", and its HTTP form: a status, a `WWW-Authenticate` header (RFC 6750, section 3; RFC 9470,
//! section 3) and a problem document (RFC 9457).

use crate::guard::Requirement;
use crate::token::TokenError;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Why a call does not go through.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refusal {
    /// No token was sent.
    #[error("no access token")]
    TokenMissing,
    /// The `Authorization` header is not one `Bearer` token.
    #[error("authorization header is not one bearer token")]
    RequestInvalid,
    /// The body is not what the route takes. Holds what to tell the client.
    #[error("body not understood: {0}")]
    BodyInvalid(String),
    /// The token is not believed.
    #[error("access token refused: {0}")]
    TokenInvalid(TokenError),
    /// The token is believed, its step-up does not suffice.
    #[error("step-up does not suffice: {}", .0.shortfall.code())]
    StepUp(Box<Challenge>),
    /// It cannot be decided now.
    #[error("cannot be decided now: {0:?}")]
    Unavailable(Unavailable),
    /// The app was built without a [`Guard`](crate::Guard).
    #[error("no guard is configured")]
    NotConfigured,
}

/// What is not there to decide with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unavailable {
    /// The pool's keys.
    Keys,
    /// The memory of used tokens.
    UsedTokens,
}

/// In what a step-up falls short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortfall {
    /// The token proves no step-up, or (for an action) none for an action.
    Missing,
    /// The step-up is older than the route allows.
    TooOld,
    /// The step-up was made by a method that does not count here.
    OtherMethod,
    /// The token was issued for another action.
    OtherAction,
    /// The token was issued for another transaction, or for none.
    OtherTransaction,
    /// The token was used before.
    AlreadyUsed,
}

impl Shortfall {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Missing,
        Self::TooOld,
        Self::OtherMethod,
        Self::OtherAction,
        Self::OtherTransaction,
        Self::AlreadyUsed,
    ];

    /// Stable code in the problem document.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "step_up_missing",
            Self::TooOld => "step_up_too_old",
            Self::OtherMethod => "step_up_other_method",
            Self::OtherAction => "step_up_other_action",
            Self::OtherTransaction => "step_up_other_transaction",
            Self::AlreadyUsed => "step_up_already_used",
        }
    }

    /// One sentence for people. Plain ASCII without quotes: it stands in a header.
    const fn description(self) -> &'static str {
        match self {
            Self::Missing => "A step-up is required",
            Self::TooOld => "A more recent step-up is required",
            Self::OtherMethod => "A step-up by another method is required",
            Self::OtherAction => "The access token was issued for another action",
            Self::OtherTransaction => "The access token was not issued for this transaction",
            Self::AlreadyUsed => "The access token was used before; every call needs a step-up of its own",
        }
    }
}

/// What the client has to bring (RFC 9470, section 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// In what the step-up falls short.
    pub shortfall: Shortfall,
    /// What would suffice.
    pub requirement: Requirement,
    /// The action to step up for and the hash of the transaction, when the route is an action.
    pub action: Option<(String, String)>,
}

impl Challenge {
    pub(crate) fn new(shortfall: Shortfall, requirement: Requirement) -> Self {
        Self {
            shortfall,
            requirement,
            action: None,
        }
    }

    pub(crate) fn for_action(mut self, action: &str, action_ref: String) -> Self {
        self.action = Some((action.to_owned(), action_ref));
        self
    }

    /// Value of `WWW-Authenticate`.
    fn header(&self) -> String {
        let mut header = format!(
            "Bearer error=\"insufficient_user_authentication\", error_description=\"{}\"",
            self.shortfall.description()
        );
        // `write!` to a String cannot fail.
        if !self.requirement.acr_values.is_empty() {
            let values: Vec<String> = self
                .requirement
                .acr_values
                .iter()
                .copied()
                .map(header_text)
                .collect();
            let _ = write!(header, ", acr_values=\"{}\"", values.join(" "));
        }
        let _ = write!(header, ", max_age=\"{}\"", self.requirement.max_age_s);
        if let Some((action, action_ref)) = &self.action {
            let _ = write!(header, ", stepup_action=\"{}\"", header_text(action));
            let _ = write!(header, ", action_ref=\"{action_ref}\"");
        }
        header
    }
}

impl From<Challenge> for Refusal {
    fn from(challenge: Challenge) -> Self {
        Self::StepUp(Box::new(challenge))
    }
}

/// Text for a quoted string in a list separated by spaces: BlockID's ACR values hold spaces, so within
/// a value everything but visible ASCII, and `"`, `\`, `%`, is percent-encoded.
fn header_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'%') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

impl Refusal {
    /// Stable code in the problem document.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TokenMissing => "token_missing",
            Self::RequestInvalid => "invalid_request",
            Self::BodyInvalid(_) => "body_invalid",
            Self::TokenInvalid(_) => "invalid_token",
            Self::StepUp(challenge) => challenge.shortfall.code(),
            Self::Unavailable(_) => "temporarily_unavailable",
            Self::NotConfigured => "internal",
        }
    }

    fn www_authenticate(&self) -> Option<String> {
        match self {
            // RFC 6750, section 3.1: no error code for a call without authentication.
            Self::TokenMissing => Some("Bearer".to_owned()),
            Self::RequestInvalid => Some("Bearer error=\"invalid_request\"".to_owned()),
            Self::TokenInvalid(_) => Some(
                "Bearer error=\"invalid_token\", error_description=\"The access token is not accepted\""
                    .to_owned(),
            ),
            Self::StepUp(challenge) => Some(challenge.header()),
            Self::BodyInvalid(_) | Self::Unavailable(_) | Self::NotConfigured => None,
        }
    }

    fn problem(&self) -> Value {
        let code = self.code();
        let (title, detail) = match self {
            Self::TokenMissing => (
                "Access token required",
                "Send an access token as Bearer.".to_owned(),
            ),
            Self::RequestInvalid => (
                "Bad request",
                "Send one Authorization header with one Bearer token.".to_owned(),
            ),
            Self::BodyInvalid(detail) => ("Bad request", detail.clone()),
            // Which check failed is for our log, not for whoever made the token.
            Self::TokenInvalid(_) => (
                "Access token refused",
                "The access token is not accepted.".to_owned(),
            ),
            Self::StepUp(challenge) => (
                "Step-up required",
                format!("{}.", challenge.shortfall.description()),
            ),
            Self::Unavailable(_) => ("Temporarily unavailable", "Try again in a moment.".to_owned()),
            Self::NotConfigured => ("Internal error", "The service is not set up.".to_owned()),
        };
        let mut problem = json!({
            "type": format!("https://stepgate.dev/problems/{}", code.replace('_', "-")),
            "title": title,
            "status": self.status_code().as_u16(),
            "code": code,
            "detail": detail,
        });
        if let Self::StepUp(challenge) = self {
            problem["acr_values"] = json!(challenge.requirement.acr_values);
            problem["max_age_s"] = json!(challenge.requirement.max_age_s);
            if let Some((action, action_ref)) = &challenge.action {
                problem["stepup_action"] = json!(action);
                problem["action_ref"] = json!(action_ref);
            }
        }
        problem
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::RequestInvalid | Self::BodyInvalid(_) => StatusCode::BAD_REQUEST,
            Self::TokenMissing | Self::TokenInvalid(_) | Self::StepUp(_) => StatusCode::UNAUTHORIZED,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotConfigured => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if let Some(value) = self
            .www_authenticate()
            .and_then(|text| HeaderValue::try_from(text).ok())
        {
            response.insert_header((header::WWW_AUTHENTICATE, value));
        }
        response
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .content_type("application/problem+json")
            .body(self.problem().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUIREMENT: Requirement = Requirement {
        max_age_s: 120,
        acr_values: &["liveID push", "100% \"sure\"\\ü", "otp"],
    };

    #[test]
    fn a_value_with_spaces_stays_one_value_of_the_list() {
        let challenge = Challenge::new(Shortfall::Missing, REQUIREMENT).for_action("pay bill", "abc".into());
        assert_eq!(
            challenge.header(),
            "Bearer error=\"insufficient_user_authentication\", error_description=\"A step-up is required\", \
             acr_values=\"liveID%20push 100%25%20%22sure%22%5C%C3%BC otp\", max_age=\"120\", \
             stepup_action=\"pay%20bill\", action_ref=\"abc\""
        );
    }

    #[test]
    fn every_shortfall_makes_a_header_and_a_problem_of_its_own() {
        let mut codes = std::collections::BTreeSet::new();
        for shortfall in Shortfall::ALL {
            let refusal = Refusal::from(Challenge::new(shortfall, REQUIREMENT));
            let response = refusal.error_response();
            assert_eq!(response.status(), 401);
            assert!(
                response.headers().contains_key(header::WWW_AUTHENTICATE),
                "{shortfall:?}"
            );
            assert_eq!(refusal.problem()["acr_values"][0], "liveID push");
            codes.insert(refusal.code());
        }
        assert_eq!(codes.len(), Shortfall::ALL.len());
    }
}
