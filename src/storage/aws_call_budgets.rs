//! Budgets of AWS calls: token buckets that all workers share, one an account, region and group of operations.
//!
//! Time is the database's own here, the one clock that all workers have in common. A bucket fills with three quarters
//! of its rate and holds a tenth of it, so that what several workers took and have not used yet stays within the rest.

use crate::{
    Result,
    domain::{
        actor::OperatorScope,
        cell::{CallGroup, CallScope},
    },
};
use sqlx::PgConnection;

/// Tokens that were taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Taken {
    /// How many.
    pub tokens: f64,
    /// Seconds until there is one, if there was none.
    pub pause_s: f64,
}

/// A bucket as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// Service and operation, or group.
    pub operation: String,
    /// Calls a second that AWS allows.
    pub limit_per_s: f64,
    /// Calls a second that are made at present.
    pub rate_per_s: f64,
}

/// Takes what the bucket holds. Its limit is that of the group unless the cell of the account and region has one of its
/// own; a limit that was changed holds from the next call on.
pub async fn take(
    db: &mut PgConnection,
    _scope: &OperatorScope,
    at: &CallScope,
    group: CallGroup,
) -> Result<Taken> {
    if let Some(taken) = take_of_known(db, at, group).await? {
        return Ok(taken);
    }
    // A new bucket begins at its limit, whatever that is.
    sqlx::query!(
        "INSERT INTO aws_call_budgets (scope, operation, limit_per_s, rate_per_s, tokens, refilled_at)
         VALUES (aws_call_scope($1, $2), $3, $4, 1e9, 0, clock_timestamp()) ON CONFLICT DO NOTHING",
        at.account_id,
        at.region,
        group.as_str(),
        group.default_per_s()
    )
    .execute(&mut *db)
    .await?;
    let taken = take_of_known(db, at, group).await?;
    Ok(taken.ok_or(sqlx::Error::RowNotFound)?)
}

/// Takes what a bucket holds that has been asked before.
async fn take_of_known(db: &mut PgConnection, at: &CallScope, group: CallGroup) -> Result<Option<Taken>> {
    let taken = sqlx::query!(
        r#"WITH place AS (
               SELECT aws_call_scope($1, $2) AS scope
           ), limits AS (
               SELECT coalesce(min((aws_call_limits ->> $3)::double precision), $4) AS allowed
               FROM cells, place WHERE aws_call_scope(account_id, region) = place.scope
           ), held AS (
               SELECT tokens, rate_per_s, extract(epoch FROM clock_timestamp() - refilled_at)::double precision AS passed_s
               FROM aws_call_budgets WHERE scope = (SELECT scope FROM place) AND operation = $3 FOR UPDATE
           ), grown AS (
               SELECT allowed, least(allowed, rate_per_s + allowed * 0.05 * passed_s) AS rate, tokens, passed_s FROM held, limits
           ), filled AS (
               SELECT allowed, rate, least(greatest(1, rate * 0.1), tokens + rate * 0.75 * passed_s) AS filled_to FROM grown
           ), taken AS (
               SELECT allowed, rate, filled_to, floor(filled_to) AS granted FROM filled
           )
           UPDATE aws_call_budgets SET limit_per_s = allowed, rate_per_s = rate, tokens = filled_to - granted,
                                       refilled_at = clock_timestamp()
           FROM taken WHERE scope = (SELECT scope FROM place) AND operation = $3
           RETURNING granted AS "granted!", (1 - (filled_to - granted)) / (rate * 0.75) AS "pause_s!""#,
        at.account_id,
        at.region,
        group.as_str(),
        group.default_per_s()
    )
    .fetch_optional(db)
    .await?;
    Ok(taken.map(|taken| Taken {
        tokens: taken.granted,
        pause_s: taken.pause_s,
    }))
}

/// AWS throttled: the rate is halved, once for all refusals of half a second, and never below a twentieth of the limit.
pub async fn throttled(
    db: &mut PgConnection,
    _scope: &OperatorScope,
    at: &CallScope,
    group: CallGroup,
) -> Result<()> {
    sqlx::query!(
        "UPDATE aws_call_budgets
         SET rate_per_s = greatest(limit_per_s * 0.05, rate_per_s * 0.5), tokens = 0, throttled_at = clock_timestamp()
         WHERE scope = aws_call_scope($1, $2) AND operation = $3
           AND (throttled_at IS NULL OR throttled_at < clock_timestamp() - interval '500 milliseconds')",
        at.account_id,
        at.region,
        group.as_str()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The buckets of an account and region.
pub async fn list(db: &mut PgConnection, _scope: &OperatorScope, at: &CallScope) -> Result<Vec<Budget>> {
    let budgets = sqlx::query_as!(
        Budget,
        "SELECT operation, limit_per_s, rate_per_s FROM aws_call_budgets WHERE scope = aws_call_scope($1, $2) ORDER BY operation",
        at.account_id,
        at.region
    );
    Ok(budgets.fetch_all(db).await?)
}
