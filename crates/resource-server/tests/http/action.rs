//! Routes that are an action: one step-up, one transaction, one call.

use crate::bank::{Bank, KEYS, NOW};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

#[actix_web::test]
async fn a_token_for_this_transfer_carries_it_out() {
    let bank = Bank::open();
    let answer = bank
        .pay(&KEYS[0].token(&bank.for_transfer("DE02", "12.50")))
        .await;
    assert_eq!(
        (answer.status, &answer.body),
        (201, &json!({ "by": "user-1", "amount": "12.50" }))
    );
    assert_eq!(bank.done.load(Ordering::SeqCst), 1);
}

#[actix_web::test]
async fn the_refusal_says_what_to_step_up_for_and_that_then_suffices() {
    let bank = Bank::open();
    let refused = bank.pay(&KEYS[0].token(&bank.session())).await;
    refused.assert_refused(401, "step_up_missing");
    let action_ref = refused.body["action_ref"].as_str().unwrap();
    assert_eq!(
        refused.www_authenticate.as_deref().unwrap(),
        format!(
            "Bearer error=\"insufficient_user_authentication\", error_description=\"A step-up is required\", \
             acr_values=\"liveID%20push fido2\", max_age=\"120\", stepup_action=\"transfer\", action_ref=\"{action_ref}\""
        )
    );
    assert_eq!(refused.body["acr_values"], json!(["liveID push", "fido2"]));
    assert_eq!(refused.body["max_age_s"], 120);

    let mut claims = bank.stepped_up();
    claims["stepup_action"] = refused.body["stepup_action"].clone();
    claims["action_ref"] = json!(action_ref);
    assert_eq!(bank.pay(&KEYS[0].token(&claims)).await.status, 201);
}

#[actix_web::test]
async fn a_step_up_that_falls_short_is_refused() {
    let bank = Bank::open();
    let good = bank.for_transfer("DE02", "12.50");
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    let cases = [
        (bank.session(), "step_up_missing"),
        (bank.stepped_up(), "step_up_missing"), // signing in is not agreeing to a transfer
        (without("stepup_at"), "step_up_missing"),
        (without("stepup_acr"), "step_up_missing"),
        (with("stepup_exempt", json!("exm_1")), "step_up_missing"),
        (with("stepup_exempt", json!(true)), "step_up_missing"),
        (with("stepup_at", json!(NOW - 121)), "step_up_too_old"),
        (with("stepup_acr", json!("otp sms")), "step_up_other_method"),
        (with("stepup_acr", json!("LiveID push")), "step_up_other_method"),
        (
            with("stepup_action", json!("close_account")),
            "step_up_other_action",
        ),
        (with("stepup_action", json!("transfers")), "step_up_other_action"),
        (with("stepup_action", json!("")), "step_up_other_action"),
        (without("action_ref"), "step_up_other_transaction"),
        (with("action_ref", json!("")), "step_up_other_transaction"),
        (bank.for_transfer("DE02", "99999.00"), "step_up_other_transaction"),
        (bank.for_transfer("DE66", "12.50"), "step_up_other_transaction"),
    ];
    for (claims, code) in cases {
        let answer = bank.pay(&KEYS[0].token(&claims)).await;
        answer.assert_refused(401, code);
        let header = answer.www_authenticate.unwrap();
        assert!(
            header.contains("error=\"insufficient_user_authentication\""),
            "{header}"
        );
        assert!(header.contains("stepup_action=\"transfer\""), "{header}");
    }
    assert_eq!(bank.done.load(Ordering::SeqCst), 0);
}

#[actix_web::test]
async fn limits_are_inclusive_and_numbers_may_be_text() {
    let bank = Bank::open();
    let mut claims = bank.for_transfer("DE02", "12.50");
    claims["stepup_at"] = json!((NOW - 120).to_string());
    assert_eq!(bank.pay(&KEYS[0].token(&claims)).await.status, 201);
}

