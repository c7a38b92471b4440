//! Every history up to six rounds, against a second statement of what may yield tokens.
//!
//! Two checks share the oracle. `every_history_of_a_small_alphabet` runs `decide` on each history, one by
//! one, nothing left out. `every_history_of_the_full_alphabet` takes the full product of challenge names ×
//! results × metadata, far too many histories to write down, and leaves out only what lies behind a history
//! that failed: `read` is a fold that stops at the first round that does not fit, so nothing after it can
//! matter. That claim is not taken on trust: each failed history is extended by each symbol that moves a living
//! session on, and must stay failed for the same reason.

use crate::define_oracle::{METADATA, NAMES, Symbol, contexts, oracle, plainly_allowed};
use step_up::challenge::RoundKind;
use step_up::define::{
    AskCustom, DefineDecision, DefineInput, Progress, Round, UserDecision, conclude, decide, read,
};
use step_up::reason::Reason;

const MAX_ROUNDS: usize = 6;

fn judge(history: &[Symbol], input: &DefineInput<'_>, decision: &DefineDecision) {
    let expected = oracle(history, input);
    match decision {
        DefineDecision::IssueTokens { why } => {
            assert_eq!(
                expected.as_ref(),
                Some(why),
                "tokens for {history:?} with {input:?}"
            );
            assert!(
                plainly_allowed(history, input),
                "tokens for {history:?} with {input:?}"
            );
        }
        other => assert_eq!(
            expected, None,
            "{other:?} instead of tokens for {history:?} with {input:?}"
        ),
    }
    if let DefineDecision::AskCustom(AskCustom {
        kind: RoundKind::StepUp,
        attempts,
        round,
        ..
    }) = decision
    {
        assert!(
            history.iter().any(|symbol| symbol.passed),
            "a step-up was asked of nobody: {history:?}"
        );
        assert!((1..=3).contains(attempts) && *round >= 1);
    }
}

#[test]
fn every_history_of_a_small_alphabet() {
    let custom = |metadata, passed| Symbol {
        name: "CUSTOM_CHALLENGE",
        passed,
        metadata: METADATA[metadata],
    };
    let alphabet = [
        Symbol {
            name: "SRP_A",
            passed: true,
            metadata: METADATA[0],
        },
        Symbol {
            name: "PASSWORD_VERIFIER",
            passed: true,
            metadata: METADATA[0],
        },
        Symbol {
            name: "PASSWORD_VERIFIER",
            passed: false,
            metadata: METADATA[0],
        },
        Symbol {
            name: "NEW_PASSWORD_REQUIRED",
            passed: true,
            metadata: METADATA[0],
        },
        custom(0, true),
        custom(1, true),
        custom(1, false),
        custom(4, true),
        custom(4, false),
        custom(6, true),
    ];
    let permissive = [
        DefineInput {
            policy: UserDecision::NotRequired,
            ..context_of(None)
        },
        context_of(None),
        context_of(Some("pay")),
    ];

    let mut count = 0_u64;
    let mut tokens = 0_u64;
    let (mut history, mut rounds) = (Vec::new(), Vec::new());
    for length in 0..=MAX_ROUNDS {
        let mut digits = vec![0; length];
        loop {
            history.clear();
            history.extend(digits.iter().map(|digit: &usize| alphabet[*digit]));
            rounds.clear();
            rounds.extend(history.iter().map(|symbol| symbol.round()));
            for input in permissive {
                let input = DefineInput {
                    history: &rounds,
                    ..input
                };
                let decision = decide(&input);
                judge(&history, &input, &decision);
                tokens += u64::from(matches!(decision, DefineDecision::IssueTokens { .. }));
            }
            count += 1;
            if !advance(&mut digits, alphabet.len()) {
                break;
            }
        }
    }
    #[expect(clippy::print_stdout, reason = "the count is what this test is to show")]
    {
        println!(
            "define: {count} histories of {} symbols, {tokens} of {} decisions are tokens",
            alphabet.len(),
            3 * count
        );
    }
    assert_eq!(count, (0..=6).map(|length| 10_u64.pow(length)).sum::<u64>());
    assert!(tokens > 0);
}

