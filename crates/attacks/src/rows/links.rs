//! Who a BlockID subject belongs to, and what users can say about themselves.

use super::assurance::problem_codes;
use crate::bench::{App, Bench, User, authorize_url, now_ms};
use crate::functions::Trigger;
use crate::outcome::{Outcome, Trials};
use crate::provider::StepUp;
use crate::stepgate::any_method_policy;
use serde_json::{Value, json};
use step_up::reason::Reason;

/// A27: rules that rest on attributes users can write.
pub(super) async fn a27(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let app = bench.app("writable", json!({})).await?;
    let id = json!({ "UserPoolId": bench.target.user_pool_id, "ClientId": app.client_id });
    let described = bench
        .aws()?
        .must("cognito-idp", "DescribeUserPoolClient", &id)
        .await?;
    let writable = &described["UserPoolClient"]["WriteAttributes"];
    trials.holds("client", writable.is_array(), "WriteAttributes are explicit");
    for attribute in writable
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        let kept = !matches!(attribute, "email" | "phone_number" | "preferred_username")
            && !attribute.ends_with("_verified")
            && !attribute.starts_with("custom:");
        trials.holds(attribute, kept, "nothing to rest on is writable");
        let mut policy = any_method_policy();
        policy["rules"] = json!([{
            "id": "self-declared",
            "when": { "attribute": { "name": attribute, "equals": "vip" } },
            "then": { "step_up": "not_required", "reason": "said so" }
        }]);
        let answer = bench
            .api()?
            .try_policy(&bench.target.tenant_id, &app.id, &policy)
            .await?;
        let told = problem_codes(&answer.body)
            .iter()
            .any(|code| code == "attribute_user_writable");
        trials.holds(
            attribute,
            (400..500).contains(&answer.status) && told,
            "attribute_user_writable",
        );
    }
    let pool = json!({ "UserPoolId": bench.target.user_pool_id });
    let pool = bench
        .aws()?
        .must("cognito-idp", "DescribeUserPool", &pool)
        .await?;
    let only_admin = &pool["UserPool"]["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"];
    trials.holds("sign-up", only_admin == true, "closed");
    by_the_user(bench, &app, &mut trials).await?;
    Ok(trials.outcome())
}

/// The user's own attempts, without a token and with their own.
async fn by_the_user(bench: &Bench, app: &App, trials: &mut Trials) -> anyhow::Result<()> {
    if bench.target.aws_endpoint_url.is_some() {
        // The emulator lets everybody sign up, and writes every attribute, whatever pool and client say.
        return Ok(());
    }
    let vip = json!([{ "Name": "email", "Value": "vip@corp.example" }]);
    let sign_up = json!({
        "ClientId": app.client_id, "Username": format!("attack-{}", crate::bench::random_letters(12)),
        "Password": format!("Aa1!{}", crate::bench::random_letters(20)), "UserAttributes": vip
    });
    let user = bench.user().await?;
    let tokens = bench.sign_in(app, &user).await?;
    let write = json!({ "AccessToken": tokens.access_token, "UserAttributes": vip });
    for (operation, body) in [("SignUp", sign_up), ("UpdateUserAttributes", write)] {
        let answer = bench.cognito.call(operation, &body).await?;
        let kind = answer.err().map(|refused| refused.kind);
        let refused = kind.as_deref() == Some("NotAuthorizedException");
        trials.holds(operation, refused, "NotAuthorizedException");
    }
    Ok(())
}

