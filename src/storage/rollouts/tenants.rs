//! Tenants of rollouts: who is in which wave, and how far.

use crate::{
    Error, Result,
    domain::{
        actor::OperatorScope,
        operation::Failure,
        provisioning::Observed,
        rollout::{Health, ProbeOutcome, Rate, Remark, Rollout, Stages, TenantStage},
    },
    ids::{OperationId, PartnerId, ReleaseId, RolloutId, TenantId},
};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, types::Json};

/// Takes every tenant in that the rollout is for and that is not in it, sandboxes first, the oldest first. Until
/// [`assign`] they are in wave `wave`. Returns them in that order.
pub async fn take_in(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    rollout: &Rollout,
    wave: u32,
) -> Result<Vec<TenantId>> {
    let rows = sqlx::query_scalar!(
        r#"WITH found AS (
               SELECT t.id, t.partner_id, coalesce(t.release_id, c.release_id) AS from_release_id, rc.release_id,
                      t.sandbox, t.created_at
               FROM rollout_cells rc JOIN tenants t ON t.cell_id = rc.cell_id JOIN cells c ON c.id = rc.cell_id
               WHERE rc.rollout_id = $1 AND t.state = 'active' AND t.labels @> $2
                 AND coalesce(t.release_id, c.release_id) IS DISTINCT FROM rc.release_id
           ), taken AS (
               INSERT INTO rollout_tenants (rollout_id, tenant_id, partner_id, wave, stage, from_release_id, to_release_id)
               SELECT $1, id, partner_id, $3, 'pending', from_release_id, release_id FROM found
               ON CONFLICT (rollout_id, tenant_id) DO NOTHING
               RETURNING tenant_id
           )
           SELECT found.id AS "id: TenantId" FROM found JOIN taken ON taken.tenant_id = found.id
           ORDER BY found.sandbox DESC, found.created_at, found.id"#,
        rollout.id as RolloutId,
        Json(&rollout.plan.labels) as _,
        i32::try_from(wave).unwrap_or(i32::MAX)
    )
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Shares tenants out to waves of these sizes.
pub async fn assign(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    id: RolloutId,
    tenants: &[TenantId],
    sizes: &[u32],
) -> Result<()> {
    let waves = sizes
        .iter()
        .zip(0_i32..)
        .flat_map(|(size, wave)| std::iter::repeat_n(wave, usize::try_from(*size).unwrap_or(usize::MAX)));
    let waves: Vec<i32> = waves.take(tenants.len()).collect();
    let tenants: Vec<String> = tenants.iter().map(ToString::to_string).collect();
    sqlx::query!(
        "UPDATE rollout_tenants SET wave = shares.wave FROM unnest($2::text[], $3::integer[]) AS shares (tenant, wave)
         WHERE rollout_id = $1 AND tenant_id = shares.tenant",
        id as RolloutId,
        &tenants,
        &waves
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// How many tenants are at which stage, by wave.
pub async fn stages(
    db: &mut PgConnection,
    _scope: &OperatorScope,
    id: RolloutId,
) -> Result<Vec<(u32, TenantStage, u32)>> {
    let rows = sqlx::query!(
        r#"SELECT wave, stage, count(*) AS "tenants!" FROM rollout_tenants WHERE rollout_id = $1
           GROUP BY wave, stage ORDER BY wave, stage"#,
        id as RolloutId
    )
    .fetch_all(db)
    .await?;
    let count = |value: i64| u32::try_from(value).map_err(Error::internal);
    rows.into_iter()
        .map(|row| Ok((count(row.wave.into())?, row.stage.parse()?, count(row.tenants)?)))
        .collect()
}

/// The same, of one wave and of all.
pub fn summed(stages: &[(u32, TenantStage, u32)], wave: u32) -> (Stages, Stages) {
    let (mut of_wave, mut all) = (Stages::default(), Stages::default());
    for (of, stage, count) in stages {
        all.add(*stage, *count);
        if *of == wave {
            of_wave.add(*stage, *count);
        }
    }
    (of_wave, all)
}

/// Tenants that the rollout is for, are not in it, and run something else.
pub async fn strays(db: &mut PgConnection, _scope: &OperatorScope, rollout: &Rollout) -> Result<u32> {
    let strays = sqlx::query_scalar!(
        r#"SELECT count(*) AS "strays!"
           FROM rollout_cells rc JOIN tenants t ON t.cell_id = rc.cell_id JOIN cells c ON c.id = rc.cell_id
           WHERE rc.rollout_id = $1 AND t.state = 'active'
             AND coalesce(t.release_id, c.release_id) IS DISTINCT FROM rc.release_id
             AND NOT EXISTS (SELECT FROM rollout_tenants rt WHERE rt.rollout_id = $1 AND rt.tenant_id = t.id)"#,
        rollout.id as RolloutId
    )
    .fetch_one(db)
    .await?;
    u32::try_from(strays).map_err(Error::internal)
}

/// A tenant of a rollout, with what is to be known of it to go on.
#[derive(Debug, Clone)]
pub struct Member {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Whose it is.
    pub partner_id: PartnerId,
    /// How far it is.
    pub stage: TenantStage,
    /// What it ran before.
    pub from: Option<ReleaseId>,
    /// What it is to run.
    pub to: ReleaseId,
    /// State of the operation that changes it, and why that failed.
    pub operation: Option<(String, Option<Failure>)>,
    /// What its functions answered before.
    pub probe_before: Option<ProbeOutcome>,
    /// How often they were asked since.
    pub probes: i32,
    /// When its stage began that takes time.
    pub started_at: Option<DateTime<Utc>>,
    /// Whether it still is to be provisioned.
    pub active: bool,
    /// Whether it is suspended.
    pub suspended: bool,
    /// Whether its last pass failed.
    pub failing: bool,
    /// What was found of it in AWS.
    pub observed: Observed,
    /// App client of one of its apps.
    pub client_id: Option<String>,
    /// Region of its cell.
    pub region: String,
    /// Role that leads to its cell.
    pub access: Option<crate::domain::cell::CellAccess>,
}

/// Up to `limit` tenants at one of these stages, of one wave or of all.
pub async fn at(
    db: &mut PgConnection,
    _scope: &OperatorScope,
    id: RolloutId,
    (stages, wave): (&[TenantStage], Option<u32>),
    limit: i64,
) -> Result<Vec<Member>> {
    let stages: Vec<String> = stages.iter().map(|stage| stage.as_str().to_owned()).collect();
    let rows = sqlx::query!(
        r#"SELECT rt.tenant_id AS "tenant_id: TenantId", rt.partner_id AS "partner_id: PartnerId", rt.stage,
                  rt.from_release_id AS "from: ReleaseId", rt.to_release_id AS "to: ReleaseId",
                  o.state AS "operation_state?", o.error AS "operation_error: Json<Failure>",
                  rt.probe_before AS "probe_before: Json<ProbeOutcome>", rt.probes, rt.started_at,
                  t.state = 'active' AS "active!", t.suspended_at IS NOT NULL AS "suspended!",
                  t.last_error IS NOT NULL AS "failing!", t.observed AS "observed: Json<Observed>",
                  (SELECT a.client_id FROM apps a WHERE a.tenant_id = t.id AND a.deleted_at IS NULL
                     AND a.client_id IS NOT NULL ORDER BY a.id LIMIT 1) AS client_id,
                  c.region, c.role_arn, c.external_id
           FROM rollout_tenants rt JOIN tenants t ON t.id = rt.tenant_id JOIN cells c ON c.id = t.cell_id
           LEFT JOIN operations o ON o.id = rt.operation_id
           WHERE rt.rollout_id = $1 AND rt.stage = ANY($2) AND ($3::integer IS NULL OR rt.wave = $3)
           ORDER BY rt.wave, t.sandbox DESC, t.created_at, t.id LIMIT $4"#,
        id as RolloutId,
        &stages,
        wave.map(|wave| i32::try_from(wave).unwrap_or(i32::MAX)),
        limit
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Member {
                tenant_id: row.tenant_id,
                partner_id: row.partner_id,
                stage: row.stage.parse()?,
                from: row.from,
                to: row.to,
                operation: row
                    .operation_state
                    .map(|state| (state, row.operation_error.map(|Json(error)| error))),
                probe_before: row.probe_before.map(|Json(outcome)| outcome),
                probes: row.probes,
                started_at: row.started_at,
                active: row.active,
                suspended: row.suspended,
                failing: row.failing,
                observed: row.observed.0,
                client_id: row.client_id,
                region: row.region,
                access: super::super::cells::access(row.role_arn, row.external_id),
            })
        })
        .collect()
}

