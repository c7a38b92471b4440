//! Reports of step-ups, and the events behind them.

use super::Request;
use crate::{
    Context, Result,
    domain::{actor::ReadScope, validation::Problems},
    ids::TenantId,
    reporting::{
        batch::EventRow,
        histogram::Histogram,
        question::{GroupBy, Question},
        report::{self, Figures, GroupFigures, MethodShare, ReportRow},
    },
    storage::{
        self, Page, PageRequest,
        step_up_events::Sought,
        step_up_rollups::{self, LONGEST_SESSION},
    },
};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use std::collections::{BTreeMap, HashMap, HashSet};

/// A report with what it is read with.
#[derive(Debug)]
pub struct Answered {
    /// What was answered: of whole slices.
    pub question: Question,
    /// The lines.
    pub rows: Vec<ReportRow>,
    /// Everything of each group together.
    pub groups: Vec<GroupFigures>,
    /// Everything together.
    pub total: Figures,
    /// The methods' shares in the successes.
    pub methods: Vec<MethodShare>,
}

/// A report about one tenant.
#[tracing::instrument(target = "stepgate::trace", name = "step_up_reports.of_tenant", skip_all)]
pub async fn of_tenant(
    context: &Context,
    request: &Request,
    tenant_id: TenantId,
    mut question: Question,
) -> Result<Answered> {
    let scope = request.actor.reader()?;
    // A foreign tenant is not one without events: it is not there.
    storage::tenants::get(&mut *context.db.begin(&scope).await?, &scope, tenant_id).await?;
    question.filter.tenant_id = Some(tenant_id);
    answer(context, &scope, question).await
}

/// A report about everything that the caller may see.
#[tracing::instrument(target = "stepgate::trace", name = "step_up_reports.of_all", skip_all)]
pub async fn of_all(context: &Context, request: &Request, question: Question) -> Result<Answered> {
    let scope = request.actor.reader()?;
    answer(context, &scope, question).await
}

async fn answer(context: &Context, scope: &ReadScope, mut question: Question) -> Result<Answered> {
    let mut problems = Problems::new();
    let grain = question.settle(&mut problems);
    problems.finish()?;
    let mut tx = context.db.begin(scope).await?;
    let filter = &question.filter;
    let (counted, timed) = step_up_rollups::figures(&mut tx, scope, grain, filter, question.group_by).await?;
    let mut open = Vec::new();
    if question.tells_journeys() {
        open = open_journeys(&mut tx, scope, &question, context.clock.now()).await?;
    }
    let methods = report::method_mix(&counted);
    let report = report::assemble(&question, counted, timed, open);
    Ok(Answered {
        question,
        rows: report.rows,
        groups: report.groups,
        total: report.total,
        methods,
    })
}

/// Journeys without an answer so far whose sessions are still open, by the minute in which they began and by group.
async fn open_journeys(
    tx: &mut PgConnection,
    scope: &ReadScope,
    question: &Question,
    now: DateTime<Utc>,
) -> Result<Vec<(DateTime<Utc>, String, i64)>> {
    let filter = &question.filter;
    let unanswered = step_up_rollups::unanswered(tx, scope, filter, question.group_by, now).await?;
    let apps: HashSet<&str> = unanswered
        .iter()
        .map(|journeys| journeys.app_id.as_str())
        .collect();
    let apps: Vec<&str> = apps.into_iter().collect();
    let validities = storage::apps::session_validities(tx, scope, &apps).await?;
    let mut open: BTreeMap<(DateTime<Utc>, String), i64> = BTreeMap::new();
    for journeys in unanswered {
        // Of an app that is no longer there, as long as a session can be open.
        let validity = validities.get(&journeys.app_id).copied();
        if journeys.slice > now - validity.unwrap_or(LONGEST_SESSION) {
            *open.entry((journeys.slice, journeys.group)).or_default() += journeys.count;
        }
    }
    let open = open.into_iter();
    Ok(open
        .map(|((slice, group), count)| (slice, group, count.max(0)))
        .collect())
}

/// How long users of a provider take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderTimes {
    /// DNS name of the provider.
    pub provider: String,
    /// Its tenants among those with successes.
    pub tenants: usize,
    /// Successes.
    pub succeeded: u64,
    /// Half of them took less than this from the beginning of the journey, ms.
    pub p50_ms: Option<u32>,
    /// 95 % of them took less than this, ms.
    pub p95_ms: Option<u32>,
}

/// The providers whose users take longest, by the 95th percentile. One with fewer than `least` successes says nothing
/// and is left out.
#[tracing::instrument(
    target = "stepgate::trace",
    name = "step_up_reports.slowest_providers",
    skip_all
)]
pub async fn slowest_providers(
    context: &Context,
    request: &Request,
    mut question: Question,
    least: u64,
) -> Result<Vec<ProviderTimes>> {
    let scope = request.actor.reader()?;
    let mut problems = Problems::new();
    let grain = question.settle(&mut problems);
    problems.finish()?;
    let mut tx = context.db.begin(&scope).await?;
    let by_tenant = Some(GroupBy::Tenant);
    let timed = step_up_rollups::times(&mut tx, &scope, grain, &question.filter, by_tenant).await?;
    let mut of_tenants: HashMap<TenantId, Histogram> = HashMap::new();
    for times in timed {
        if let Ok(tenant_id) = times.group.parse() {
            of_tenants.entry(tenant_id).or_default().add(&times.to_complete);
        }
    }
    let ids: Vec<TenantId> = of_tenants.keys().copied().collect();
    let providers = storage::tenants::providers(&mut tx, &scope, &ids).await?;
    let mut of_providers: HashMap<String, (usize, Histogram)> = HashMap::new();
    for (tenant_id, times) in &of_tenants {
        if let Some(provider) = providers.get(tenant_id) {
            let (tenants, together) = of_providers.entry(provider.clone()).or_default();
            *tenants += 1;
            together.add(times);
        }
    }
    let mut slowest: Vec<ProviderTimes> = of_providers
        .into_iter()
        .filter(|(_, (_, times))| times.count() >= least.max(1))
        .map(|(provider, (tenants, times))| ProviderTimes {
            provider,
            tenants,
            succeeded: times.count(),
            p50_ms: times.percentile_ms(0.50),
            p95_ms: times.percentile_ms(0.95),
        })
        .collect();
    slowest.sort_by(|a, b| b.p95_ms.cmp(&a.p95_ms).then_with(|| a.provider.cmp(&b.provider)));
    Ok(slowest)
}

/// Events, newest first.
#[tracing::instrument(target = "stepgate::trace", name = "step_up_reports.events", skip_all)]
pub async fn events(
    context: &Context,
    request: &Request,
    sought: &Sought,
    page: &PageRequest,
) -> Result<Page<EventRow>> {
    let scope = request.actor.reader()?;
    let mut tx = context.db.begin(&scope).await?;
    if let Some(tenant_id) = sought.tenant_id {
        storage::tenants::get(&mut tx, &scope, tenant_id).await?;
    }
    storage::step_up_events::search(&mut tx, &scope, sought, page).await
}
