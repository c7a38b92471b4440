//! `GET /v1/operations/{operation_id}/events`

use super::{
    Operation,
    feed::{OperationFeed, Subscription},
};
use crate::{
    Context, Error,
    api::{
        draining::Draining,
        extract::{AsReader, Caller, PathIds},
        respond::Answer,
    },
    error::{Code, FieldError},
    ids::OperationId,
    usecases::{self, operations::Progress},
};
use actix_web::{HttpRequest, HttpResponse, get, web::Bytes, web::Data};
use serde::Serialize;
use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// A comment this often keeps proxies from closing a silent stream.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A stream ends after this; the client comes back by itself, and its key is looked at again.
const LONGEST: Duration = Duration::from_mins(10);
/// What a client that lost its stream waits before it comes back.
const RETRY_MS: u32 = 2000;

/// Watch an operation.
///
/// A stream of server-sent events. `step` events carry a step that changed, `operation` events the whole operation;
/// several changes in quick succession may come as one event. The stream ends after the `operation` event whose `state`
/// is final, after ten minutes in any case, and when the server that sends it is replaced. A client that lost it comes
/// back with the id of the last event it saw in `Last-Event-ID` and gets what changed since; when there is nothing more
/// to come the answer is 204, at which browsers stop coming back. Comments keep the connection alive.
#[utoipa::path(
    operation_id = "watchOperation", tag = "operations",
    params(
        ("operation_id" = OperationId, Path, description = "The operation"),
        ("Last-Event-ID" = Option<String>, Header, pattern = "^[0-9]{1,18}$", description = "`id` of the last event that was seen", example = "4711")
    ),
    responses(
        (status = 200, description = "Events until the operation has ended", body = String, content_type = "text/event-stream",
         example = "id: 4711\nevent: step\ndata: {\"name\": \"tenant_stack\", \"state\": \"running\", \"attempts\": 1}\n\n"),
        (status = 204, description = "The operation has ended and its last event was seen")
    )
)]
#[get("/v1/operations/{operation_id}/events")]
pub(crate) async fn watch_operation(
    caller: Caller<AsReader>,
    context: Data<Context>,
    feed: Data<OperationFeed>,
    draining: Data<Draining>,
    request: HttpRequest,
    id: PathIds<OperationId>,
) -> Answer {
    let seen = last_event_id(&request)?;
    let first = usecases::operations::progress(&context, &caller.request, id.0, seen).await?;
    if first.operation.state.has_ended() && first.changed.is_empty() && first.operation.revision <= seen {
        return Ok(HttpResponse::NoContent().finish());
    }
    // Nothing is missed in between: the first look of the feed wakes every new stream.
    let subscription = feed.subscribe(id.0)?;
    let mut stream = Events {
        context,
        draining,
        request: caller.request,
        subscription,
        seen,
        ready: VecDeque::from([Bytes::from(format!("retry: {RETRY_MS}\n\n"))]),
        ended: false,
        until: Instant::now() + LONGEST,
    };
    stream.tell(first)?;
    let chunks = futures_util::stream::unfold(stream, |mut stream| async {
        let chunk = stream.next().await?;
        Some((Ok::<_, actix_web::Error>(chunk), stream))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("x-accel-buffering", "no"))
        .streaming(chunks))
}

fn last_event_id(request: &HttpRequest) -> Result<i64, Error> {
    let Some(value) = request.headers().get("last-event-id") else {
        return Ok(0);
    };
    let read = value.to_str().ok().and_then(|text| text.parse().ok());
    read.filter(|id| *id >= 0).ok_or_else(|| {
        let detail = "`Last-Event-ID` must be the id of an event of this stream.";
        Error::new(Code::InvalidHeader, detail).with_fields(vec![FieldError::new(
            "header:Last-Event-ID",
            "invalid",
            detail,
        )])
    })
}

/// A stream under way.
struct Events {
    context: Data<Context>,
    draining: Data<Draining>,
    request: usecases::Request,
    subscription: Subscription,
    /// Revision up to which everything was told.
    seen: i64,
    ready: VecDeque<Bytes>,
    ended: bool,
    until: Instant,
}

impl Events {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Some(chunk);
            }
            if self.ended {
                return None;
            }
            tokio::select! {
                () = self.subscription.changed() => {
                    let id = self.subscription.operation_id();
                    // Whoever may not read it any more, or cannot at the moment, hears no more: coming back tells why.
                    let progress = usecases::operations::progress(&self.context, &self.request, id, self.seen).await.ok()?;
                    self.tell(progress).ok()?;
                }
                () = tokio::time::sleep(HEARTBEAT) => return Some(Bytes::from_static(b": still here\n\n")),
                () = tokio::time::sleep_until(self.until) => return None,
                () = self.draining.begun() => return None,
            }
        }
    }

    /// Makes events of what changed, in the order of the changes, so that whoever has seen one has seen all before it.
    /// Only the end comes last in any case: the steps before it then have ids below its own.
    fn tell(&mut self, progress: Progress) -> Result<(), Error> {
        let revision = progress.operation.revision;
        let ended = progress.operation.state.has_ended();
        let mut untold = revision > self.seen || (ended && !progress.changed.is_empty());
        let operation = Operation::new(progress.operation, progress.steps);
        let mut newest = self.seen.max(revision);
        for changed in &progress.changed {
            if untold && !ended && changed.revision > revision {
                self.ready.push_back(event(revision, "operation", &operation)?);
                untold = false;
            }
            newest = newest.max(changed.revision);
            let id = if ended {
                changed.revision.min(revision - 1).max(self.seen)
            } else {
                changed.revision
            };
            self.ready.push_back(event(id, "step", &changed.step)?);
        }
        if untold {
            self.ready.push_back(event(newest, "operation", &operation)?);
        }
        self.seen = newest;
        self.ended = ended;
        Ok(())
    }
}

fn event(id: i64, name: &str, data: &impl Serialize) -> Result<Bytes, Error> {
    // JSON of serde_json has no line breaks.
    let data = serde_json::to_string(data)?;
    Ok(Bytes::from(format!("id: {id}\nevent: {name}\ndata: {data}\n\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_block_whatever_the_data_says() {
        let data = serde_json::json!({ "detail": "a\n\nid: 9\r\nevent: operation" });
        let text = String::from_utf8(event(7, "step", &data).unwrap().to_vec()).unwrap();
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(text.starts_with("id: 7\nevent: step\ndata: {") && text.ends_with("}\n\n"));
    }
}
