//! The one error type of use cases, storage and AWS verbs.
//!
//! An [`Error`] has a [`Code`] (stable, from one closed list), a *public* detail that may be shown to the
//! caller, the fields at fault, and an *internal* cause that is logged and never shown. It knows nothing of
//! HTTP: `api::problem` maps codes to statuses and problem documents.

use std::fmt;

/// Result of nearly everything in the service.
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident => $code:literal, $title:literal;)+) => {
        /// What kind of error it is. The text form is stable: clients branch on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[doc = $doc])+ $variant,)+ }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable text form.
            pub const fn as_str(self) -> &'static str { match self { $(Self::$variant => $code,)+ } }

            /// A short title for people, the same for every occurrence.
            pub const fn title(self) -> &'static str { match self { $(Self::$variant => $title,)+ } }

            /// What it means and what to do, for the documentation.
            pub const fn meaning(self) -> &'static str { match self { $(Self::$variant => concat!($($doc,)+),)+ } }
        }
    };
}

codes! {
    /// The body is not JSON.
    MalformedJson => "malformed_json", "Malformed JSON";
    /// The body must be sent as `application/json`.
    UnsupportedMediaType => "unsupported_media_type", "Unsupported media type";
    /// The body is larger than this operation accepts.
    PayloadTooLarge => "payload_too_large", "Payload too large";
    /// The body or a parameter is well-formed but not acceptable; `errors` names every field at fault.
    ValidationFailed => "validation_failed", "Validation failed";
    /// A query parameter is unknown or cannot be read.
    InvalidQuery => "invalid_query", "Invalid query";
    /// A header cannot be read.
    InvalidHeader => "invalid_header", "Invalid header";
    /// No API key or token was sent, or it is unknown, expired or revoked.
    Unauthenticated => "unauthenticated", "Unauthenticated";
    /// The caller's role, or the scopes of its key, do not allow this operation.
    Forbidden => "forbidden", "Forbidden";
    /// There is no such resource, or it belongs to somebody else.
    NotFound => "not_found", "Not found";
    /// There is no such path; `/docs` lists those that exist.
    RouteNotFound => "route_not_found", "No such path";
    /// The path exists, the method does not; the `Allow` header lists those that do.
    MethodNotAllowed => "method_not_allowed", "Method not allowed";
    /// The name is taken by another resource of the same kind.
    NameTaken => "name_taken", "Name taken";
    /// The external id is another tenant's.
    ExternalIdTaken => "external_id_taken", "External id taken";
    /// There is no cell that takes new tenants, or not the one that was asked for.
    NoCellAvailable => "no_cell_available", "No cell available";
    /// An AWS quota leaves no room in the cell, or in any; `detail` says which, and what an operator can do.
    CellFull => "cell_full", "Cell full";
    /// The rollout's state does not allow this operation, or another rollout works on the same tenants.
    RolloutState => "rollout_state", "Rollout state does not allow this";
    /// The tenant's state does not allow this operation.
    TenantState => "tenant_state", "Tenant state does not allow this";
    /// Users are to be deleted whom nobody has exported since the tenant was deleted, or who came after the export: export them, or say `without_export`.
    ExportRequired => "export_required", "Export required";
    /// What was asked for loses something: ask again with `confirm` as in `confirmation`.
    ConfirmationRequired => "confirmation_required", "Confirmation required";
    /// The BlockID connection is being changed already: wait for that operation.
    ConnectionChanging => "connection_changing", "Connection is being changed";
    /// There is no earlier BlockID connection to go back to.
    NothingToRevert => "nothing_to_revert", "Nothing to revert";
    /// The exemption's state does not allow this operation.
    ExemptionState => "exemption_state", "Exemption state does not allow this";
    /// Somebody else than who asked must do this.
    SecondPersonRequired => "second_person_required", "Second person required";
    /// The user, or the BlockID subject, is linked already.
    LinkTaken => "link_taken", "Link taken";
    /// The key is revoked, expired or replaced already.
    KeyState => "key_state", "Key state does not allow this";
    /// The operation has ended, or is of a kind that is carried through once it was asked for.
    OperationState => "operation_state", "Operation state does not allow this";
    /// `If-Match` is required: read the resource first and send its `ETag`.
    PreconditionRequired => "precondition_required", "Precondition required";
    /// The resource was changed since it was read: read it again.
    PreconditionFailed => "precondition_failed", "Precondition failed";
    /// The `Idempotency-Key` was used for another request before: choose a new one.
    IdempotencyKeyReused => "idempotency_key_reused", "Idempotency key reused";
    /// The request with this `Idempotency-Key` is under way: repeat it after `Retry-After`.
    IdempotencyInProgress => "idempotency_in_progress", "Request in progress";
    /// This caller sent more requests than it may: wait for `Retry-After`.
    RateLimited => "rate_limited", "Rate limited";
    /// The pilot step-up has taken its answer or has expired: begin another.
    PilotClosed => "pilot_closed", "Pilot closed";
    /// The pilot step-up taught nothing about the method; `detail` says why. Begin another.
    PilotFailed => "pilot_failed", "Pilot failed";
    /// There are as many resources of this kind as there may be.
    LimitReached => "limit_reached", "Limit reached";
    /// The installation lacks a setting that this operation needs; its operator can add it.
    NotConfigured => "not_configured", "Not configured";
    /// The webhook is switched off.
    WebhookDisabled => "webhook_disabled", "Webhook switched off";
    /// The request did not arrive in time.
    RequestTimeout => "request_timeout", "Request timeout";
    /// AWS did not do what was needed; the request may be repeated as it is.
    CellUnavailable => "cell_unavailable", "Cell unavailable";
    /// The service cannot answer at the moment; the request may be repeated as it is.
    Unavailable => "unavailable", "Unavailable";
    /// Something failed inside the service; quote the request id.
    Internal => "internal", "Internal error";
}

