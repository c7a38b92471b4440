//! Query parameters of reports.

use crate::{
    Context, Error,
    api::{
        extract::{BadValue, read_query},
        problem::ApiError,
    },
    reporting::question::{Filter, GroupBy, Question, SliceLength},
};
use actix_web::{FromRequest, HttpRequest, dev::Payload, web::Data};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use std::future::{Ready, ready};

/// Query parameters of reports.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only documents what `MetricsQuestion` reads")]
pub struct MetricsParams {
    /// From this time on, or rather from the begin of the slice that it lies in; by default 24 hours before `to`, with
    /// step `day` 30 days.
    from: Option<DateTime<Utc>>,
    /// Before this time, or rather before the end of the slice that it lies in; by default now.
    to: Option<DateTime<Utc>>,
    /// Length of the slices; by default `hour`.
    step: Option<SliceLength>,
    /// What to split by.
    group_by: Option<GroupBy>,
    /// Time zone of the days (IANA name), for step `day`; by default `UTC`.
    #[param(max_length = 64, example = "Europe/Berlin")]
    time_zone: Option<String>,
    /// Only this app.
    #[param(max_length = 64)]
    app_id: Option<String>,
    /// Only events that name this method (ACR value). What became of journeys cannot be told of one.
    #[param(max_length = 200)]
    method: Option<String>,
    /// Only events that name this reason code. What became of journeys cannot be told of one.
    #[param(max_length = 64)]
    reason: Option<String>,
}

#[derive(Default)]
struct Asked {
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    step: Option<SliceLength>,
    group_by: Option<GroupBy>,
    zone: Option<Tz>,
    app_id: Option<String>,
    method: Option<String>,
    reason: Option<String>,
}

impl Asked {
    fn take(&mut self, name: &str, value: &str) -> Option<Result<(), BadValue>> {
        let taken = match name {
            "from" => time(value).map(|time| self.from = Some(time)),
            "to" => time(value).map(|time| self.to = Some(time)),
            "step" => known(value, "`minute`, `hour` or `day`").map(|step| self.step = Some(step)),
            "group_by" => known(
                value,
                "`tenant`, `app`, `method`, `outcome`, `reason`, `policy_version` or `trigger_version`",
            )
            .map(|group_by| self.group_by = Some(group_by)),
            "time_zone" => known(value, "the name of a time zone, for example `Europe/Berlin`")
                .map(|zone| self.zone = Some(zone)),
            "app_id" => text(value, 64).map(|text| self.app_id = Some(text)),
            "method" => text(value, 200).map(|text| self.method = Some(text)),
            "reason" => text(value, 64).map(|text| self.reason = Some(text)),
            _ => return None,
        };
        Some(taken)
    }
}

pub(in crate::api) fn time(value: &str) -> Result<DateTime<Utc>, BadValue> {
    DateTime::parse_from_rfc3339(value)
        .map(|time| time.with_timezone(&Utc))
        .map_err(|_| {
            (
                "invalid",
                "must be a time as RFC 3339 writes it, for example `2026-01-05T10:00:00Z`".to_owned(),
            )
        })
}

fn known<T: std::str::FromStr>(value: &str, what: &str) -> Result<T, BadValue> {
    value.parse().map_err(|_| ("invalid", format!("must be {what}")))
}

pub(in crate::api) fn text(value: &str, max_chars: usize) -> Result<String, BadValue> {
    let good = (1..=max_chars).contains(&value.chars().count()) && !value.contains('\0');
    if good {
        Ok(value.to_owned())
    } else {
        Err(("invalid", format!("must have 1 to {max_chars} characters")))
    }
}

/// A report that is asked for.
#[derive(Debug)]
pub struct MetricsQuestion(pub Question);

impl FromRequest for MetricsQuestion {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request).map_err(ApiError::from))
    }
}

fn read(request: &HttpRequest) -> Result<MetricsQuestion, Error> {
    let mut asked = Asked::default();
    read_query(request.query_string(), |name, value| asked.take(name, value))?;
    let now = request
        .app_data::<Data<Context>>()
        .map(|context| context.clock.now())
        .ok_or_else(|| Error::internal(anyhow::anyhow!("the application has no context")))?;
    let to = asked.to.unwrap_or(now);
    let step = asked.step.unwrap_or(SliceLength::Hour);
    Ok(MetricsQuestion(Question {
        filter: Filter {
            from: asked.from.unwrap_or(to - step.usual_range()),
            to,
            tenant_id: None,
            app_id: asked.app_id,
            method: asked.method,
            reason: asked.reason,
        },
        step,
        group_by: asked.group_by,
        zone: asked.zone.unwrap_or(Tz::UTC),
    }))
}
