//! The pool's keys: cached, rotated, withdrawn, unreachable.

use crate::bank::{Bank, KEYS, NOW};
use serde_json::json;
use std::sync::atomic::Ordering;

/// A token of key `index` that a session with a recent step-up would have after `after_s`.
fn token(bank: &Bank, index: usize, after_s: i64) -> String {
    let mut claims = bank.stepped_up();
    for (name, value) in [("iat", NOW), ("stepup_at", NOW), ("exp", NOW + 900)] {
        claims[name] = json!(value + after_s);
    }
    KEYS[index].token(&claims)
}

#[actix_web::test]
async fn keys_are_fetched_once_and_again_after_an_hour() {
    let bank = Bank::open();
    for _ in 0..5 {
        assert_eq!(bank.balance(&token(&bank, 0, 0)).await.status, 200);
    }
    assert_eq!(bank.keys.requests(), 1);
    bank.advance_s(3_600);
    assert_eq!(bank.balance(&token(&bank, 0, 3_600)).await.status, 200);
    assert_eq!(bank.keys.requests(), 2);
}

#[actix_web::test]
async fn a_new_key_is_found_and_a_withdrawn_one_goes() {
    let bank = Bank::open();
    assert_eq!(bank.balance(&token(&bank, 0, 0)).await.status, 200);
    bank.keys.publish(&[&KEYS[0], &KEYS[1]]);
    bank.advance_s(30);
    assert_eq!(bank.balance(&token(&bank, 1, 30)).await.status, 200);
    assert_eq!(bank.balance(&token(&bank, 0, 30)).await.status, 200);
    assert_eq!(bank.keys.requests(), 2);

    bank.keys.publish(&[&KEYS[1]]);
    bank.advance_s(3_600);
    bank.balance(&token(&bank, 0, 3_630))
        .await
        .assert_refused(401, "invalid_token");
    assert_eq!(bank.balance(&token(&bank, 1, 3_630)).await.status, 200);
}

#[actix_web::test]
async fn invented_key_ids_cost_one_fetch_per_interval() {
    let bank = Bank::open();
    assert_eq!(bank.balance(&token(&bank, 0, 0)).await.status, 200);
    for _ in 0..20 {
        bank.balance(&token(&bank, 2, 0))
            .await
            .assert_refused(401, "invalid_token");
    }
    assert_eq!(bank.keys.requests(), 1);
    bank.advance_s(30);
    for _ in 0..20 {
        bank.balance(&token(&bank, 2, 0))
            .await
            .assert_refused(401, "invalid_token");
    }
    assert_eq!(bank.keys.requests(), 2);
}

#[actix_web::test]
async fn without_keys_nothing_is_believed_and_the_endpoint_is_not_hammered() {
    let bank = Bank::open();
    for (status, after_s) in [(500, 0), (302, 30), (404, 60)] {
        bank.keys.status.store(status, Ordering::SeqCst);
        for _ in 0..5 {
            bank.balance(&token(&bank, 0, after_s))
                .await
                .assert_refused(503, "temporarily_unavailable");
        }
        bank.advance_s(30);
    }
    assert_eq!(bank.keys.requests(), 3);
    bank.keys.status.store(200, Ordering::SeqCst);
    assert_eq!(bank.balance(&token(&bank, 0, 90)).await.status, 200);
}

#[actix_web::test]
async fn known_keys_outlive_an_outage_of_a_day() {
    let bank = Bank::open();
    assert_eq!(bank.balance(&token(&bank, 0, 0)).await.status, 200);
    bank.keys.status.store(500, Ordering::SeqCst);
    bank.advance_s(24 * 3_600);
    assert_eq!(bank.balance(&token(&bank, 0, 24 * 3_600)).await.status, 200);
    bank.advance_s(1);
    bank.balance(&token(&bank, 0, 24 * 3_600))
        .await
        .assert_refused(503, "temporarily_unavailable");
}

#[actix_web::test]
async fn what_is_not_a_key_set_changes_nothing() {
    let bank = Bank::open();
    assert_eq!(bank.balance(&token(&bank, 0, 0)).await.status, 200);
    let not_key_sets = [
        ("<html>".to_owned(), 3_600),
        ("{}".to_owned(), 30),
        (" ".repeat(70_000), 30),
    ];
    for (body, later_s) in not_key_sets {
        *bank.keys.body.lock().unwrap() = body;
        bank.advance_s(later_s);
        assert_eq!(bank.balance(&token(&bank, 0, 3_600)).await.status, 200);
    }
    assert_eq!(bank.keys.requests(), 4);
}
