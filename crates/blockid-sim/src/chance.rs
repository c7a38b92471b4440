//! The simulator's clock and random source: the one place that touches the real ones.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRngCore as _;
use rand::rngs::OsRng;

/// Seconds since the Unix epoch.
#[expect(
    clippy::disallowed_methods,
    reason = "a provider lives in real time; this is the one place that reads it"
)]
pub fn now_unix_s() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// A random text of 192 bits, safe in URLs. Empty random input would make codes guessable, so a system
/// without randomness ends the process.
pub fn token() -> String {
    let mut bytes = [0u8; 24];
    if OsRng.try_fill_bytes(&mut bytes).is_err() {
        std::process::abort();
    }
    URL_SAFE_NO_PAD.encode(bytes)
}
