//! The conditions of the records table, as DynamoDB applies them.

use crate::emulator;
use step_up::reason::Reason;
use triggers::records::limits::{self, Window};
use triggers::records::{
    Achievement, Claimed, Committed, Counted, Evidence, Grant, Link, LinkWrite, Links, Records, RecordsTable,
    RoundClaim, RoundOutcome, Success,
};

const NOW_MS: i64 = 1_800_000_000_000;
const NOW_S: i64 = NOW_MS / 1_000;
const ISSUER: &str = "https://acme.1kosmos.example";

async fn records() -> RecordsTable {
    let client = aws_sdk_dynamodb::Client::new(&emulator::config().await);
    let table = emulator::table(&client, "records", &["pk", "sk"]).await;
    RecordsTable { client, table }
}

fn claim(user: &str, journey: &str, round: u8, answer: &str) -> RoundClaim {
    RoundClaim {
        journey: journey.to_owned(),
        round,
        user_sub: user.to_owned(),
        answer_hash: triggers::records::answer_hash(answer),
        counted: Some(Counted {
            per_journey: 2,
            per_user: limits::windows(NOW_S),
        }),
        now_ms: NOW_MS,
    }
}

fn link(user: &str, subject: &str) -> Link {
    Link {
        user_sub: user.to_owned(),
        issuer: ISSUER.to_owned(),
        subject: subject.to_owned(),
        community: "default".to_owned(),
        made_by: "username".to_owned(),
        actor: None,
        made_at_unix_s: NOW_S,
    }
}

fn success(claim: &RoundClaim, link: LinkWrite) -> Success {
    let achievement = Achievement {
        journey: claim.journey.clone(),
        client_id: "client".to_owned(),
        issuer: ISSUER.to_owned(),
        community: "default".to_owned(),
        acr: Some("liveID push".to_owned()),
        amr: vec!["a".to_owned(), "b".to_owned()],
        method: None,
        aal: Some(2),
        ial: None,
        phishing_resistant: false,
        at_unix_s: NOW_S,
        policy_version: 3,
    };
    Success {
        claim: claim.clone(),
        link,
        evidence: Some(Evidence {
            achievement: achievement.clone(),
            expires_at_unix_s: NOW_S + 28_800,
        }),
        grant: Grant {
            achievement,
            round: claim.round,
            action: Some("transfer".to_owned()),
            action_ref: None,
            expires_at_unix_s: NOW_S + 60,
            used_at_unix_ms: None,
        },
    }
}

#[tokio::test]
async fn a_round_is_claimed_once() {
    let records = records().await;
    let first = claim("u", "jrn_1", 1, "answer");
    assert_eq!(records.claim_round(&first).await, Ok(Claimed::Yes));
    assert_eq!(records.claim_round(&first).await, Ok(Claimed::InProgress));
    assert_eq!(
        records.claim_round(&claim("u", "jrn_1", 1, "other")).await,
        Ok(Claimed::Taken)
    );
    records
        .close_round(&first, Reason::CodeRejected, false)
        .await
        .expect("closed");
    let refused = Claimed::SameAnswer(RoundOutcome::Refused(Reason::CodeRejected));
    let within = RoundClaim {
        now_ms: NOW_MS + 15_000,
        ..first.clone()
    };
    assert_eq!(records.claim_round(&within).await, Ok(refused));
    let late = RoundClaim {
        now_ms: NOW_MS + 15_001,
        ..first
    };
    assert_eq!(records.claim_round(&late).await, Ok(Claimed::Taken));
}

#[tokio::test]
async fn a_claim_that_hits_a_limit_counts_nowhere() {
    let records = records().await;
    for round in 1..=2 {
        assert_eq!(
            records.claim_round(&claim("u", "jrn_1", round, "a")).await,
            Ok(Claimed::Yes)
        );
    }
    assert_eq!(
        records.claim_round(&claim("u", "jrn_1", 3, "a")).await,
        Ok(Claimed::JourneyLimit)
    );

    let narrow = |journey: &str| {
        let window = Window {
            key: "h1".to_owned(),
            limit: 3,
            expires_at_unix_s: NOW_S + 60,
        };
        let day = Window {
            key: "d1".to_owned(),
            limit: 100,
            ..window.clone()
        };
        let mut claim = claim("v", journey, 1, "a");
        claim.counted = Some(Counted {
            per_journey: 2,
            per_user: [window, day],
        });
        claim
    };
    for journey in ["a", "b", "c"] {
        assert_eq!(records.claim_round(&narrow(journey)).await, Ok(Claimed::Yes));
    }
    assert_eq!(records.claim_round(&narrow("d")).await, Ok(Claimed::UserLimit));
    records
        .close_round(&narrow("a"), Reason::ProviderUnavailable, true)
        .await
        .expect("given back");
    assert_eq!(
        records.claim_round(&narrow("d")).await,
        Ok(Claimed::Yes),
        "the refused claim left no round"
    );
    assert_eq!(records.claim_round(&narrow("e")).await, Ok(Claimed::UserLimit));
}

#[tokio::test]
async fn parallel_attempts_do_not_slip_through() {
    let records = records().await;
    let claims: Vec<RoundClaim> = (0..20).map(|n| claim("u", &format!("jrn_{n}"), 1, "a")).collect();
    let mut passed = 0;
    for answer in futures_join(claims.iter().map(|claim| records.claim_round(claim))).await {
        passed += usize::from(answer == Ok(Claimed::Yes));
    }
    assert!(
        passed <= usize::try_from(limits::PER_HOUR).expect("small"),
        "{passed} passed"
    );
    assert!(passed > 0);
}