/// One field at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) into the body, or `query:name` / `header:name`.
    pub pointer: String,
    /// What is wrong with it, for the caller.
    pub detail: String,
    /// Stable code of the rule that it breaks, for example `too_long`.
    pub code: String,
}

impl FieldError {
    /// A field error.
    pub fn new(pointer: impl Into<String>, code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            detail: detail.into(),
            code: code.into(),
        }
    }
}

/// An error with a public and an internal side.
pub struct Error(Box<Inner>);

struct Inner {
    code: Code,
    detail: String,
    fields: Vec<FieldError>,
    confirmation: Option<Confirmation>,
    cause: Option<anyhow::Error>,
    retry_after_s: Option<u64>,
}

/// What a caller is told who has to ask twice.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Confirmation {
    /// To be sent as `confirm` with the same request; good for a quarter of an hour.
    pub confirm: String,
    /// What is lost.
    pub loses: String,
}

impl Error {
    /// An error with a public detail.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            detail: detail.into(),
            fields: Vec::new(),
            confirmation: None,
            cause: None,
            retry_after_s: None,
        }))
    }

    /// There is no such `noun` for this caller.
    pub fn not_found(noun: &str) -> Self {
        Self::new(Code::NotFound, format!("There is no such {noun}."))
    }

    /// Fields are at fault.
    pub fn invalid(fields: Vec<FieldError>) -> Self {
        let detail = match fields.as_slice() {
            [one] => format!(
                "{}: {}",
                if one.pointer.is_empty() {
                    "body"
                } else {
                    &one.pointer
                },
                one.detail
            ),
            many => format!("{} fields are not acceptable; see `errors`.", many.len()),
        };
        Self::new(Code::ValidationFailed, detail).with_fields(fields)
    }

    /// Something failed inside; the caller learns nothing but the request id.
    pub fn internal(cause: impl Into<anyhow::Error>) -> Self {
        Self::new(
            Code::Internal,
            "The service failed; the request id leads to the reason in its log.",
        )
        .caused_by(cause)
    }

    /// Adds the fields at fault.
    #[must_use]
    pub fn with_fields(mut self, fields: Vec<FieldError>) -> Self {
        self.0.fields = fields;
        self
    }

    /// Adds what is to be confirmed.
    #[must_use]
    pub fn with_confirmation(mut self, confirmation: Confirmation) -> Self {
        self.0.confirmation = Some(confirmation);
        self
    }

    /// Adds what is logged and never shown.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<anyhow::Error>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// Adds after how many seconds a repeat makes sense.
    #[must_use]
    pub fn retry_after_s(mut self, seconds: u64) -> Self {
        self.0.retry_after_s = Some(seconds.max(1));
        self
    }

    /// The same error, whose cause is known by its text only.
    #[must_use]
    pub fn copy(&self) -> Self {
        let Inner {
            code,
            detail,
            fields,
            confirmation,
            cause,
            retry_after_s,
        } = &*self.0;
        Self(Box::new(Inner {
            code: *code,
            detail: detail.clone(),
            fields: fields.clone(),
            confirmation: confirmation.clone(),
            cause: cause.as_ref().map(|cause| anyhow::anyhow!("{cause:#}")),
            retry_after_s: *retry_after_s,
        }))
    }

    /// After how many seconds a repeat makes sense, where that is known.
    pub fn retry_after(&self) -> Option<u64> {
        self.0.retry_after_s
    }

    /// What kind.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What the caller may read.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The fields at fault.
    pub fn fields(&self) -> &[FieldError] {
        &self.0.fields
    }

    /// What is to be confirmed.
    pub fn confirmation(&self) -> Option<&Confirmation> {
        self.0.confirmation.as_ref()
    }

    /// What only the log may say.
    pub fn cause(&self) -> Option<&anyhow::Error> {
        self.0.cause.as_ref()
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            code,
            detail,
            fields,
            cause,
            confirmation: _,
            retry_after_s: _,
        } = &*self.0;
        f.debug_struct("Error")
            .field("code", code)
            .field("detail", detail)
            .field("fields", fields)
            .field("cause", cause)
            .finish()
    }
}

/// The internal text: detail and chain of causes. For logs, not for callers.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.as_str(), self.0.detail)?;
        if let Some(cause) = &self.0.cause {
            write!(f, ": {cause:#}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// A database error that nobody expected. Expected ones (a taken name) are mapped where they can happen.
impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if database_is_away(&error) {
            Self::new(Code::Unavailable, "The database cannot be reached at the moment.").caused_by(error)
        } else {
            Self::internal(error)
        }
    }
}

/// Whether it is not the statement that failed but the way to the database, or the database itself.
fn database_is_away(error: &sqlx::Error) -> bool {
    match error {
        // A connection that ends in the middle of the handshake is a breach of the protocol to the driver.
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_) => true,
        // SQLSTATE classes: connection exception, insufficient resources, operator intervention (a restart).
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| code.starts_with("08") || code.starts_with("53") || code.starts_with("57P")),
        _ => false,
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::internal(error)
    }
}
