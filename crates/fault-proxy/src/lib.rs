//! A way to AWS on which calls fail: between a worker and an emulator, for tests and for `cargo xtask chaos`.
//!
//! A [`Proxy`] forwards every call to its upstream and asks its [`Plan`] what is to become of each. It keeps a list
//! of what it saw. A plan decides by the number of the call alone (and its seed), so that a run can be repeated.
//!
//! To add a fault: a variant of [`Fault`], and what it means in `Shared::pass`.

mod call;
mod fault;
mod http;

pub use call::Call;
pub use fault::Fault;

use crate::http::Message;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::io::{AsyncReadExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
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
            while let Ok((client, _)) = listener.accept().await {
                let serving = Arc::clone(&serving);
                tokio::spawn(async move {
                    // A client or an upstream that goes away is a client's business.
                    let _ = serving.serve(BufReader::new(client)).await;
                });
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

#[derive(Debug)]
struct State {
    plan: Plan,
    chance: Option<StdRng>,
    counted: usize,
    seen: Vec<Seen>,
    struck: bool,
    /// Answers to reads, by operation and question: what a stale read shows.
    earlier: HashMap<(String, String), Message>,
    /// Calls that take effect later.
    late: Vec<Message>,
    slow_looks: u32,
    looks: HashMap<String, u32>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            plan: Plan::Nothing,
            chance: None,
            counted: 0,
            seen: Vec::new(),
            struck: false,
            earlier: HashMap::new(),
            late: Vec::new(),
            slow_looks: 0,
            looks: HashMap::new(),
        }
    }
}

impl State {
    /// What a stale read would show. What is read consistently is never old.
    fn earlier(&self, call: &Call) -> Option<&Message> {
        let may_be_old = call.is_read() && !call.question.contains(r#""ConsistentRead":true"#);
        let key = (call.operation.clone(), call.question.clone());
        self.earlier.get(&key).filter(|_| may_be_old)
    }

    /// What is to become of the call, and its place in the list of those seen.
    fn decide(&mut self, call: &Call, now: Instant) -> (Option<Fault>, usize) {
        let number = self.counted;
        let may_be_old = self.earlier(call).is_some();
        // How often an empty queue is asked depends on nothing but time.
        let counts = !call.operation.starts_with("sqs:");
        if counts {
            self.counted += 1;
        }
        let fault = match &mut self.plan {
            Plan::Nth(nth, fault) if counts && number == *nth => Some(*fault),
            Plan::Share {
                per_mille, faults, ..
            } if counts => self.chance.as_mut().and_then(|chance| {
                let strikes = chance.random_range(0..1000) < *per_mille;
                let fit = |fault: &&Fault| **fault != Fault::Stale || may_be_old;
                let fitting = faults.iter().filter(fit).copied().collect::<Vec<_>>();
                let which = chance.random_range(0..fitting.len().max(1));
                strikes.then(|| fitting.get(which).copied()).flatten()
            }),
            Plan::Script(script) => script
                .get_mut(call.operation.as_str())
                .and_then(VecDeque::pop_front)
                .flatten(),
            Plan::Above {
                operation,
                per_second,
            } if call.operation == *operation => {
                let recent = self.seen.iter().filter(|seen| {
                    seen.operation == *operation
                        && seen.fault.is_none()
                        && now.duration_since(seen.at).as_millis() < 1000
                });
                (recent.count() >= *per_second).then_some(Fault::Throttle)
            }
            _ => None,
        };
        self.struck |= fault.is_some();
        self.seen.push(Seen {
            operation: call.operation.clone(),
            at: now,
            fault,
            status: 0,
        });
        (fault, self.seen.len() - 1)
    }

    /// A stack that is done is shown as being worked on for some looks.
    fn slow_down(&mut self, call: &Call, answer: &mut Message) {
        if self.slow_looks == 0 || call.operation != "cloudformation:DescribeStacks" {
            return;
        }
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let shown = ["CREATE", "UPDATE"].iter().fold(text.clone(), |text, what| {
            text.replace(
                &format!("<StackStatus>{what}_COMPLETE</StackStatus>"),
                &format!("<StackStatus>{what}_IN_PROGRESS</StackStatus>"),
            )
        });
        let looks = self.looks.entry(call.question.clone()).or_default();
        if shown != text && *looks < self.slow_looks {
            *looks += 1;
            answer.body = shown.into_bytes();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(&self, mut client: BufReader<TcpStream>) -> std::io::Result<()> {
        let Some(request) = http::read_request(&mut client).await? else {
            return Ok(());
        };
        if request.word(1) == "/_faults" {
            let body = self.summary().into_bytes();
            let answer = Message {
                first_line: "HTTP/1.1 200 OK".to_owned(),
                headers: Vec::new(),
                body,
            };
            return http::answer(&mut client, &request, &answer).await;
        }
        self.pass(&mut client, &request).await
    }

    async fn pass(&self, client: &mut BufReader<TcpStream>, request: &Message) -> std::io::Result<()> {
        let (call, wording) = Call::read(request);
        let (fault, place) = self.state().decide(&call, Instant::now());
        if let Some(fault) = fault.filter(|fault| fault.is_before()) {
            if fault == Fault::CutBefore {
                return Ok(());
            }
            let answer = fault::refusal(fault, wording);
            self.note(place, &answer);
            return http::answer(client, request, &answer).await;
        }
        if fault == Some(Fault::Late) {
            if !call.is_read() {
                self.state().late.push(request.clone());
            }
            return Ok(());
        }
        let key = (call.operation.clone(), call.question.clone());
        if fault == Some(Fault::Stale) {
            let earlier = self.state().earlier(&call).cloned();
            if let Some(earlier) = earlier {
                self.note(place, &earlier);
                return http::answer(client, request, &earlier).await;
            }
        }
        let mut answer = http::forward(&self.upstream, request).await?;
        if call.is_read() {
            let mut state = self.state();
            state.earlier.insert(key, answer.clone());
            state.slow_down(&call, &mut answer);
        }
        match fault {
            Some(Fault::CutAfter) => Ok(()),
            Some(Fault::Silence) => {
                // Until the client has had enough.
                let _ = client.read(&mut [0; 1]).await;
                Ok(())
            }
            _ => {
                self.note(place, &answer);
                http::answer(client, request, &answer).await
            }
        }
    }

    fn note(&self, place: usize, answer: &Message) {
        let status = answer.word(1).parse().unwrap_or_default();
        if let Some(seen) = self.state().seen.get_mut(place) {
            seen.status = status;
        }
    }

    fn summary(&self) -> String {
        let state = self.state();
        let faults = state.seen.iter().filter(|seen| seen.fault.is_some()).count();
        serde_json::json!({ "calls": state.seen.len(), "faults": faults }).to_string()
    }
}
