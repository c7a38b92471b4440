//! A way to AWS on which calls fail: between a worker and an emulator, for tests and for `cargo xtask chaos`.
//!
//! A [`Proxy`] forwards every call to its upstream and asks its [`Plan`] what is to become of each. It keeps a list
//! of what it saw. A plan decides by the number of the call alone (and its seed), so that a run can be repeated.
//!
//! It can also keep AWS's [`Pace`]: quotas, latencies, stacks that take their time. `GET /_seen` tells what passed by, and
//! after `POST /_stand_in` (a list of [`Mark`]s) it answers by itself about copies of a tenant that it saw before.
//!
//! To add a fault: a variant of [`Fault`], and what it means in `Shared::pass`.

mod call;
mod fault;
mod http;
mod owner;
mod pace;
mod stand_in;
mod state;

pub use call::Call;
pub use fault::Fault;
pub use pace::{Buckets, Pace, Quota};
pub use stand_in::Mark;

use crate::call::Wording;
use crate::http::{Message, Then};
use crate::state::State;
use rand::{SeedableRng as _, rngs::StdRng};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use url::Url;

/// Which calls fail.
#[derive(Debug, Clone)]
pub enum Plan {
    /// None.
    Nothing,
    /// The one of this number, counted from 0, among those that are counted.
    Nth(usize, Fault),
    /// A share of them, in thousandths, each with one of the faults.
    Share {
        /// Decides which.
        seed: u64,
        /// Thousandths.
        per_mille: u32,
        /// To choose from.
        faults: Vec<Fault>,
    },
    /// What becomes of the next calls of each operation, one after the other; further ones pass.
    Script(HashMap<&'static str, VecDeque<Option<Fault>>>),
    /// Every call of these operations beyond so many a second, as AWS does it.
    Above {
        /// Service and operation.
        operation: String,
        /// Calls in any second that are let through.
        per_second: usize,
    },
}

/// A call that passed by.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Service and operation.
    pub operation: String,
    /// When it came.
    pub at: Instant,
    /// What became of it, if not what was asked.
    pub fault: Option<Fault>,
    /// Status of the answer; 0 when there was none.
    pub status: u16,
    /// The tenant that it was about: the part of its id that is in every name.
    pub whose: Option<String>,
    /// How long the upstream took.
    pub upstream: Duration,
    /// Whether a stack was shown as being worked on that was done.
    pub held_back: bool,
    /// Size of the body that was asked with.
    pub request_bytes: usize,
    /// Size of the body that was answered.
    pub answer_bytes: usize,
}

