//! A collector of traces: takes OTLP over HTTP, and can be asked for spans.

use actix_web::{App, HttpResponse, HttpServer, web};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    common::v1::{AnyValue, KeyValue, any_value},
    trace::v1::Span as Sent,
};
use prost::Message as _;
use std::{
    collections::BTreeMap,
    net::TcpListener,
    sync::{Arc, Mutex},
    time::Duration,
};

const LOOKS: u32 = 600;
const PAUSE: Duration = Duration::from_millis(100);
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// A collector. Stops when dropped.
pub(crate) struct Receiver {
    /// Where it listens, as `OTEL_EXPORTER_OTLP_ENDPOINT` says it.
    pub(crate) url: String,
    got: Arc<Mutex<Got>>,
    server: actix_web::dev::ServerHandle,
}

#[derive(Default)]
struct Got {
    spans: Vec<Span>,
    /// Everything that came, as text: protobuf leaves texts as they are.
    text: String,
}

/// A span, with what is said of the process that made it.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) trace_id: String,
    pub(crate) id: String,
    /// Empty for the first of a process.
    pub(crate) parent: String,
    /// As OTLP numbers them: 1 internal, 2 server, 3 client.
    pub(crate) kind: i32,
    pub(crate) attributes: BTreeMap<String, String>,
    /// Trace and span that it is linked to.
    pub(crate) links: Vec<(String, String)>,
    pub(crate) process: BTreeMap<String, String>,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let got = Arc::new(Mutex::new(Got::default()));
        let shared = web::Data::from(Arc::clone(&got));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .app_data(web::PayloadConfig::new(MAX_BODY_BYTES))
                .route("/v1/traces", web::post().to(take))
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .expect("it listens")
        .run();
        let handle = server.handle();
        tokio::spawn(server);
        Self {
            url,
            got,
            server: handle,
        }
    }

    /// Every span so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.got.lock().unwrap().spans.clone()
    }

    /// Everything that came, as text.
    pub(crate) fn text(&self) -> String {
        self.got.lock().unwrap().text.clone()
    }

    /// Waits for a span, and returns all there are then.
    pub(crate) async fn wait(&self, what: &str, wanted: impl Fn(&Span) -> bool) -> Vec<Span> {
        for _ in 0..LOOKS {
            let spans = self.spans();
            if spans.iter().any(&wanted) {
                return spans;
            }
            tokio::time::sleep(PAUSE).await;
        }
        let names: Vec<String> = self.spans().into_iter().map(|span| span.name).collect();
        panic!("no span of {what} came; there are {names:?}");
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

async fn take(got: web::Data<Mutex<Got>>, body: web::Bytes) -> HttpResponse {
    let Ok(request) = ExportTraceServiceRequest::decode(body.clone()) else {
        return HttpResponse::BadRequest().finish();
    };
    let mut got = got.lock().unwrap();
    got.text.push_str(&String::from_utf8_lossy(&body));
    for of_process in request.resource_spans {
        let process = attributes(&of_process.resource.unwrap_or_default().attributes);
        let sent = of_process.scope_spans.into_iter().flat_map(|scope| scope.spans);
        got.spans.extend(sent.map(|span| read(span, &process)));
    }
    let answer = ExportTraceServiceResponse::default().encode_to_vec();
    HttpResponse::Ok()
        .content_type("application/x-protobuf")
        .body(answer)
}

fn read(sent: Sent, process: &BTreeMap<String, String>) -> Span {
    Span {
        name: sent.name,
        trace_id: hex::encode(sent.trace_id),
        id: hex::encode(sent.span_id),
        parent: hex::encode(sent.parent_span_id),
        kind: sent.kind,
        attributes: attributes(&sent.attributes),
        links: sent
            .links
            .into_iter()
            .map(|link| (hex::encode(link.trace_id), hex::encode(link.span_id)))
            .collect(),
        process: process.clone(),
    }
}

fn attributes(list: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &Option<AnyValue>| match value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    list.iter()
        .map(|attribute| (attribute.key.clone(), text(&attribute.value)))
        .collect()
}