/// A step-up of `user` by this one; what *verify* said about it.
async fn linked(
    bench: &Bench,
    trials: &mut Trials,
    what: &str,
    (app, user): (&App, &User),
    prepare: impl FnOnce(StepUp<'_>) -> StepUp<'_>,
    expected: &[Reason],
) -> anyhow::Result<()> {
    let challenge = bench.challenge(app, user).await?;
    let step_up = prepare(StepUp::honest(authorize_url(&challenge)?));
    let posted = bench.provider()?.step_up(&step_up).await?;
    let since = now_ms();
    let step = bench.answer(app, user, &challenge, &posted.answer()).await?;
    let reason = bench.reason(&step, Trigger::Verify, user, since).await?;
    trials.by_reason(what, &step, reason, expected);
    Ok(())
}

/// A28: an account that is not linked yet, in the hands of somebody who has its password.
pub(super) async fn a28(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let refused = [Reason::LinkRefused];
    let either = [Reason::LinkRefused, Reason::SubjectMismatch];

    let mut policy = any_method_policy();
    policy["default"]["subject_link"] = "linked_only".into();
    let app = bench.app("linked only", json!({ "policy": policy })).await?;
    let user = bench.user().await?;
    linked(bench, &mut trials, "no link", (&app, &user), |s| s, &refused).await?;
    by_administrator(bench, &mut trials, &app).await?;

    by_mail(bench, &mut trials, &app).await?;

    // A subject that belongs to another account.
    let main = bench.main_app();
    let (owner, thief) = (bench.user().await?, bench.user().await?);
    bench.sign_in(&main, &owner).await?;
    let owner_name = owner.name.as_str();
    linked(
        bench,
        &mut trials,
        "linked elsewhere",
        (&main, &thief),
        |s| s.fault(json!({ "other_user": owner_name })),
        &either,
    )
    .await?;
    let honest = bench.sign_in(&main, &owner).await;
    anyhow::ensure!(honest.is_ok(), "the owner lost the link: {:?}", honest.err());
    Ok(trials.outcome())
}

/// Links by an address that is verified on both sides: no other address, none that merely looks alike, and no subject twice.
async fn by_mail(bench: &Bench, trials: &mut Trials, other: &App) -> anyhow::Result<()> {
    let refused = [Reason::LinkRefused];
    let either = [Reason::LinkRefused, Reason::SubjectMismatch];
    let mut policy = any_method_policy();
    policy["default"]["subject_link"] = "verified_email".into();
    policy["default"]["subject_attribute"] = "name".into();
    let refusal = bench
        .api()?
        .try_policy(&bench.target.tenant_id, &other.id, &policy)
        .await?;
    let told = problem_codes(&refusal.body)
        .iter()
        .any(|code| code == "link_user_writable");
    trials.holds("link by what users write", told, "link_user_writable");
    policy["default"]["subject_attribute"] = "email".into();
    let app = bench.app("by mail", json!({ "policy": policy })).await?;
    let with_mail = |address: String| json!([{ "Name": "email", "Value": address }]);
    let user = new_user(bench, |name| with_mail(format!("{name}@example.com"))).await?;
    let attacker = "attacker@evil.example";
    linked(
        bench,
        trials,
        "other address",
        (&app, &user),
        |s| s.fault(json!({ "email": attacker })),
        &either,
    )
    .await?;
    let own = format!("{}@example.com", user.name);
    linked(
        bench,
        trials,
        "unverified at the provider",
        (&app, &user),
        |s| {
            s.fault(json!({ "email": own }))
                .fault(json!({ "email_verified": false }))
        },
        &refused,
    )
    .await?;
    // A letter that merely looks like another (Cyrillic а) is another.
    let twin = own.replacen('a', "\u{430}", 1);
    linked(
        bench,
        trials,
        "look-alike",
        (&app, &user),
        |s| s.fault(json!({ "email": twin })),
        &either,
    )
    .await?;

    let own_of_linked = own;
    let honest = bench.sign_in(&app, &user).await;
    anyhow::ensure!(
        honest.is_ok(),
        "an address verified on both sides does not link: {:?}",
        honest.err()
    );

    let here = new_user(bench, |name| {
        json!([
            { "Name": "email", "Value": format!("{name}@example.com") },
            { "Name": "email_verified", "Value": "false" }
        ])
    })
    .await?;
    let own = format!("{}@example.com", here.name);
    linked(
        bench,
        trials,
        "unverified here",
        (&app, &here),
        |s| s.fault(json!({ "email": own })),
        &refused,
    )
    .await?;

    // The same address in capitals is the same mailbox, but its subject has an account already.
    let capitals = own_of_linked.to_ascii_uppercase();
    let twin = new_user(bench, |_| with_mail(capitals)).await?;
    let linked_name = own_of_linked.as_str();
    linked(
        bench,
        trials,
        "case twin",
        (&app, &twin),
        |s| s.fault(json!({ "other_user": linked_name })),
        &refused,
    )
    .await?;
    Ok(())
}

/// Links that an administrator makes: to nobody else's subject, and they hold against anybody else's step-up.
async fn by_administrator(bench: &Bench, trials: &mut Trials, app: &App) -> anyhow::Result<()> {
    let main = bench.main_app();
    let (owner, thief) = (bench.user().await?, bench.user().await?);
    bench.sign_in(&main, &owner).await?;
    let links = |user: &User| format!("/v1/tenants/{}/users/{}/links", bench.target.tenant_id, user.sub);
    let of_owner = bench.api()?.get(&links(&owner)).await?;
    let subject = &of_owner["items"][0]["subject"];
    anyhow::ensure!(subject.is_string(), "the sign-in left no link: {of_owner}");
    let body = json!({ "subject": subject, "reason": "attack A28" });
    let stolen = bench
        .api()?
        .call(reqwest::Method::POST, &links(&thief), None, Some(&body))
        .await?;
    let told = stolen.status == 409 && stolen.body["code"] == "link_taken";
    trials.holds("linked by hand to somebody else's subject", told, "link_taken");
    linked(
        bench,
        trials,
        "after that",
        (app, &thief),
        |s| s,
        &[Reason::LinkRefused],
    )
    .await?;

    // The same link by hand lets its own user in, and nobody else.
    let honest = bench.sign_in(app, &owner).await;
    anyhow::ensure!(
        honest.is_ok(),
        "a link does not serve where only links do: {:?}",
        honest.err()
    );
    let thief_name = thief.name.as_str();
    linked(
        bench,
        trials,
        "somebody else's step-up for a linked user",
        (app, &owner),
        |s| s.fault(json!({ "other_user": thief_name })),
        &[Reason::SubjectMismatch],
    )
    .await
}

async fn new_user(bench: &Bench, attributes: impl FnOnce(&str) -> Value) -> anyhow::Result<User> {
    let name = format!("attack-{}", crate::bench::random_letters(12));
    let attributes = attributes(&name);
    bench.user_named(&name, &attributes).await
}