/// A running proxy. It ends with this value.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port of loopback and forwards to `upstream`.
    pub async fn start(upstream: &Url) -> anyhow::Result<Self> {
        Self::listen(upstream, ([127, 0, 0, 1], 0).into()).await
    }

    /// Listens on `address` and forwards to `upstream`.
    pub async fn listen(upstream: &Url, address: SocketAddr) -> anyhow::Result<Self> {
        let host = upstream.host_str().unwrap_or("127.0.0.1");
        let port = upstream.port_or_known_default().unwrap_or(80);
        let shared = Arc::new(Shared {
            upstream: format!("{host}:{port}"),
            state: Mutex::new(State::default()),
        });
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let serving = Arc::clone(&shared);
        let listening = tokio::spawn(async move {
            // They end with this task: a client keeps its connection for longer than the proxy may live.
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let serving = Arc::clone(&serving);
                connections.spawn(async move {
                    // A client or an upstream that goes away is a client's business.
                    let _ = serving.serve(client).await;
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self {
            address,
            shared,
            listening,
        })
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Follows another plan from now on; numbers begin anew.
    pub fn follow(&self, plan: Plan) {
        let mut state = self.shared.state();
        state.chance = match &plan {
            Plan::Share { seed, .. } => Some(StdRng::seed_from_u64(*seed)),
            _ => None,
        };
        state.plan = plan;
        state.counted = 0;
        state.seen.clear();
        state.struck = false;
    }

    /// Shows every stack as still being worked on for this many looks after it is done.
    pub fn slow_stacks(&self, looks: u32) {
        let mut state = self.shared.state();
        state.slow_looks = looks;
        state.looks.clear();
    }

    /// Has the calls that were kept back ([`Fault::Late`]) take effect now; returns how many of them the upstream answered.
    pub async fn deliver_late(&self) -> usize {
        let late = std::mem::take(&mut self.shared.state().late);
        let mut delivered = 0;
        for request in late {
            if http::forward(&self.shared.upstream, &request).await.is_ok() {
                delivered += 1;
            }
        }
        delivered
    }

    /// Has AWS's pace from now on.
    pub fn keep_pace(&self, pace: Pace) {
        self.shared.state().pace = Some(pace);
    }

    /// What passed by since the plan began.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.state().seen.clone()
    }

    /// Whether the plan has failed a call.
    pub fn struck(&self) -> bool {
        self.shared.state().struck
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

#[derive(Debug)]
struct Shared {
    upstream: String,
    state: Mutex<State>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(&self, client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        let mut client = BufReader::new(client);
        while let Some(request) = http::read_request(&mut client).await? {
            if self.respond(&mut client, &request).await? == Then::Closed {
                break;
            }
        }
        Ok(())
    }

    async fn respond(&self, client: &mut BufReader<TcpStream>, request: &Message) -> io::Result<Then> {
        let told = match request.word(1) {
            "/_faults" => self.summary(),
            "/_seen" => self.told(),
            "/_stand_in" => self.stand_in(&request.body)?,
            _ => return self.pass(client, request).await,
        };
        http::answer(client, request, &Message::ok(told.into_bytes())).await
    }

    async fn pass(&self, client: &mut BufReader<TcpStream>, request: &Message) -> io::Result<Then> {
        let (call, wording) = Call::read(request);
        let (fault, place) = self.decide(&call, request);
        if let Some(fault) = fault.filter(|fault| fault.is_before()) {
            if fault == Fault::CutBefore {
                return Ok(Then::Closed);
            }
            let answer = fault::refusal(fault, wording);
            self.note(place, &answer);
            return http::answer(client, request, &answer).await;
        }
        if fault == Some(Fault::Late) {
            if !call.is_read() {
                self.state().late.push(request.clone());
            }
            return Ok(Then::Closed);
        }
        let key = (call.operation.clone(), call.question.clone());
        if fault == Some(Fault::Stale) {
            let earlier = self.state().earlier(&call).cloned();
            if let Some(earlier) = earlier {
                self.note(place, &earlier);
                return http::answer(client, request, &earlier).await;
            }
        }
        let latency = self.state().pace.map(|pace| (pace.latency)(&call.operation));
        let begun = tokio::time::Instant::now();
        let mut answer = match self.of_copy(&call, wording) {
            Some(answer) => answer,
            None => http::forward(&self.upstream, request).await?,
        };
        {
            let mut state = self.state();
            if let Some(seen) = state.seen.get_mut(place) {
                seen.upstream = begun.elapsed();
            }
            if call.is_read() {
                if state.marks.is_empty() {
                    state.earlier.insert(key, answer.clone());
                }
                state.slow_down(place, &call, &mut answer);
            }
        }
        if let Some(latency) = latency {
            tokio::time::sleep_until(begun + latency).await;
        }
        match fault {
            Some(Fault::CutAfter) => Ok(Then::Closed),
            Some(Fault::Silence) => {
                // Until the client has had enough.
                let _ = client.read(&mut [0; 1]).await;
                Ok(Then::Closed)
            }
            _ => {
                self.note(place, &answer);
                http::answer(client, request, &answer).await
            }
        }
    }

    fn decide(&self, call: &Call, request: &Message) -> (Option<Fault>, usize) {
        let now = Instant::now();
        let mut state = self.state();
        let (fault, place) = state.decide(call, now);
        let whose = state.seen.get_mut(place).and_then(|seen| {
            seen.request_bytes = request.body.len();
            seen.whose.clone()
        });
        if let Some(whose) =
            whose.filter(|_| fault.is_none() && call.operation == "cloudformation:CreateStack")
        {
            state.created.insert(whose, now);
        }
        (fault, place)
    }

    /// What is answered about a copy of a tenant; `None` when the call is about something else.
    fn of_copy(&self, call: &Call, wording: Wording) -> Option<Message> {
        let state = self.state();
        let (number, asked) = stand_in::about(&state.marks, &call.question)?;
        let Some(known) = state.earlier.get(&(call.operation.clone(), asked)) else {
            return Some(fault::refusal(Fault::ServerError, wording));
        };
        let mut answer = known.clone();
        // A checksum would be that of the one tenant's answer.
        answer
            .headers
            .retain(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        answer.body = stand_in::answer(&state.marks, number, &known.body);
        Some(answer)
    }

    fn stand_in(&self, body: &[u8]) -> io::Result<String> {
        let marks: Vec<Mark> = serde_json::from_slice(body).map_err(io::Error::other)?;
        let mut state = self.state();
        state.marks = marks;
        state.seen.clear();
        Ok(String::new())
    }

    fn note(&self, place: usize, answer: &Message) {
        let status = answer.word(1).parse().unwrap_or_default();
        if let Some(seen) = self.state().seen.get_mut(place) {
            seen.status = status;
            seen.answer_bytes = answer.body.len();
        }
    }

    /// What passed by, as JSON; times since the proxy began.
    fn told(&self) -> String {
        let state = self.state();
        let seen = state.seen.iter().map(|seen| {
            serde_json::json!({
                "operation": seen.operation, "whose": seen.whose, "status": seen.status,
                "at_ms": seen.at.saturating_duration_since(state.began).as_secs_f64() * 1_000.0,
                "upstream_ms": seen.upstream.as_secs_f64() * 1_000.0, "refused": seen.fault == Some(Fault::Throttle),
                "held_back": seen.held_back, "request_bytes": seen.request_bytes, "answer_bytes": seen.answer_bytes,
            })
        });
        seen.collect::<serde_json::Value>().to_string()
    }

    fn summary(&self) -> String {
        let state = self.state();
        let faults = state.seen.iter().filter(|seen| seen.fault.is_some()).count();
        serde_json::json!({ "calls": state.seen.len(), "faults": faults }).to_string()
    }
}
