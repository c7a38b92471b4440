//! Lambda's Runtime API around one process: when it asked for its first event, and how long each event took.

use crate::http_stub::{self, Request, Response};
use anyhow::{Context as _, bail};
use serde_json::Value;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, mpsc};

/// How long a function may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the Runtime API learns from the process.
enum Told {
    /// It asks for an event.
    Ready(Instant),
    /// It was handed one.
    Handed(Instant),
    /// It answered.
    Answered(Instant, Vec<u8>),
    /// It failed.
    Failed(Vec<u8>),
}

/// A running function.
pub(crate) struct Function {
    child: Child,
    started: Instant,
    events: mpsc::UnboundedSender<Vec<u8>>,
    told: mpsc::UnboundedReceiver<Told>,
    ready: Option<Instant>,
}

impl Drop for Function {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _reaped_before = self.child.wait();
    }
}

impl Function {
    /// Starts the process, with these variables and no others.
    pub(crate) async fn start(
        program: &[String],
        variables: &[(&'static str, String)],
    ) -> anyhow::Result<Self> {
        let (events, waiting) = mpsc::unbounded_channel::<Vec<u8>>();
        let (tell, told) = mpsc::unbounded_channel();
        let waiting = Arc::new(Mutex::new(waiting));
        let address = http_stub::serve(move |request| {
            let (waiting, tell) = (Arc::clone(&waiting), tell.clone());
            async move { runtime_api(request, &waiting, &tell).await }
        })
        .await?;
        let (first, rest) = program.split_first().context("no program")?;
        let mut command = Command::new(first);
        command
            .args(rest)
            .env_clear()
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let started = Instant::now();
        let child = command.spawn().with_context(|| format!("cannot start {first}"))?;
        Ok(Self {
            child,
            started,
            events,
            told,
            ready: None,
        })
    }

    /// From the start of the process until it asked for its first event.
    pub(crate) async fn ready(&mut self) -> anyhow::Result<Duration> {
        while self.ready.is_none() {
            if let Told::Ready(at) = self.hear().await? {
                self.ready = Some(at);
            }
        }
        Ok(self.ready.map_or(Duration::ZERO, |at| at - self.started))
    }

    /// Hands an event over; the answer, how long it took, and when it came, counted from the start of the process.
    pub(crate) async fn invoke(&mut self, event: &Value) -> anyhow::Result<(Value, Duration, Duration)> {
        self.events
            .send(event.to_string().into_bytes())
            .ok()
            .context("the stage is gone")?;
        let mut handed = None;
        loop {
            match self.hear().await? {
                Told::Ready(at) => self.ready = self.ready.or(Some(at)),
                Told::Handed(at) => handed = Some(at),
                Told::Answered(at, body) => {
                    let handed = handed.context("an answer to nothing")?;
                    return Ok((serde_json::from_slice(&body)?, at - handed, at - self.started));
                }
                Told::Failed(body) => bail!("the function failed: {}", String::from_utf8_lossy(&body)),
            }
        }
    }

    /// The most memory it ever held, KiB (`VmHWM`; Linux only, else `None`).
    pub(crate) fn peak_kib(&self) -> Option<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    }

    async fn hear(&mut self) -> anyhow::Result<Told> {
        let told = tokio::time::timeout(PATIENCE, self.told.recv()).await;
        told.context("the function is silent")?
            .context("the stage is gone")
    }
}

async fn runtime_api(
    request: Request,
    waiting: &Mutex<mpsc::UnboundedReceiver<Vec<u8>>>,
    tell: &mpsc::UnboundedSender<Told>,
) -> Response {
    let now = Instant::now();
    if request.path.ends_with("/invocation/next") {
        let _nobody_listens = tell.send(Told::Ready(now));
        let Some(event) = waiting.lock().await.recv().await else {
            // The measurement is over: the process is ended any moment.
            std::future::pending::<()>().await;
            return Response::json("{}");
        };
        let headers = "Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n\
             Lambda-Runtime-Deadline-Ms: 4000000000000\r\n\
             Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-central-1:1:function:f\r\n";
        let _nobody_listens = tell.send(Told::Handed(Instant::now()));
        return Response {
            status: "200 OK",
            headers: headers.to_owned(),
            body: event,
        };
    }
    let told = if request.path.ends_with("/response") {
        Told::Answered(now, request.body)
    } else {
        Told::Failed(request.body)
    };
    let _nobody_listens = tell.send(told);
    Response {
        status: "202 Accepted",
        headers: String::new(),
        body: b"{}".to_vec(),
    }
}
