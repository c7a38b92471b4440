//! Reports of step-ups, and the events behind them.

use super::Request;
use crate::{
    Context, Result,
    domain::{actor::ReadScope, validation::Problems},
    ids::TenantId,
    reporting::{
        batch::EventRow,
        question::{GroupBy, Question},
        report::{self, Figures, GroupFigures, MethodShare, ReportRow},
    },
    storage::{self, Page, PageRequest, step_up_events::Sought, step_up_rollups},
};

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
    let counted = step_up_rollups::counts(&mut tx, scope, grain, filter, question.group_by).await?;
    let timed = step_up_rollups::times(&mut tx, scope, grain, filter, question.group_by).await?;
    let mut open = Vec::new();
    if question.tells_journeys() {
        let now = context.clock.now();
        open = step_up_rollups::open_journeys(&mut tx, scope, filter, question.group_by, now).await?;
    }
    let methods = if question.group_by == Some(GroupBy::Method) {
        report::method_mix(&counted)
    } else {
        let by_method = Some(GroupBy::Method);
        report::method_mix(&step_up_rollups::counts(&mut tx, scope, grain, filter, by_method).await?)
    };
    let report = report::assemble(&question, counted, timed, open);
    Ok(Answered {
        question,
        rows: report.rows,
        groups: report.groups,
        total: report.total,
        methods,
    })
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
