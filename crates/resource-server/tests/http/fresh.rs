//! Routes that want a recent step-up of the session, for no action in particular.

use crate::bank::{Bank, KEYS, NOW};
use serde_json::json;

#[actix_web::test]
async fn a_recent_step_up_suffices_as_often_as_wanted() {
    let bank = Bank::open();
    let token = KEYS[0].token(&bank.stepped_up());
    for _ in 0..3 {
        let answer = bank.balance(&token).await;
        assert_eq!((answer.status, &answer.body), (200, &json!({ "of": "user-1" })));
    }
}

#[actix_web::test]
async fn an_old_step_up_or_none_is_refused_without_an_action() {
    let bank = Bank::open();
    bank.balance(&KEYS[0].token(&bank.session()))
        .await
        .assert_refused(401, "step_up_missing");

    let mut claims = bank.stepped_up();
    claims["stepup_at"] = json!(NOW - 901);
    let answer = bank.balance(&KEYS[0].token(&claims)).await;
    answer.assert_refused(401, "step_up_too_old");
    assert_eq!(
        answer.www_authenticate.as_deref().unwrap(),
        "Bearer error=\"insufficient_user_authentication\", \
         error_description=\"A more recent step-up is required\", max_age=\"900\""
    );
    assert!(answer.body.get("stepup_action").is_none());
}

#[actix_web::test]
async fn a_token_for_an_action_opens_nothing_else() {
    let bank = Bank::open();
    let token = KEYS[0].token(&bank.for_transfer("DE02", "12.50"));
    bank.balance(&token)
        .await
        .assert_refused(401, "step_up_other_action");
    assert_eq!(bank.pay(&token).await.status, 201);
}
