//! Watching an operation by server-sent events, over as many connections as it takes.

use crate::{
    Client, Error,
    operations::fill,
    types::{Operation, Step},
};
use futures_util::StreamExt as _;
use reqwest::Method;
use std::time::Duration;

/// Pause before a lost stream is taken up again.
const RETRY: Duration = Duration::from_secs(1);
/// Lost streams in a row, with nothing heard in between, until the watch is given up.
const RETRIES: u32 = 30;
/// A stream that is silent for longer than this, heartbeats included, is taken for lost.
const SILENCE: Duration = Duration::from_secs(45);
/// Longest event: an operation with all its steps.
const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// What became of an operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// A step changed.
    Step(Step),
    /// The operation changed.
    Operation(Operation),
}

impl Client {
    /// Watches an operation until it has ended, and returns it as it then is, however it ended. `hear` is told of
    /// every change.
    pub async fn wait(
        &self,
        operation_id: &str,
        mut hear: impl FnMut(&Progress),
    ) -> Result<Operation, Error> {
        let mut last_event_id = None;
        let mut lost = 0;
        loop {
            let heard_before = last_event_id.clone();
            match self.listen(operation_id, &mut last_event_id, &mut hear).await {
                Ok(Some(operation)) => return Ok(operation),
                Err(error) if !error.may_pass() || lost >= RETRIES => return Err(error),
                Ok(None) | Err(_) => {}
            }
            // Cut off, or too long: whatever was missed comes with the next stream.
            lost = if last_event_id == heard_before {
                lost + 1
            } else {
                0
            };
            tokio::time::sleep(RETRY).await;
        }
    }

    /// One stream; the operation when it has ended.
    async fn listen(
        &self,
        operation_id: &str,
        last_event_id: &mut Option<String>,
        hear: &mut impl FnMut(&Progress),
    ) -> Result<Option<Operation>, Error> {
        let path = fill("/v1/operations/{operation_id}/events", &[operation_id]);
        let mut call = self.call(Method::GET, &path);
        if let Some(id) = &last_event_id {
            call = call.header("last-event-id", id);
        }
        let response = call.send(None).await?;
        if response.status().as_u16() == 204 {
            return self.get_operation(operation_id).await.map(Some);
        }
        let mut chunks = response.bytes_stream();
        let mut text = Vec::new();
        while let Ok(Some(chunk)) = tokio::time::timeout(SILENCE, chunks.next()).await {
            text.extend_from_slice(&chunk.map_err(Error::Unreachable)?);
            while let Some(block) = take_block(&mut text) {
                let Some((id, progress)) = parse(&block)? else {
                    continue;
                };
                *last_event_id = Some(id);
                hear(&progress);
                match progress {
                    Progress::Operation(operation) if operation.has_ended() => return Ok(Some(operation)),
                    _ => {}
                }
            }
            if text.len() > MAX_EVENT_BYTES {
                return Ok(None);
            }
        }
        Ok(None)
    }
}

/// Takes the first whole block off the text.
fn take_block(text: &mut Vec<u8>) -> Option<String> {
    let end = text.windows(2).position(|pair| pair == b"\n\n")?;
    let block: Vec<u8> = text.drain(..end + 2).collect();
    Some(String::from_utf8_lossy(&block).into_owned())
}

/// Id and content of a block; `None` for comments and for events that this version does not know.
fn parse(block: &str) -> Result<Option<(String, Progress)>, Error> {
    let field = |name: &str| {
        block
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .map(str::trim)
    };
    let (Some(id), Some(event), Some(data)) = (field("id:"), field("event:"), field("data:")) else {
        return Ok(None);
    };
    let progress = match event {
        "step" => Progress::Step(serde_json::from_str(data).map_err(Error::Unreadable)?),
        "operation" => Progress::Operation(serde_json::from_str(data).map_err(Error::Unreadable)?),
        _ => return Ok(None),
    };
    Ok(Some((id.to_owned(), progress)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_taken_whole_and_comments_passed_over() {
        let step = r#"{"name":"a","state":"running","attempts":1,"detail":null,"error":null}"#;
        let mut text =
            format!("retry: 2000\n\n: still here\n\nid: 5\nevent: step\ndata: {step}\n\nid: 6\nev")
                .into_bytes();
        assert_eq!(parse(&take_block(&mut text).unwrap()).unwrap(), None);
        assert_eq!(parse(&take_block(&mut text).unwrap()).unwrap(), None);
        let (id, progress) = parse(&take_block(&mut text).unwrap()).unwrap().unwrap();
        assert_eq!(id, "5");
        assert!(matches!(progress, Progress::Step(step) if step.name == "a"));
        assert_eq!(take_block(&mut text), None);
        assert_eq!(text, b"id: 6\nev");
        assert_eq!(parse("id: 1\nevent: other\ndata: {}\n\n").unwrap(), None);
        assert!(parse("id: 1\nevent: step\ndata: {\n\n").is_err());
    }
}
