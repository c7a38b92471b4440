//! How many wrong answers a user has, over time.
//!
//! Cognito's own lockout does not cover custom challenges. Attempts are counted before the code is
//! exchanged and given back when the step-up passes, or when the failure was ours or the provider's: what
//! stays counted are wrong answers. Only somebody who has passed the password (or holds a live session)
//! gets to a counted round, so a stranger cannot lock a user out.
//!
//! | window | wrong answers |
//! | --- | --- |
//! | an hour of the clock | 10 |
//! | a day (UTC) | 20 |
//!
//! Fixed windows need one counter each; around their edge twice the number is possible, which the daily one bounds.

/// Wrong answers allowed in an hour of the clock.
pub const PER_HOUR: u32 = 10;
/// Wrong answers allowed in a day (UTC).
pub const PER_DAY: u32 = 20;

const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 86_400;

/// A window of time with its limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Part of the counter's key.
    pub key: String,
    /// Answers allowed in it.
    pub limit: u32,
    /// When its counter may be deleted, s.
    pub expires_at_unix_s: i64,
}

/// The windows that a moment lies in.
pub fn windows(now_unix_s: i64) -> [Window; 2] {
    let window = |letter: char, length_s: i64, limit: u32| {
        let number = now_unix_s.div_euclid(length_s);
        Window {
            key: format!("{letter}{number}"),
            limit,
            expires_at_unix_s: (number + 1) * length_s + HOUR_S,
        }
    };
    [window('h', HOUR_S, PER_HOUR), window('d', DAY_S, PER_DAY)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_lies_in_one_hour_and_one_day() {
        let [hour, day] = windows(1_800_000_000);
        assert_eq!((hour.key.as_str(), hour.limit), ("h500000", 10));
        assert_eq!((day.key.as_str(), day.limit), ("d20833", 20));
        assert!(hour.expires_at_unix_s > 1_800_000_000 && day.expires_at_unix_s > hour.expires_at_unix_s);
        assert_ne!(windows(1_800_003_600)[0], hour);
    }
}