/// What becomes of a tenant.
#[derive(Debug, Clone)]
pub struct Next<'a> {
    /// Stage that it comes to.
    pub stage: TenantStage,
    /// Why, where that is worth telling.
    pub detail: Option<&'a str>,
    /// Operation that changes it from now on.
    pub operation_id: Option<OperationId>,
    /// What its functions answered before they are changed.
    pub probe_before: Option<&'a ProbeOutcome>,
    /// How often they were asked since.
    pub probes: i32,
}

impl Next<'_> {
    /// A stage, and nothing else that is new.
    pub const fn stage(stage: TenantStage) -> Self {
        Self {
            stage,
            detail: None,
            operation_id: None,
            probe_before: None,
            probes: 0,
        }
    }
}

/// Brings a tenant of a held rollout to another stage. What is not given stays.
pub async fn set(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    (rollout, tenant): (RolloutId, TenantId),
    next: &Next<'_>,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE rollout_tenants SET stage = $3, detail = coalesce($4, detail), operation_id = coalesce($5, operation_id),
                probe_before = coalesce($6, probe_before), probes = $7,
                started_at = CASE WHEN $3 IN ('updating', 'returning') THEN $8 ELSE started_at END,
                updated_at = CASE WHEN $3 = 'probing' AND stage <> 'probing' THEN $8 ELSE updated_at END
         WHERE rollout_id = $1 AND tenant_id = $2",
        rollout as RolloutId,
        tenant as TenantId,
        next.stage.as_str(),
        next.detail,
        next.operation_id as Option<OperationId>,
        next.probe_before.map(Json) as _,
        next.probes,
        now
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// How long before an update steps-up are compared with.
const BEFORE: TimeDelta = TimeDelta::days(1);

/// Steps-up of the updated tenants, before and since. The minute of the update counts for neither.
///
/// A journey that began and was never answered counts as a failure as soon as its session is over: a release whose page
/// nobody can get past refuses nothing. Refusals count each, also those before a journey began.
pub async fn health(
    db: &mut PgConnection,
    _scope: &OperatorScope,
    id: RolloutId,
    now: DateTime<Utc>,
) -> Result<Health> {
    let row = sqlx::query!(
        r#"SELECT coalesce(sum(m.events) FILTER (WHERE m.outcome = 'succeeded' AND m.is_before), 0)::bigint AS "succeeded_before!",
                  coalesce(sum(m.events) FILTER (WHERE m.outcome = 'failed' AND m.is_before), 0)::bigint AS "failed_before!",
                  coalesce(sum(m.unanswered) FILTER (WHERE m.is_before), 0)::bigint AS "unanswered_before!",
                  coalesce(sum(m.events) FILTER (WHERE m.outcome = 'succeeded' AND m.is_after), 0)::bigint AS "succeeded_after!",
                  coalesce(sum(m.events) FILTER (WHERE m.outcome = 'failed' AND m.is_after), 0)::bigint AS "failed_after!",
                  coalesce(sum(m.unanswered) FILTER (WHERE m.is_after), 0)::bigint AS "unanswered_after!"
           FROM (SELECT m.outcome, m.events,
                        m.slice < rt.started_at - interval '1 minute' AS is_before, m.slice >= rt.updated_at AS is_after,
                        CASE WHEN m.slice > $3::timestamptz
                                 - make_interval(mins => coalesce((a.settings ->> 'session_validity_min')::integer, 15)) THEN 0
                             WHEN m.outcome = 'started' THEN m.events
                             WHEN m.outcome = 'ended' THEN -m.events ELSE 0 END AS unanswered
                 FROM rollout_tenants rt JOIN step_up_minutes m ON m.tenant_id = rt.tenant_id
                     LEFT JOIN apps a ON a.id = m.app_id
                 WHERE rt.rollout_id = $1 AND rt.stage = 'updated' AND m.outcome IN ('succeeded', 'failed', 'started', 'ended')
                   AND m.slice >= rt.started_at - make_interval(secs => $2)) AS m"#,
        id as RolloutId,
        BEFORE.as_seconds_f64(),
        now
    )
    .fetch_one(db)
    .await?;
    let count = |value: i64| u64::try_from(value).unwrap_or_default();
    let rate = |succeeded, failed, unanswered: i64| Rate {
        succeeded: count(succeeded),
        // Answers to journeys whose beginning was not told can make it negative.
        failed: count(failed) + count(unanswered),
    };
    Ok(Health {
        before: rate(row.succeeded_before, row.failed_before, row.unanswered_before),
        after: rate(row.succeeded_after, row.failed_after, row.unanswered_after),
    })
}

/// The first of the tenants of which there is something to tell.
pub async fn remarks(
    db: &mut PgConnection,
    _scope: &OperatorScope,
    id: RolloutId,
    limit: i64,
) -> Result<Vec<Remark>> {
    let rows = sqlx::query!(
        r#"SELECT tenant_id AS "tenant_id: TenantId", stage, detail AS "detail!" FROM rollout_tenants
           WHERE rollout_id = $1 AND detail IS NOT NULL ORDER BY wave, tenant_id LIMIT $2"#,
        id as RolloutId,
        limit
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Remark {
                tenant_id: row.tenant_id,
                stage: row.stage.parse()?,
                detail: row.detail,
            })
        })
        .collect()
}

/// Has an active tenant run another release; its generation is the caller's to grow. False when it is not active.
pub async fn set_release(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    tenant: TenantId,
    release: Option<ReleaseId>,
) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE tenants SET release_id = $2 WHERE id = $1 AND state = 'active'",
        tenant as TenantId,
        release as Option<ReleaseId>
    )
    .execute(tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Has tenants that are still being made in the cells of a rollout come up with its release.
pub async fn set_release_of_reserved(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    rollout: RolloutId,
) -> Result<()> {
    sqlx::query!(
        "UPDATE tenants SET release_id = rc.release_id FROM rollout_cells rc
         WHERE rc.rollout_id = $1 AND tenants.cell_id = rc.cell_id AND tenants.state = 'awaiting_secret'",
        rollout as RolloutId
    )
    .execute(tx)
    .await?;
    Ok(())
}
