//! What a proxy remembers, and what it decides from that.

use crate::call::Call;
use crate::fault::Fault;
use crate::http::Message;
use crate::owner::Owners;
use crate::pace::{Buckets, Pace};
use crate::stand_in::Mark;
use crate::{Plan, Seen};
use rand::{Rng as _, rngs::StdRng};
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) plan: Plan,
    pub(crate) chance: Option<StdRng>,
    pub(crate) counted: usize,
    pub(crate) seen: Vec<Seen>,
    pub(crate) struck: bool,
    /// Answers to reads, by operation and question: what a stale read shows.
    pub(crate) earlier: HashMap<(String, String), Message>,
    /// Calls that take effect later.
    pub(crate) late: Vec<Message>,
    pub(crate) slow_looks: u32,
    pub(crate) looks: HashMap<String, u32>,
    pub(crate) began: Instant,
    pub(crate) pace: Option<Pace>,
    buckets: Buckets,
    owners: Owners,
    /// When the stack of each tenant was asked for.
    pub(crate) created: HashMap<String, Instant>,
    pub(crate) marks: Vec<Mark>,
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
            began: Instant::now(),
            pace: None,
            buckets: Buckets::default(),
            owners: Owners::default(),
            created: HashMap::new(),
            marks: Vec::new(),
        }
    }
}

impl State {
    /// What a stale read would show. What is read consistently is never old.
    pub(crate) fn earlier(&self, call: &Call) -> Option<&Message> {
        let may_be_old = call.is_read() && !call.question.contains(r#""ConsistentRead":true"#);
        let key = (call.operation.clone(), call.question.clone());
        self.earlier.get(&key).filter(|_| may_be_old)
    }

    /// What is to become of the call, and its place in the list of those seen.
    pub(crate) fn decide(&mut self, call: &Call, now: Instant) -> (Option<Fault>, usize) {
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
        let whose = self.owners.of(&call.question);
        let fault = fault.or_else(|| self.one_too_many(call, whose.as_deref(), now));
        self.seen.push(Seen {
            operation: call.operation.clone(),
            at: now,
            fault,
            status: 0,
            whose,
            upstream: Duration::ZERO,
            held_back: false,
            request_bytes: 0,
            answer_bytes: 0,
        });
        (fault, self.seen.len() - 1)
    }

    fn one_too_many(&mut self, call: &Call, whose: Option<&str>, now: Instant) -> Option<Fault> {
        let quotas = self.pace?.quotas;
        let taken = self.buckets.take(quotas, &call.operation, whose, now);
        taken.err().map(|_| Fault::Throttle)
    }

    /// A stack that is done is shown as being worked on for some looks, and as long as AWS takes over it.
    pub(crate) fn slow_down(&mut self, place: usize, call: &Call, answer: &mut Message) {
        if call.operation != "cloudformation:DescribeStacks" {
            return;
        }
        let whose = self.seen.get(place).and_then(|seen| seen.whose.clone());
        self.owners.learn(whose.as_deref(), &answer.body);
        let asked_at = whose.and_then(|whose| self.created.get(&whose));
        let unfinished = self
            .pace
            .zip(asked_at)
            .is_some_and(|(pace, asked_at)| asked_at.elapsed() < pace.stacks_take);
        if self.slow_looks == 0 && !unfinished {
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
        if shown != text && (unfinished || *looks < self.slow_looks) {
            *looks += 1;
            answer.body = shown.into_bytes();
            if let Some(seen) = self.seen.get_mut(place) {
                seen.held_back = true;
            }
        }
    }
}
