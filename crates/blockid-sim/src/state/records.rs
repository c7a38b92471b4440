//! Single facts the state holds: users, requests, codes, token calls.

use crate::behaviour::Fault;
use serde::Serialize;

/// A user as tokens show it.
#[derive(Debug, Clone)]
pub struct User {
    /// User name.
    pub username: String,
    /// E-mail address.
    pub email: String,
    /// Methods enrolled.
    pub methods: Vec<String>,
}

/// What an authorize request asked, after validation.
#[derive(Debug, Clone)]
pub struct Asked {
    /// OAuth client.
    pub client_id: String,
    /// Where the code goes.
    pub redirect_uri: String,
    /// `state`
    pub state: Option<String>,
    /// `nonce`
    pub nonce: Option<String>,
    /// PKCE challenge (S256).
    pub code_challenge: Option<String>,
    /// User name from `claims` or `login_hint`.
    pub username: Option<String>,
    /// ACR values.
    pub methods: Vec<String>,
    /// Whether a new authentication was demanded.
    pub fresh: bool,
    /// Age of the session that the person has already; otherwise the community's switch says.
    pub session_age_s: Option<i64>,
}

/// An authorize page somebody has open.
#[derive(Debug, Clone)]
pub struct OpenPage {
    /// What was asked.
    pub asked: Asked,
    /// Wrong entries so far.
    pub wrong: u8,
    pub(super) expires_at_unix_s: i64,
}

/// An authorization code.
#[derive(Debug, Clone)]
pub struct Code {
    /// What was asked.
    pub asked: Asked,
    /// Who made the step-up.
    pub user: User,
    /// How.
    pub method: String,
    /// When.
    pub authenticated_at_unix_s: i64,
    /// What goes wrong with it.
    pub faults: Vec<Fault>,
    pub(super) issued_at_unix_s: i64,
    pub(super) used: bool,
}

/// Why a code is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeRefusal {
    /// Nobody issued it.
    Unknown,
    /// It was used.
    Used,
    /// It is too old.
    Expired,
}

/// One call of the token endpoint, without anything secret.
#[derive(Debug, Clone, Serialize)]
pub struct TokenCall {
    /// When, seconds since the Unix epoch.
    pub at_unix_s: i64,
    /// Host header.
    pub tenant: String,
    /// Community.
    pub community: String,
    /// Client id as claimed, when it is one we know.
    pub client_id: Option<String>,
    /// What became of it: `issued`, `invalid_client`, `code_used`, …, or the fault's name.
    pub outcome: String,
    /// HTTP status; 0 when there was no answer.
    pub status: u16,
    /// Whether a PKCE verifier came along.
    pub pkce: bool,
    /// Whether the credentials came in the `Authorization` header.
    pub basic: bool,
}
