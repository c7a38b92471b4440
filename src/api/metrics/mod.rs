//! Reports of step-ups, as JSON or CSV.

mod csv;
mod question;
pub mod step_up;
pub mod tenant_step_up;

pub use question::{MetricsParams, MetricsQuestion};
pub(super) use question::{text as read_text, time as read_time};

use crate::{
    reporting::{
        question::{GroupBy, SliceLength},
        report::{Figures, GroupFigures, MethodShare, ReportRow},
    },
    usecases::step_up_reports::Answered,
};
use actix_web::{HttpRequest, HttpResponse, http::header::ACCEPT};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// What became of step-ups, slice by slice.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct StepUpReport {
    /// From this time on: what was asked for, back to the begin of its slice.
    pub from: DateTime<Utc>,
    /// Before this time: what was asked for, on to the end of its slice.
    pub to: DateTime<Utc>,
    /// Length of a slice.
    pub step: SliceLength,
    /// Time zone of the days.
    pub time_zone: String,
    /// What it is split by.
    pub group_by: Option<GroupBy>,
    /// Slices in which something happened, in order.
    pub rows: Vec<ReportRow>,
    /// Everything of each group together, by group; empty without a split.
    pub groups: Vec<GroupFigures>,
    /// Everything together.
    pub total: Figures,
    /// The methods' shares in the successes, most used first.
    pub methods: Vec<MethodShare>,
}

/// The report in the form that the caller takes: CSV when it is asked for, JSON else.
fn answer(request: &HttpRequest, answered: Answered) -> HttpResponse {
    let asked = &answered.question;
    let takes_csv = request
        .headers()
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.split(',').any(|one| one.trim().starts_with("text/csv")));
    if takes_csv {
        return HttpResponse::Ok()
            .content_type("text/csv; charset=utf-8; header=present")
            .insert_header(("content-disposition", csv::disposition(&asked.filter)))
            .body(csv::text(&answered.rows));
    }
    HttpResponse::Ok().json(StepUpReport {
        from: asked.filter.from,
        to: asked.filter.to,
        step: asked.step,
        time_zone: asked.zone.name().to_owned(),
        group_by: asked.group_by,
        rows: answered.rows,
        groups: answered.groups,
        total: answered.total,
        methods: answered.methods,
    })
}
