//! Calls that workers made, once more and bare: the limit that the workers' time is measured against.
//!
//! A loop has as many tenants at once under way as the workers had. It makes each tenant's calls in their order, with
//! bodies of the same size, against the same quotas and latencies, and keeps to the quotas by itself. No emulator answers
//! it: an answer comes after the time that the emulator took in the run, and is as long as it was. Once it has asked for
//! a stack it makes the calls that saw the stack unfinished one after the other, and waits with the next until the stack
//! is due. Calls that were refused, and looks at an empty queue, are not repeated.

use crate::http_stub::{self, Request, Response};
use crate::measured::Measured;
use crate::quotas::{self, QUOTAS};
use anyhow::Context as _;
use fault_proxy::{Buckets, Proxy};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// What it may be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// What the proxy saw: its `/_seen`.
    #[arg(long)]
    seen: PathBuf,
    /// Tenants under way at once.
    #[arg(long)]
    at_once: usize,
    /// How long a new stack takes.
    #[arg(long)]
    stacks_take_ms: u64,
}

/// A call as the proxy saw it.
#[derive(Debug, Clone, Deserialize)]
struct Call {
    operation: String,
    whose: Option<String>,
    upstream_ms: f64,
    refused: bool,
    held_back: bool,
    request_bytes: usize,
    answer_bytes: usize,
}

impl Call {
    /// Where the bare loop asks for it; the stub reads its answer's time and size from it.
    fn path(&self) -> String {
        let (upstream_us, bytes) = (self.upstream_ms * 1_000.0, self.answer_bytes);
        let whose = self.whose.as_deref().unwrap_or_default();
        format!("/?{upstream_us:.0}&{bytes}&tnt_{whose}")
    }
}

/// What all of the loop's tasks share.
struct Shared {
    chains: Mutex<VecDeque<Vec<Call>>>,
    tokens: Mutex<Buckets>,
    refused: AtomicU32,
    http: reqwest::Client,
    url: String,
    stacks_take: Duration,
}

pub(crate) async fn run(options: &Options) -> anyhow::Result<Measured> {
    let text = fs::read(&options.seen).with_context(|| format!("cannot read {}", options.seen.display()))?;
    let seen: Vec<Call> = serde_json::from_slice(&text)?;
    let refused_before = seen.iter().filter(|call| call.refused).count();
    let calls: Vec<Call> = seen
        .into_iter()
        .filter(|call| !call.refused && !call.operation.starts_with("sqs:"))
        .collect();
    for (operation, count) in counts(&calls) {
        eprintln!("{count} {operation}");
    }
    let (quota, quotas_s) = quotas_time(&calls);
    eprintln!("{quotas_s:.1} s by {quota}");
    let mut measured = Measured::default();
    measured.fact("quotas_s", quotas_s);
    measured.fact("calls", as_f64(calls.len()));
    measured.fact("refused", as_f64(refused_before));

    let stacks_take = Duration::from_millis(options.stacks_take_ms);
    let stub = http_stub::serve(|request| async move { answer(&request).await }).await?;
    let proxy = Proxy::start(&format!("http://{stub}").parse()?).await?;
    proxy.keep_pace(quotas::pace(stacks_take));
    let shared = Arc::new(Shared {
        chains: Mutex::new(chains(calls)),
        tokens: Mutex::default(),
        refused: AtomicU32::new(0),
        http: reqwest::Client::builder().no_proxy().build()?,
        url: proxy.url(),
        stacks_take,
    });
    let begun = Instant::now();
    let mut loops = JoinSet::new();
    for _ in 0..options.at_once {
        let shared = Arc::clone(&shared);
        loops.spawn(async move { shared.work().await });
    }
    while let Some(ended) = loops.join_next().await {
        ended??;
    }
    measured.fact("replay_s", begun.elapsed().as_secs_f64());
    measured.fact(
        "replay_refused",
        f64::from(shared.refused.load(Ordering::Relaxed)),
    );
    Ok(measured)
}

impl Shared {
    async fn work(&self) -> anyhow::Result<()> {
        loop {
            let next = self
                .chains
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front();
            let Some(chain) = next else { return Ok(()) };
            self.repeat(&chain).await?;
        }
    }

    async fn repeat(&self, chain: &[Call]) -> anyhow::Result<()> {
        let mut stack_due: Option<Instant> = None;
        for call in chain {
            if let Some(due) = stack_due.filter(|_| !call.held_back) {
                tokio::time::sleep_until(due).await;
            }
            let sent_at = self.send(call).await?;
            if call.operation == "cloudformation:CreateStack" {
                stack_due = Some(sent_at + self.stacks_take);
            }
        }
        Ok(())
    }