#[actix_web::test]
async fn a_token_is_used_once() {
    let bank = Bank::open();
    let token = KEYS[0].token(&bank.for_transfer("DE02", "12.50"));
    assert_eq!(bank.pay(&token).await.status, 201);
    bank.pay(&token).await.assert_refused(401, "step_up_already_used");
    bank.advance_s(100);
    bank.pay(&token).await.assert_refused(401, "step_up_already_used");
    assert_eq!(bank.done.load(Ordering::SeqCst), 1);
}

#[actix_web::test]
async fn the_same_token_signed_anew_is_still_the_same_token() {
    let bank = Bank::open();
    bank.keys.publish(&[&KEYS[0], &KEYS[1]]);
    let claims = bank.for_transfer("DE02", "12.50");
    assert_eq!(bank.pay(&KEYS[0].token(&claims)).await.status, 201);
    bank.pay(&KEYS[1].token(&claims))
        .await
        .assert_refused(401, "step_up_already_used");
}

#[actix_web::test]
async fn of_many_calls_at_the_same_time_one_goes_through() {
    let bank = Bank::open();
    let token = KEYS[0].token(&bank.for_transfer("DE02", "12.50"));
    // Without a warm cache all of them also race for the keys.
    let calls = (0..24).map(|_| bank.pay(&token)).collect::<Vec<_>>();
    let mut statuses = Vec::new();
    for answer in join_all(calls).await {
        statuses.push(answer.status);
        if answer.status != 201 {
            answer.assert_refused(401, "step_up_already_used");
        }
    }
    assert_eq!(
        statuses.iter().filter(|status| **status == 201).count(),
        1,
        "{statuses:?}"
    );
    assert_eq!(bank.done.load(Ordering::SeqCst), 1);
    assert_eq!(bank.keys.requests(), 1);
}

/// Polls all futures in turn on this task, so that their requests are on the wire together.
async fn join_all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures
        .into_iter()
        .map(|future| (Box::pin(future), None))
        .collect();
    std::future::poll_fn(|context| {
        let mut all = true;
        for (future, output) in &mut running {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(value) => *output = Some(value),
                    std::task::Poll::Pending => all = false,
                }
            }
        }
        if all {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    running.into_iter().map(|(_, output)| output.unwrap()).collect()
}

#[actix_web::test]
async fn a_refused_call_does_not_use_the_token_up() {
    let bank = Bank::open();
    let token = KEYS[0].token(&bank.for_transfer("DE02", "12.50"));
    let bearer = format!("Bearer {token}");
    bank.transfer(&[&bearer], r#"{"to":"DE66","amount":"12.50"}"#)
        .await
        .assert_refused(401, "step_up_other_transaction");
    for body in [
        "",
        "{",
        r#"{"to":"DE02"}"#,
        r#"{"to":"DE02","amount":12.5}"#,
        r#"{"to":"DE02","amount":"12.50","x":1}"#,
    ] {
        bank.transfer(&[&bearer], body)
            .await
            .assert_refused(400, "body_invalid");
    }
    assert_eq!(bank.pay(&token).await.status, 201);
}

#[actix_web::test]
async fn a_full_memory_refuses_until_tokens_have_expired() {
    let bank = Bank::open_with(1);
    assert_eq!(
        bank.pay(&KEYS[0].token(&bank.for_transfer("DE02", "12.50")))
            .await
            .status,
        201
    );
    let second = KEYS[0].token(&bank.for_transfer("DE02", "12.50"));
    bank.pay(&second)
        .await
        .assert_refused(503, "temporarily_unavailable");
    assert_eq!(bank.done.load(Ordering::SeqCst), 1);

    bank.advance_s(900); // the first token expires; nothing of it is needed any more
    let mut claims = bank.for_transfer("DE02", "12.50");
    claims["stepup_at"] = json!(NOW + 900);
    claims["exp"] = json!(NOW + 1_800);
    assert_eq!(bank.pay(&KEYS[0].token(&claims)).await.status, 201);
}
