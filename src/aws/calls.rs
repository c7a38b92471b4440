//! Counts, times and traces every call: an interceptor that each client gets ([`observed`]).

use crate::observability::{
    metrics::{families::Value, metrics},
    traces,
};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept,
            context::{
                BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
                FinalizerInterceptorContextRef,
            },
            dyn_dispatch_hint,
        },
        orchestrator::Metadata,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use std::time::Instant;
use tracing::{Span, field::Empty};

/// A client of the service `$sdk` whose calls are counted and timed.
macro_rules! observed {
    ($sdk:ident, $config:expr) => {
        $sdk::Client::from_conf(
            $sdk::config::Builder::from($config)
                .interceptor($crate::aws::calls::Observe)
                .build(),
        )
    };
}
pub(super) use observed;

/// The interceptor.
#[derive(Debug)]
pub(super) struct Observe;

/// A call under way. Its span ends when the call's configuration is dropped, right after it.
#[derive(Debug)]
struct Begun {
    at: Instant,
    span: Span,
}

impl Storable for Begun {
    type Storer = StoreReplace<Self>;
}

#[dyn_dispatch_hint]
impl Intercept for Observe {
    fn name(&self) -> &'static str {
        "Observe"
    }

    // Not before the execution: a client's interceptors do not see there yet which operation it is.
    fn read_before_serialization(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let begun = Begun {
            at: Instant::now(),
            span: span(names(cfg)),
        };
        cfg.interceptor_state().store_put(begun);
        Ok(())
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        metrics().aws_attempts.add(names(cfg), 1);
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let [service, operation] = names(cfg);
        if let Some(Begun { at, span }) = cfg.load::<Begun>() {
            let result = result(context);
            metrics()
                .aws_call_duration_seconds
                .observe([service, operation, result.into()], at.elapsed());
            span.record("aws.result", result);
            if result != "ok" {
                span.record("otel.status_code", "error");
            }
            let headers = context
                .response()
                .map(aws_smithy_runtime_api::http::Response::headers);
            if let Some(id) = headers.and_then(|headers| headers.get("x-amzn-requestid")) {
                span.record("aws.request_id", id);
            }
        }
        Ok(())
    }
}

/// A span of a call, where it is part of a trace.
fn span([service, operation]: [Value; 2]) -> Span {
    if !traces::are_under_way() {
        return Span::none();
    }
    tracing::info_span!(
        target: "stepgate::trace", "aws", otel.name = format!("{service}.{operation}"), otel.kind = "client",
        otel.status_code = Empty, rpc.system = "aws-api", rpc.service = &*service, rpc.method = &*operation,
        aws.result = Empty, aws.request_id = Empty
    )
}

/// Service and operation, as the SDK calls them.
fn names(cfg: &ConfigBag) -> [Value; 2] {
    cfg.load::<Metadata>()
        .map_or(["unknown".into(), "unknown".into()], |metadata| {
            [
                metadata.service().to_owned().into(),
                metadata.name().to_owned().into(),
            ]
        })
}

/// What became of a call, in one of seven words.
fn result(context: &FinalizerInterceptorContextRef<'_>) -> &'static str {
    let error = match context.output_or_error() {
        Some(Ok(_)) => return "ok",
        Some(Err(error)) => error,
        None => return "not_sent",
    };
    let connector = error.as_connector_error();
    if error.is_timeout_error() || connector.is_some_and(aws_sdk_sts::error::ConnectorError::is_timeout) {
        return "timeout";
    }
    let Some(response) = context.response().filter(|_| connector.is_none()) else {
        return "not_sent";
    };
    let body = response.body().bytes().unwrap_or_default();
    match response.status().as_u16() {
        429 => "throttled",
        400..=599 if super::kind::names_throttling(body) => "throttled",
        400..=499 => "refused",
        500..=599 => "failed",
        _ => "unreadable",
    }
}