fn context_of(action: Option<&'static str>) -> DefineInput<'static> {
    DefineInput {
        history: &[],
        user_not_found: false,
        action_step_up: true,
        suspended: false,
        policy: UserDecision::Required { attempts: 3 },
        action,
    }
}

/// Counts on; `false` after the last.
fn advance(digits: &mut [usize], base: usize) -> bool {
    for digit in digits.iter_mut().rev() {
        *digit += 1;
        if *digit < base {
            return true;
        }
        *digit = 0;
    }
    false
}

#[test]
fn every_history_of_the_full_alphabet() {
    let mut alphabet = Vec::new();
    for name in NAMES {
        for passed in [true, false] {
            for metadata in METADATA {
                alphabet.push(Symbol {
                    name,
                    passed,
                    metadata,
                });
            }
        }
    }
    let custom = |metadata| Symbol {
        name: "CUSTOM_CHALLENGE",
        passed: true,
        metadata: METADATA[metadata],
    };
    let revivers = vec![
        Symbol {
            name: "SRP_A",
            passed: true,
            metadata: METADATA[0],
        },
        Symbol {
            name: "PASSWORD_VERIFIER",
            passed: true,
            metadata: METADATA[0],
        },
        custom(1),
        custom(4),
        custom(6),
    ];
    let mut walk = Walk {
        alphabet,
        revivers,
        contexts: contexts(),
        looked_at: 0,
        alive: 0,
        covered: 0,
    };
    walk.visit(&mut Vec::new(), &mut Vec::new());

    let size = u128::try_from(walk.alphabet.len()).unwrap_or_default();
    let all: u128 = (0..=u32::try_from(MAX_ROUNDS).unwrap_or_default())
        .map(|length| size.pow(length))
        .sum();
    #[expect(clippy::print_stdout, reason = "the count is what this test is to show")]
    {
        println!(
            "define: {} histories of {size} symbols covered by looking at {}, of which {} go on, in {} contexts each",
            walk.covered,
            walk.looked_at,
            walk.alive,
            walk.contexts.len()
        );
    }
    assert_eq!(
        walk.covered, all,
        "a history was neither looked at nor behind a failed one"
    );
}

struct Walk {
    alphabet: Vec<Symbol>,
    /// The symbols that move a living session on.
    revivers: Vec<Symbol>,
    contexts: Vec<DefineInput<'static>>,
    looked_at: u64,
    alive: u64,
    covered: u128,
}

impl Walk {
    fn visit(&mut self, history: &mut Vec<Symbol>, rounds: &mut Vec<Round<'static>>) {
        self.looked_at += 1;
        match read(rounds) {
            Ok(progress) => {
                self.alive += 1;
                self.covered += 1;
                self.check_alive(&progress, history, rounds);
                if history.len() < MAX_ROUNDS {
                    for index in 0..self.alphabet.len() {
                        let symbol = self.alphabet[index];
                        history.push(symbol);
                        rounds.push(symbol.round());
                        self.visit(history, rounds);
                        history.pop();
                        rounds.pop();
                    }
                }
            }
            Err(reason) => self.check_failed(reason, history, rounds),
        }
    }

    fn check_alive(&self, progress: &Progress, history: &[Symbol], rounds: &[Round<'_>]) {
        for context in &self.contexts {
            let input = DefineInput {
                history: rounds,
                ..*context
            };
            judge(history, &input, &conclude(progress.clone(), &input));
        }
        let input = DefineInput {
            history: rounds,
            ..context_of(None)
        };
        assert_eq!(decide(&input), conclude(progress.clone(), &input));
    }

    /// Failed for good: in every context, and whatever follows.
    fn check_failed(&mut self, reason: Reason, history: &[Symbol], rounds: &mut Vec<Round<'static>>) {
        let size = u128::try_from(self.alphabet.len()).unwrap_or_default();
        let left = u32::try_from(MAX_ROUNDS - history.len()).unwrap_or_default();
        self.covered += (0..=left).map(|length| size.pow(length)).sum::<u128>();
        assert_eq!(oracle(history, &context_of(None)), None, "{history:?} failed");
        let input = DefineInput {
            history: rounds,
            ..context_of(None)
        };
        assert_eq!(decide(&input), DefineDecision::Fail(reason));
        if history.len() < MAX_ROUNDS {
            for symbol in &self.revivers {
                rounds.push(symbol.round());
                assert_eq!(
                    read(rounds),
                    Err(reason),
                    "a failed session came back to life: {rounds:?}"
                );
                rounds.pop();
            }
        }
    }
}