    /// Makes the call, as often as it is refused; hands back when it was sent.
    async fn send(&self, call: &Call) -> anyhow::Result<Instant> {
        let (service, name) = call.operation.split_once(':').unwrap_or_default();
        loop {
            self.wait_for_tokens(call).await;
            let sent_at = Instant::now();
            let asked = self
                .http
                .post(format!("{}{}", self.url, call.path()))
                .header(
                    "authorization",
                    format!("AWS4-HMAC-SHA256 Credential=bench/0/0/{service}/aws4_request"),
                )
                .header("x-amz-target", format!("bench.{name}"))
                .body(vec![b' '; call.request_bytes]);
            let answer = asked.send().await.context("the bare loop got no answer")?;
            let accepted = answer.status().is_success();
            answer.bytes().await.context("the bare loop's answer broke off")?;
            if accepted {
                return Ok(sent_at);
            }
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn wait_for_tokens(&self, call: &Call) {
        loop {
            let taken = {
                let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
                tokens.take(
                    QUOTAS,
                    &call.operation,
                    call.whose.as_deref(),
                    std::time::Instant::now(),
                )
            };
            match taken {
                Ok(()) => return,
                Err(wait) => tokio::time::sleep(wait).await,
            }
        }
    }
}

/// Answers as the emulator did: so late, and so much.
async fn answer(request: &Request) -> Response {
    let mut numbers = request
        .path
        .trim_start_matches("/?")
        .split('&')
        .map(str::parse::<u64>);
    let mut number = || numbers.next().and_then(Result::ok).unwrap_or_default();
    tokio::time::sleep(Duration::from_micros(number())).await;
    Response::json(vec![b' '; usize::try_from(number()).unwrap_or_default()])
}

/// Calls of each tenant in their order, the tenant that began first at the front; a call of nobody's alone.
fn chains(calls: Vec<Call>) -> VecDeque<Vec<Call>> {
    let mut chains: VecDeque<Vec<Call>> = VecDeque::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for call in calls {
        let place = call.whose.as_ref().and_then(|whose| places.get(whose)).copied();
        if let Some(chain) = place.and_then(|place| chains.get_mut(place)) {
            chain.push(call);
            continue;
        }
        if let Some(whose) = &call.whose {
            places.insert(whose.clone(), chains.len());
        }
        chains.push_back(vec![call]);
    }
    chains
}

fn counts(calls: &[Call]) -> BTreeMap<&str, u32> {
    let mut counts = BTreeMap::new();
    for call in calls {
        *counts.entry(call.operation.as_str()).or_default() += 1;
    }
    counts
}

/// The quota that takes longest, and how many seconds: what is left after the first second's worth, at its rate.
fn quotas_time(calls: &[Call]) -> (&'static str, f64) {
    let mut held: HashMap<(&'static str, Option<&str>), (f64, f64)> = HashMap::new();
    for call in calls {
        for quota in QUOTAS.iter().filter(|quota| (quota.counts)(&call.operation)) {
            let whose = call.whose.as_deref().filter(|_| quota.by_tenant);
            held.entry((quota.name, whose))
                .or_insert((0.0, quota.per_second))
                .0 += 1.0;
        }
    }
    let times = held
        .into_iter()
        .map(|((name, _), (count, per_second))| (name, (count / per_second - 1.0).max(0.0)));
    times
        .max_by(|(_, one), (_, other)| one.total_cmp(other))
        .unwrap_or(("no quota", 0.0))
}

/// Counts here are far below 2^32.
fn as_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(operation: &str, whose: Option<&str>) -> Call {
        Call {
            operation: operation.to_owned(),
            whose: whose.map(str::to_owned),
            upstream_ms: 1.5,
            refused: false,
            held_back: false,
            request_bytes: 3,
            answer_bytes: 7,
        }
    }

    #[test]
    fn the_quota_that_takes_longest_is_found() {
        let mut calls = vec![call("cloudformation:CreateStack", Some("a")); 20];
        calls.extend(vec![call("cloudformation:DescribeStacks", Some("a")); 20]);
        let (name, time_s) = quotas_time(&calls);
        assert_eq!(name, "cloudformation changes");
        assert!((time_s - 3.0).abs() < 1e-9, "20 at 5 a second, 5 of them at once");
        assert_eq!(quotas_time(&[call("s3:HeadObject", None)]), ("no quota", 0.0));
    }

    #[test]
    fn a_tenants_calls_stay_in_order() {
        let calls = vec![
            call("a:One", Some("x")),
            call("a:Two", Some("y")),
            call("a:Three", Some("x")),
            call("a:Four", None),
        ];
        let lengths: Vec<usize> = chains(calls).iter().map(Vec::len).collect();
        assert_eq!(lengths, [2, 1, 1]);
    }

    #[tokio::test]
    async fn the_bare_loop_makes_every_call_and_waits_for_stacks() {
        drop(rustls::crypto::ring::default_provider().install_default());
        let seen = std::env::temp_dir().join(format!("stepgate-replay-{}.json", std::process::id()));
        let one = |operation: &str, refused: bool| {
            serde_json::json!({
                "operation": operation, "whose": "01jd7v0p3h8s5k2m4n6q9r1t0w", "upstream_ms": 1.0, "refused": refused,
                "held_back": false, "request_bytes": 10, "answer_bytes": 20,
            })
        };
        let calls = [
            one("cloudformation:CreateStack", false),
            one("cloudformation:DescribeStacks", false),
            one("cloudformation:DescribeStacks", true),
        ];
        fs::write(&seen, serde_json::to_vec(&calls).unwrap()).unwrap();
        let options = Options {
            seen: seen.clone(),
            at_once: 2,
            stacks_take_ms: 700,
        };
        let measured = serde_json::to_value(run(&options).await.unwrap()).unwrap();
        fs::remove_file(seen).unwrap();
        let fact = |name: &str| measured["facts"][name].as_f64().unwrap();
        assert!((fact("calls") - 2.0).abs() < 1e-9 && (fact("refused") - 1.0).abs() < 1e-9);
        assert!(
            fact("replay_s") > 0.8,
            "the stack is waited for, and a call takes its time"
        );
    }
}
