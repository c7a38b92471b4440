//! The files under `corpus/`, and random text after their likeness.
//!
//! A file's name says what must come of it: `ok-…` is read, `bad-…` is refused. What `cargo xtask fuzz` finds is
//! put there as one more file.

use proptest::prelude::*;
use proptest::sample::Index;
use std::path::Path;
use std::sync::LazyLock;
use step_up::challenge::{Answer, ChallengeMetadata, ProofAnswer};
use step_up::policy::{ValidationContext, parse_str, validate};

/// Name and bytes of each file of a folder of the corpus.
fn corpus(folder: &str) -> Vec<(String, Vec<u8>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(path)
        .expect("the corpus is there")
        .map(|entry| {
            let entry = entry.expect("readable");
            let name = entry.file_name().into_string().expect("a plain name");
            (name, std::fs::read(entry.path()).expect("readable"))
        })
        .collect();
    files.sort();
    assert!(files.len() >= 8, "{folder} has {} files", files.len());
    files
}

fn check(folder: &str, reads: impl Fn(&str) -> bool) {
    for (name, bytes) in corpus(folder) {
        let read = std::str::from_utf8(&bytes).is_ok_and(&reads);
        assert_eq!(read, name.starts_with("ok-"), "{folder}/{name}");
    }
}

#[test]
fn answers() {
    check("answer", |text| Answer::parse(text).is_ok());
}

#[test]
fn policies() {
    check("policy", |text| parse_str(text).is_ok());
}

fn fuzz(name: &str, reads: impl Fn(&str)) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let target = fuzzing::Target {
        name,
        corpus: std::slice::from_ref(&folder),
        found: &folder,
        found_prefix: "bad-",
    };
    fuzzing::run(&target, |bytes| reads(&String::from_utf8_lossy(bytes)));
}

#[test]
fn fuzz_answer() {
    fuzz("answer", read_everything);
}

#[test]
fn fuzz_policy() {
    fuzz("policy", read_everything);
}

static FILES: LazyLock<Vec<(String, Vec<u8>)>> =
    LazyLock::new(|| corpus("policy").into_iter().chain(corpus("answer")).collect());

fn read_everything(text: &str) {
    let _ = Answer::parse(text);
    let _ = ProofAnswer::parse(text);
    let _ = ChallengeMetadata::parse(text);
    if let Ok(policy) = parse_str(text) {
        let report = validate(&policy, &ValidationContext::unlearned());
        let stored = serde_json::to_string(&policy).expect("plain data");
        // Defaults written out can make it too large; anything else must come back as it was.
        if report.is_ok() {
            assert_eq!(parse_str(&stored).expect("what was accepted can be read"), policy);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn random_text_hurts_nobody(text in "\\PC{0,300}") {
        read_everything(&text);
    }

    /// Files of the corpus with pieces cut out, doubled, and bytes changed.
    #[test]
    fn damaged_files_hurt_nobody(
        file: Index,
        cuts in proptest::collection::vec((any::<Index>(), any::<Index>(), 0_u8..3, any::<u8>()), 1..6),
    ) {
        let mut bytes = file.get(&FILES).1.clone();
        for (from, to, kind, byte) in cuts {
            if bytes.is_empty() {
                break;
            }
            let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
            let (from, to) = (from.min(to), from.max(to));
            match kind {
                0 => drop(bytes.drain(from..to)),
                1 => bytes[from] = byte,
                _ if bytes.len() < 10_000 => {
                    let piece = bytes[from..to].to_vec();
                    bytes.splice(to..to, piece);
                }
                _ => {}
            }
        }
        read_everything(&String::from_utf8_lossy(&bytes));
    }
}
