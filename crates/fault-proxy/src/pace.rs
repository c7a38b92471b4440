//! How often AWS takes calls, and how long it takes over them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// A quota: so many calls a second of the operations that it counts together.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    /// Name of the operation, or of AWS's category.
    pub name: &'static str,
    /// Calls a second. So many at once, too, after a second without any.
    pub per_second: f64,
    /// Whether each tenant has it for itself, as Cognito counts some calls by user pool.
    pub by_tenant: bool,
    /// Whether it counts an operation, for example `cloudformation:DescribeStacks`.
    pub counts: fn(&str) -> bool,
}

/// What AWS is like.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Quotas.
    pub quotas: &'static [Quota],
    /// How long an operation takes at least.
    pub latency: fn(&str) -> Duration,
    /// How long the resources of a new stack take.
    pub stacks_take: Duration,
}

/// A bucket of tokens for each quota, or for each quota and tenant.
#[derive(Debug, Default)]
pub struct Buckets(HashMap<(&'static str, Option<String>), Bucket>);

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Buckets {
    /// Takes a token of each quota that counts the call, or none and tells how long until there is one of each.
    pub fn take(
        &mut self,
        quotas: &'static [Quota],
        operation: &str,
        whose: Option<&str>,
        now: Instant,
    ) -> Result<(), Duration> {
        let counting = || quotas.iter().filter(|quota| (quota.counts)(operation));
        let key = |quota: &Quota| {
            let whose = whose.filter(|_| quota.by_tenant).map(str::to_owned);
            (quota.name, whose)
        };
        let mut longest = Duration::ZERO;
        for quota in counting() {
            let bucket = self.0.entry(key(quota)).or_insert(Bucket {
                tokens: quota.per_second,
                at: now,
            });
            let passed_s = now.saturating_duration_since(bucket.at).as_secs_f64();
            bucket.tokens = (bucket.tokens + quota.per_second * passed_s).min(quota.per_second);
            bucket.at = now;
            let lacking = (1.0 - bucket.tokens).max(0.0);
            longest = longest.max(Duration::from_secs_f64(lacking / quota.per_second));
        }
        if !longest.is_zero() {
            return Err(longest);
        }
        for quota in counting() {
            if let Some(bucket) = self.0.get_mut(&key(quota)) {
                bucket.tokens -= 1.0;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTAS: &[Quota] = &[
        Quota {
            name: "all",
            per_second: 4.0,
            by_tenant: false,
            counts: |operation| operation.starts_with("a:"),
        },
        Quota {
            name: "each",
            per_second: 2.0,
            by_tenant: true,
            counts: |operation| operation == "a:Write",
        },
    ];

    fn taken(buckets: &mut Buckets, operation: &str, whose: &str, now: Instant) -> usize {
        let take = |_: &usize| buckets.take(QUOTAS, operation, Some(whose), now).is_ok();
        (0..10).filter(take).count()
    }

    #[test]
    fn a_quota_gives_a_seconds_worth_at_once_and_then_its_rate() {
        let (mut buckets, now) = (Buckets::default(), Instant::now());
        assert_eq!(taken(&mut buckets, "a:Read", "t", now), 4);
        assert_eq!(
            taken(&mut buckets, "a:Read", "t", now + Duration::from_millis(500)),
            2
        );
        assert_eq!(
            taken(&mut buckets, "a:Read", "t", now + Duration::from_mins(1)),
            4
        );
        assert_eq!(taken(&mut buckets, "b:Read", "t", now), 10, "nobody counts it");
    }

    #[test]
    fn a_refused_call_costs_nothing_and_tells_how_long_to_wait() {
        let (mut buckets, now) = (Buckets::default(), Instant::now());
        assert_eq!(taken(&mut buckets, "a:Write", "one", now), 2);
        assert_eq!(
            buckets.take(QUOTAS, "a:Write", Some("one"), now),
            Err(Duration::from_millis(500))
        );
        assert_eq!(
            taken(&mut buckets, "a:Write", "other", now),
            2,
            "a tenant of its own"
        );
        assert_eq!(taken(&mut buckets, "a:Read", "one", now), 0, "all four are taken");
    }
}
