//! How many requests a caller may send: so many a minute, counted per process.
//!
//! Counting in one place would cost every request a write to the database. So each copy of `serve` counts for itself, and
//! with N copies behind a balancer a caller has up to N times the limit. It is there to keep one caller's loop from
//! starving the others, not to bill by.

use chrono::{DateTime, Utc};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Length of a window, s.
pub const WINDOW_S: i64 = 60;
/// Windows that are kept before those that have ended are thrown away.
const MAX_WINDOWS: usize = 10_000;

/// What a caller has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Requests of a window.
    pub limit: u32,
    /// Requests that are left in this one; `None` when this request was one too many.
    pub remaining: Option<u32>,
    /// When the next one begins, s from now.
    pub reset_s: u64,
}

/// Counts requests.
#[derive(Debug)]
pub struct RateLimiter {
    limit: u32,
    windows: Mutex<HashMap<String, Window>>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    ends_at: DateTime<Utc>,
    taken: u32,
}

impl RateLimiter {
    /// `limit` requests a window and caller; 0 counts nothing.
    pub fn new(limit: u32) -> Self {
        Self {
            limit,
            windows: Mutex::default(),
        }
    }

    /// Counts a request of `caller`; `None` when nothing is counted.
    pub fn take(&self, caller: &str, now: DateTime<Utc>) -> Option<Quota> {
        if self.limit == 0 {
            return None;
        }
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= MAX_WINDOWS {
            windows.retain(|_, window| window.ends_at > now);
        }
        let new = Window {
            ends_at: now + chrono::TimeDelta::seconds(WINDOW_S),
            taken: 0,
        };
        let window = windows.entry(caller.to_owned()).or_insert(new);
        if window.ends_at <= now {
            *window = new;
        }
        let remaining = self.limit.checked_sub(window.taken + 1);
        if remaining.is_some() {
            window.taken += 1;
        }
        let reset_ms = (window.ends_at - now).num_milliseconds();
        Some(Quota {
            limit: self.limit,
            remaining,
            reset_s: u64::try_from(reset_ms).unwrap_or_default().div_ceil(1000),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn each_caller_has_its_own_window_and_it_ends() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let limiter = RateLimiter::new(2);
        let take = |caller, now| limiter.take(caller, now).unwrap();
        assert_eq!(
            (take("a", now).remaining, take("a", now).remaining),
            (Some(1), Some(0))
        );
        let refused = take("a", now + TimeDelta::milliseconds(500));
        assert_eq!((refused.remaining, refused.reset_s), (None, 60));
        assert_eq!(take("b", now).remaining, Some(1));
        assert_eq!(take("a", now + TimeDelta::seconds(59)).remaining, None);
        assert_eq!(take("a", now + TimeDelta::seconds(60)).remaining, Some(1));
        assert!(RateLimiter::new(0).take("a", now).is_none());
    }
}
