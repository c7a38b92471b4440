//! One app, one app client, although Cognito makes a client anew whenever it is asked to.
//!
//! A call whose outcome is not known (no answer came, or whoever sent it was killed) may have made a client, or may make
//! one later. From before the call until that is settled the app is *in doubt*: its pool is looked through again and
//! again for clients of its name beside the one in its row. The row's is written once and never changed, so that whatever
//! else bears the name was never told to anybody and can be deleted.

use chrono::{DateTime, TimeDelta, Utc};

/// How long after it was sent a call may still take effect. AWS refuses a request that arrives more than five minutes
/// after it was signed; the rest is for clocks that differ.
pub const LATEST_EFFECT: TimeDelta = TimeDelta::minutes(15);
/// The first look comes after this, and no two looks follow each other faster.
pub const FIRST_LOOK: TimeDelta = TimeDelta::seconds(5);

/// When to look again after a look at `now` for what a call at `asked_at` made: soon at first, then ever more rarely.
/// `None` when that look was the last one needed.
pub fn next_look(asked_at: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let waited = now - asked_at;
    (waited < LATEST_EFFECT).then(|| now + waited.max(FIRST_LOOK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_grow_rarer_and_the_last_comes_when_nothing_can_take_effect_any_more() {
        let asked_at = DateTime::from_timestamp(0, 0).unwrap();
        let mut at = asked_at + FIRST_LOOK;
        let mut looks = vec![at];
        while let Some(next) = next_look(asked_at, at) {
            assert!(next - at >= FIRST_LOOK);
            at = next;
            looks.push(at);
        }
        assert!(at - asked_at >= LATEST_EFFECT);
        assert!(looks.len() < 12, "{looks:?}");
        // A clock that runs behind the one that asked does not make it look without a pause.
        assert_eq!(next_look(asked_at, asked_at - FIRST_LOOK), Some(asked_at));
    }
}
