//! How many tenants are how, and which of them somebody should look at.

use crate::{
    Result,
    domain::{
        actor::ReadScope,
        tenant_overview::{Facts, TenantCondition, TroubledTenant},
    },
    ids::{PartnerId, TenantId},
};
use sqlx::PgConnection;

/// How many tenants are in each condition.
pub async fn count(db: &mut PgConnection, scope: &ReadScope) -> Result<Vec<(TenantCondition, i64)>> {
    let rows = sqlx::query!(
        r#"SELECT state, suspended_at IS NOT NULL AS "suspended!", last_error IS NOT NULL AS "failing!",
                  observed_generation < generation AS "behind!", count(*) AS "tenants!"
           FROM tenants WHERE ($1::text IS NULL OR partner_id = $1) AND state <> 'deleted' GROUP BY 1, 2, 3, 4"#,
        scope.partner_id() as Option<PartnerId>
    )
    .fetch_all(db)
    .await?;
    let condition = |state: &str, suspended, failing, behind| {
        TenantCondition::of(Facts {
            state,
            suspended,
            failing,
            behind,
        })
    };
    let counts = TenantCondition::ALL.map(|wanted| {
        let of_it = rows
            .iter()
            .filter(|row| condition(&row.state, row.suspended, row.failing, row.behind) == wanted);
        (wanted, of_it.map(|row| row.tenants).sum())
    });
    Ok(counts.into())
}

/// Tenants that somebody should look at, those that changed last first.
pub async fn troubled(db: &mut PgConnection, scope: &ReadScope, limit: i64) -> Result<Vec<TroubledTenant>> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: TenantId", name, state, suspended_at IS NOT NULL AS "suspended!",
                  last_error IS NOT NULL AS "failing!", observed_generation < generation AS "behind!",
                  last_error ->> 'message' AS failure, suspension_reason
           FROM tenants
           WHERE ($1::text IS NULL OR partner_id = $1)
             AND (state = 'awaiting_secret' OR (state = 'active' AND (suspended_at IS NOT NULL OR last_error IS NOT NULL)))
           ORDER BY updated_at DESC, id LIMIT $2"#,
        scope.partner_id() as Option<PartnerId>,
        limit
    )
    .fetch_all(db)
    .await?;
    let troubled = rows.into_iter().map(|row| TroubledTenant {
        id: row.id,
        name: row.name,
        condition: TenantCondition::of(Facts {
            state: &row.state,
            suspended: row.suspended,
            failing: row.failing,
            behind: row.behind,
        }),
        why: if row.suspended {
            row.suspension_reason
        } else {
            row.failure
        },
    });
    Ok(troubled.collect())
}
