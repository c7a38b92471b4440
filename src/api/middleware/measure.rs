//! Counts and times a request.

use crate::{
    api::route_table::RouteTable,
    observability::metrics::{
        families::Value,
        labels::{self, NONE},
        metrics,
    },
};
use actix_web::{dev::ServiceRequest, http::StatusCode, web::Data};
use std::time::Instant;

/// Status of a request whose caller went away before there was an answer.
const ABORTED: &str = "aborted";

/// A request under way; dropped without an answer, it counts as aborted.
pub(super) struct Measured {
    /// Operation of the API document, `none` for paths that are not in it.
    operation: Value,
    method: Value,
    begun: Instant,
    over: bool,
}

impl Measured {
    /// Begins with the request.
    pub(super) fn begin(request: &ServiceRequest) -> Self {
        let table = request.app_data::<Data<RouteTable>>();
        let method = request.method().as_str();
        let operation = table
            .and_then(|table| table.operation(method, request.path()))
            .map_or(NONE.into(), |operation| operation.to_owned().into());
        metrics().http_requests_in_flight.change([], 1.0);
        Self {
            operation,
            method: labels::http_method(method),
            begun: Instant::now(),
            over: false,
        }
    }

    /// Operation of the API document.
    pub(super) fn operation(&self) -> &str {
        &self.operation
    }

    /// Ends with the answer; returns how long that took, ms.
    pub(super) fn end(mut self, status: StatusCode) -> u64 {
        self.note(labels::status_class(status.as_u16()));
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn note(&mut self, status: Value) {
        self.over = true;
        let metrics = metrics();
        metrics.http_requests_in_flight.change([], -1.0);
        metrics.http_request_duration_seconds.observe(
            [self.operation.clone(), self.method.clone(), status],
            self.begun.elapsed(),
        );
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        if !self.over {
            self.note(ABORTED.into());
        }
    }
}
