//! What a caller repeats to confirm a request that loses something: a keyed text, good for exactly that request and for
//! a quarter of an hour at least.

use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// How long a confirmation may take: from one to two of these.
const WINDOW_S: i64 = 15 * 60;

/// The text that confirms `request`, to somebody who was told it a moment ago.
pub fn token(key: &[u8], request: &Value, now: DateTime<Utc>) -> String {
    token_of(key, request, window(now))
}

/// Whether `given` confirms `request`.
pub fn accepts(key: &[u8], request: &Value, given: &str, now: DateTime<Utc>) -> bool {
    [window(now), window(now) - 1]
        .into_iter()
        .any(|window| bool::from(token_of(key, request, window).as_bytes().ct_eq(given.as_bytes())))
}

fn window(now: DateTime<Utc>) -> i64 {
    now.timestamp().div_euclid(WINDOW_S)
}

fn token_of(key: &[u8], request: &Value, window: i64) -> String {
    // Any length of key is taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return String::new();
    };
    mac.update(json!([window, request]).to_string().as_bytes());
    hex::encode(mac.finalize().into_bytes())[..40].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn a_text_confirms_one_request_under_one_key_and_not_for_long() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let (asked, other) = (json!(["a", 1]), json!(["a", 2]));
        let given = token(b"key", &asked, now);
        assert!(accepts(b"key", &asked, &given, now + TimeDelta::minutes(15)));
        assert!(!accepts(b"key", &asked, &given, now + TimeDelta::minutes(30)));
        assert!(!accepts(b"key", &other, &given, now) && !accepts(b"other", &asked, &given, now));
        assert!(!accepts(b"key", &asked, "", now));
    }
}
