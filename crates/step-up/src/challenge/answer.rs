//! What the browser answers with. Everything here is an attacker's to write: sizes are bounded first,
//! and nothing of it is ever printed.

use crate::policy::is_action_name;
use crate::reason::Reason;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fmt;

/// Longest answer looked at.
pub const ANSWER_MAX_BYTES: usize = 8 * 1024;

const CODE_MAX_BYTES: usize = 4096;
const STATE_MAX_BYTES: usize = 512;
const ACCESS_TOKEN_MAX_BYTES: usize = 6 * 1024;

/// Answer to a step-up: what the provider's page posted to its parent frame.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Answer {
    /// Authorization code.
    pub code: String,
    /// OAuth `state`.
    pub state: String,
    /// Whether the provider returned to the app's own page instead of posting to a frame. Then the code was issued for that
    /// address, and only with that address can it be exchanged; so a lie costs the liar the code.
    #[serde(default, rename = "stepgate_return")]
    pub returned: bool,
}

impl Answer {
    /// Reads `{"code": …, "state": …}`. Further fields are ignored: the page is the provider's and may
    /// post more. The official sample's client wraps the JSON text in a JSON string; that is read too.
    ///
    /// Refuses with [`Reason::MalformedAnswer`].
    pub fn parse(text: &str) -> Result<Self, Reason> {
        let answer: Self = read(text)?;
        // RFC 6749, appendix A.11 and A.5: both are printable ASCII.
        if printable(&answer.code, CODE_MAX_BYTES) && printable(&answer.state, STATE_MAX_BYTES) {
            Ok(answer)
        } else {
            Err(Reason::MalformedAnswer)
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer(…)")
    }
}

/// Answer to a session proof.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProofAnswer {
    /// The signed-in user's access token.
    pub access_token: String,
    /// Action the user wants to step up for.
    pub action: String,
}

impl ProofAnswer {
    /// Reads `{"access_token": …, "action": …}`. Refuses with [`Reason::MalformedAnswer`].
    pub fn parse(text: &str) -> Result<Self, Reason> {
        let answer: Self = read(text)?;
        if printable(&answer.access_token, ACCESS_TOKEN_MAX_BYTES) && is_action_name(&answer.action) {
            Ok(answer)
        } else {
            Err(Reason::MalformedAnswer)
        }
    }
}

impl fmt::Debug for ProofAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProofAnswer(…)")
    }
}

/// An object, or a string that holds the text of one: once, not any number of times.
fn read<T: DeserializeOwned>(text: &str) -> Result<T, Reason> {
    if text.len() > ANSWER_MAX_BYTES {
        return Err(Reason::MalformedAnswer);
    }
    let object = |text: &str| -> Result<T, Reason> {
        // serde would also take an array in the order of the fields.
        if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|_| Reason::MalformedAnswer)
        } else {
            Err(Reason::MalformedAnswer)
        }
    };
    if text.trim_start().starts_with('"') {
        let inner: String = serde_json::from_str(text).map_err(|_| Reason::MalformedAnswer)?;
        object(&inner)
    } else {
        object(text)
    }
}

fn printable(text: &str, max_bytes: usize) -> bool {
    !text.is_empty() && text.len() <= max_bytes && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}
