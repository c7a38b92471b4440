//! The same answer twice, and too many wrong ones.

use crate::world::{SUB, World, fixture, signed};
use serde_json::json;
use std::sync::atomic::Ordering;
use step_up::event::EventType;
use step_up::reason::Reason;
use triggers::records::limits::{PER_DAY, PER_HOUR};

#[tokio::test]
async fn cognitos_retry_gets_the_stored_outcome_without_another_exchange() {
    let world = World::new();
    let (passed, offered) = world.step_up(|_| ()).await;
    assert!(passed);
    world.pass_ms(15_000);
    assert!(world.judge(offered.answered(&offered.answer())).await);
    assert_eq!(world.provider.exchanges.load(Ordering::Relaxed), 1);
    let events = world.sink.events.lock().unwrap();
    let ids: Vec<_> = events
        .iter()
        .filter(|e| e.event_type == EventType::Succeeded)
        .map(|e| &e.event_id)
        .collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1], "the retry counts once");
}

#[tokio::test]
async fn a_refused_answer_is_refused_again_for_the_same_reason() {
    let world = World::new();
    let offered = world.offered().await;
    for _ in 0..2 {
        assert!(!world.judge(offered.answered(&offered.answer())).await);
        assert_eq!(world.reason(), Some(Reason::CodeRejected));
    }
    assert_eq!(world.provider.exchanges.load(Ordering::Relaxed), 1);
    assert_eq!(world.records.counted(SUB), 1);
}

#[tokio::test]
async fn a_round_is_answered_once() {
    let world = World::new();
    let (passed, offered) = world.step_up(|_| ()).await;
    assert!(passed);
    let other = json!({"code": "code-2", "state": offered.private.state}).to_string();
    assert!(!world.judge(offered.answered(&other)).await);
    assert_eq!(world.reason(), Some(Reason::AnswerReplayed));

    world.pass_ms(15_001);
    assert!(!world.judge(offered.answered(&offered.answer())).await);
    assert_eq!(world.reason(), Some(Reason::AnswerReplayed));
    assert_eq!(world.provider.exchanges.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_second_invocation_waits_for_the_first_and_gives_up_in_time() {
    let world = World::new();
    let offered = world.offered().await;
    *world.provider.hangs.lock().unwrap() = true;
    let event = offered.answered(&offered.answer());
    let (first, second) = tokio::join!(world.judge(event.clone()), world.judge(event));
    assert!(!first && !second);
    assert_eq!(world.provider.exchanges.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_session_has_as_many_answers_as_the_policy_says() {
    let world = World::new();
    let first = world.offered().await;
    let wrong = |state: &str| json!({"code": "wrong", "state": state}).to_string();
    assert!(!world.judge(first.answered(&wrong(&first.private.state))).await);
    let mut event = fixture("create_after_password");
    event["request"]["session"]
        .as_array_mut()
        .expect("session")
        .push(first.as_round(false));
    let second = world.create(event).await;
    assert!(!world.judge(second.answered(&wrong(&second.private.state))).await);
    assert_eq!(world.reason(), Some(Reason::CodeRejected));

    // A third round that define would never have opened: the counter holds by itself.
    let mut third = second.clone();
    third.private.round = 3;
    third.private_text = serde_json::to_string(&third.private).expect("text");
    world.provider_says(signed(&world.good_claims(&third)));
    assert!(!world.judge(third.answered(&third.answer())).await);
    assert_eq!(world.reason(), Some(Reason::AttemptsExhausted));
}

#[tokio::test]
async fn new_sessions_do_not_help_and_time_does() {
    let world = World::new();
    let wrong = async || {
        let offered = world.offered().await;
        world.judge(offered.answered(&offered.answer())).await
    };
    for _ in 0..PER_HOUR {
        assert!(!wrong().await);
        assert_eq!(world.reason(), Some(Reason::CodeRejected));
    }
    assert!(!wrong().await);
    assert_eq!(world.reason(), Some(Reason::UserRateLimited));
    let (passed, _) = world.step_up(|_| ()).await;
    assert!(!passed, "not even a right answer, for now");

    world.pass_ms(3_600_000);
    assert!(world.step_up(|_| ()).await.0);
    *world.provider.exchange.lock().unwrap() = None;
    for _ in PER_HOUR..PER_DAY {
        wrong().await;
    }
    world.pass_ms(3_600_000);
    assert!(!wrong().await);
    assert_eq!(
        world.reason(),
        Some(Reason::UserRateLimited),
        "the day's limit holds over the hours"
    );
}

#[tokio::test]
async fn right_answers_are_never_limited() {
    let world = World::new();
    for _ in 0..=PER_DAY {
        assert!(world.step_up(|_| ()).await.0);
    }
    assert_eq!(world.records.counted(SUB), 0);
}
