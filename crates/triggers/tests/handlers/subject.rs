//! The tie between BlockID subject and Cognito user.

use crate::world::{ISSUER, SUB, World, any_method, settings};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use step_up::reason::Reason;
use triggers::records::Link;
use triggers::verify::subject::fold;

fn linked(user_sub: &str, subject: &str) -> Link {
    Link {
        user_sub: user_sub.to_owned(),
        issuer: ISSUER.to_owned(),
        subject: subject.to_owned(),
        community: "default".to_owned(),
        made_by: "administrator".to_owned(),
        actor: Some("key_1".to_owned()),
        made_at_unix_s: 1,
    }
}

fn with_link_rule(rule: &str) -> World {
    let mut policy = any_method();
    policy["default"]["subject_link"] = json!(rule);
    World::with_policy(&policy)
}

async fn refused(world: &World, change: impl FnOnce(&mut Value)) -> Option<Reason> {
    let links = world.records.tables.lock().unwrap().links_of_users.len();
    let (passed, _) = world.step_up(change).await;
    assert_eq!(
        world.records.tables.lock().unwrap().links_of_users.len(),
        links,
        "no link from a refusal"
    );
    if passed { None } else { world.reason() }
}

/// One thing that is wrong.
type Change = fn(&mut Value);

#[tokio::test]
async fn a_link_holds_whatever_name_is_asserted_later() {
    let world = World::new();
    assert!(world.step_up(|_| ()).await.0);
    assert!(
        world
            .step_up(|claims| claims["username"] = json!("renamed"))
            .await
            .0
    );
    assert_eq!(world.records.tables.lock().unwrap().links_of_users.len(), 1);
}

#[tokio::test]
async fn another_subject_is_refused_even_under_the_same_name() {
    let world = World::new();
    assert!(world.step_up(|_| ()).await.0);
    let other = refused(&world, |claims| claims["sub"] = json!("blockid-mallory")).await;
    assert_eq!(other, Some(Reason::SubjectMismatch));
}

#[tokio::test]
async fn a_subject_that_is_somebody_elses_is_not_linked() {
    let world = World::new();
    world.records.link(&linked("another-user", "blockid-ada"));
    assert_eq!(refused(&world, |_| ()).await, Some(Reason::LinkRefused));
}

#[tokio::test]
async fn somebody_elses_step_up_is_a_mismatch() {
    let world = World::new();
    let other = |claims: &mut Value| {
        claims["sub"] = json!("blockid-bob");
        claims["username"] = json!("bob");
    };
    assert_eq!(refused(&world, other).await, Some(Reason::SubjectMismatch));
}

#[tokio::test]
async fn linked_only_waits_for_an_administrator() {
    let world = with_link_rule("linked_only");
    assert_eq!(refused(&world, |_| ()).await, Some(Reason::LinkRefused));
    world.records.link(&linked(SUB, "blockid-ada"));
    assert!(world.step_up(|_| ()).await.0);
}

#[tokio::test]
async fn half_a_link_and_one_of_another_community_are_none() {
    let world = World::new();
    world.records.link(&linked(SUB, "blockid-ada"));
    world.records.tables.lock().unwrap().links_of_subjects.clear();
    assert_eq!(refused(&world, |_| ()).await, Some(Reason::LinkRefused));

    let world = World::new();
    world.records.link(&linked(SUB, "blockid-ada"));
    let mut moved = settings();
    moved["connection"]["community"] = json!("second");
    world.set_settings(&moved);
    assert_eq!(refused(&world, |_| ()).await, Some(Reason::LinkRefused));
}

#[tokio::test]
async fn an_email_links_a_new_account_only() {
    let world = with_link_rule("verified_email");
    world
        .users
        .made_at_unix_s
        .store(world.now_s() - 72 * 3_600 - 1, Ordering::Relaxed);
    assert_eq!(
        refused(&world, |_| ()).await,
        Some(Reason::LinkRefused),
        "a recycled mailbox"
    );
    world.users.made_at_unix_s.store(0, Ordering::Relaxed);
    assert_eq!(
        refused(&world, |_| ()).await,
        Some(Reason::LinkRefused),
        "an age nobody knows"
    );
    world
        .users
        .made_at_unix_s
        .store(world.now_s() - 60, Ordering::Relaxed);
    assert!(world.step_up(|_| ()).await.0);
    assert!(
        world
            .records
            .tables
            .lock()
            .unwrap()
            .links_of_users
            .values()
            .all(|l| l.made_by == "verified_email")
    );
}

#[tokio::test]
async fn identity_proofing_links_an_old_account_by_email() {
    let world = with_link_rule("verified_email");
    let proofed = |claims: &mut Value| claims["amr"] = json!(["liveID push", "/assurance/ial/2/"]);
    assert!(world.step_up(proofed).await.0, "{:?}", world.reason());
}

#[tokio::test]
async fn an_email_must_be_verified_on_both_sides_and_equal() {
    let world = with_link_rule("verified_email");
    world.users.made_at_unix_s.store(world.now_s(), Ordering::Relaxed);
    let cases: [(Change, Reason); 5] = [
        (|c| c["email_verified"] = json!(false), Reason::LinkRefused),
        (|c| c["email_verified"] = Value::Null, Reason::LinkRefused),
        (|c| c["email"] = Value::Null, Reason::LinkRefused),
        (|c| c["email"] = json!("eve@example.com"), Reason::SubjectMismatch),
        (
            |c| c["email"] = json!("ad\u{430}@example.com"),
            Reason::SubjectMismatch,
        ),
    ];
    for (index, (change, reason)) in cases.into_iter().enumerate() {
        assert_eq!(refused(&world, change).await, Some(reason), "case {index}");
    }
    let offered = world.offered().await;
    world.provider_says(crate::world::signed(&world.good_claims(&offered)));
    let mut event = offered.answered(&offered.answer());
    event["request"]["userAttributes"]["email_verified"] = json!("false");
    assert!(!world.judge(event).await);
    assert_eq!(world.reason(), Some(Reason::LinkRefused));
}

#[test]
fn folding_drops_space_and_ascii_case_and_nothing_else() {
    assert_eq!(fold(" Ada@Example.COM "), "ada@example.com");
    assert_ne!(fold("ada"), fold("ad\u{430}"));
    assert_ne!(fold("straße"), fold("STRASSE"));
    assert_ne!(fold("ÄDA"), fold("äda"));
    assert_ne!(fold("a.da"), fold("ada"));
}