async fn futures_join<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut pending: Vec<_> = futures.map(Box::pin).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|context| {
        pending.retain_mut(|future| match future.as_mut().poll(context) {
            std::task::Poll::Ready(output) => {
                done.push(output);
                false
            }
            std::task::Poll::Pending => true,
        });
        if pending.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done
}

#[tokio::test]
async fn a_success_is_written_whole_and_read_back() {
    let records = records().await;
    let claimed = claim("u", "jrn_1", 1, "a");
    records.claim_round(&claimed).await.expect("claimed");
    let success = success(&claimed, LinkWrite::Make(link("u", "blockid-u")));
    assert_eq!(records.commit(&success).await, Ok(Committed::Yes));
    assert_eq!(records.grants("u").await, Ok(vec![success.grant.clone()]));
    assert_eq!(
        records.evidence("u", "client").await,
        Ok(vec![success.evidence.clone().expect("evidence")])
    );
    assert_eq!(records.evidence("u", "clien").await, Ok(Vec::new()));
    let link = link("u", "blockid-u");
    let links = Links {
        of_user: Some(link.clone()),
        of_subject: Some(link),
    };
    assert_eq!(records.links("u", ISSUER, "blockid-u").await, Ok(links));
    assert_eq!(
        records.claim_round(&claimed).await,
        Ok(Claimed::SameAnswer(RoundOutcome::Passed))
    );
}

#[tokio::test]
async fn one_subject_one_user_or_nothing_is_written() {
    let records = records().await;
    let first = claim("u", "jrn_1", 1, "a");
    records.claim_round(&first).await.expect("claimed");
    let made = success(&first, LinkWrite::Make(link("u", "blockid-u")));
    assert_eq!(records.commit(&made).await, Ok(Committed::Yes));

    for (user, subject) in [("v", "blockid-u"), ("u", "blockid-v")] {
        let other = claim(user, &format!("jrn_{subject}"), 1, "a");
        records.claim_round(&other).await.expect("claimed");
        let taken = success(&other, LinkWrite::Make(link(user, subject)));
        assert_eq!(records.commit(&taken).await, Ok(Committed::LinkChanged));
    }
    assert_eq!(records.grants("v").await, Ok(Vec::new()));
    assert_eq!(records.grants("u").await.map(|grants| grants.len()), Ok(1));

    let unlinked = claim("w", "jrn_w", 1, "a");
    records.claim_round(&unlinked).await.expect("claimed");
    let gone = success(&unlinked, LinkWrite::Keep(link("w", "blockid-w")));
    assert_eq!(
        records.commit(&gone).await,
        Ok(Committed::LinkChanged),
        "unlinked in the meantime"
    );
    let kept = claim("u", "jrn_2", 1, "a");
    records.claim_round(&kept).await.expect("claimed");
    let kept = success(&kept, LinkWrite::Keep(link("u", "blockid-u")));
    assert_eq!(records.commit(&kept).await, Ok(Committed::Yes));
}

#[tokio::test]
async fn a_grant_is_stamped_once_and_dies() {
    let records = records().await;
    let claimed = claim("u", "jrn_1", 1, "a");
    records.claim_round(&claimed).await.expect("claimed");
    records
        .commit(&success(&claimed, LinkWrite::Make(link("u", "s"))))
        .await
        .expect("written");
    assert_eq!(records.use_grant("u", "jrn_other", NOW_MS).await, Ok(false));
    assert_eq!(records.use_grant("v", "jrn_1", NOW_MS).await, Ok(false));
    assert_eq!(
        records.use_grant("u", "jrn_1", NOW_MS + 60_000).await,
        Ok(false),
        "dead"
    );
    assert_eq!(records.use_grant("u", "jrn_1", NOW_MS).await, Ok(true));
    assert_eq!(records.use_grant("u", "jrn_1", NOW_MS + 10_000).await, Ok(true));
    assert_eq!(records.use_grant("u", "jrn_1", NOW_MS + 10_001).await, Ok(false));
    assert_eq!(
        records.grants("u").await.expect("grants")[0].used_at_unix_ms,
        Some(NOW_MS)
    );
}

#[tokio::test]
async fn a_sign_in_without_step_up_leaves_a_trace_that_may_be_written_again() {
    let records = records().await;
    let claimed = claim("u", "without-1", 1, "a");
    let trace = success(&claimed, LinkWrite::Make(link("u", "s")))
        .evidence
        .expect("evidence");
    for _ in 0..2 {
        records.note_evidence("u", &trace).await.expect("written");
    }
    assert_eq!(records.evidence("u", "client").await, Ok(vec![trace]));
}

#[tokio::test]
async fn a_table_that_is_not_there_is_an_error_and_not_an_answer() {
    let mut records = records().await;
    records.table = "no-such-table".to_owned();
    let claimed = claim("u", "jrn_1", 1, "a");
    assert_eq!(
        records.claim_round(&claimed).await.expect_err("error").code,
        "ResourceNotFoundException"
    );
    assert!(records.grants("u").await.is_err());
    assert!(records.use_grant("u", "jrn_1", NOW_MS).await.is_err());
    assert!(records.links("u", ISSUER, "s").await.is_err());
    let written = success(&claimed, LinkWrite::Make(link("u", "s")));
    assert!(records.commit(&written).await.is_err());
}
