//! The records table, as the control plane and the triggers see it: one table, two programs.

use crate::support::{REGION, TestApp};
use aws_sdk_dynamodb::{
    Client,
    types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType},
};
use step_up::link::{BY_ADMINISTRATOR, Link};
use stepgate::aws::records::{LinkMade, Records};
use triggers::records::{
    Achievement, Committed, Evidence, Grant, LinkWrite, Records as _, RecordsTable, RoundClaim, Success,
};

const ISSUER: &str = "https://acme.1kosmos.example";
const NOW_S: i64 = 1_800_000_000;

/// The same new table through both programs' eyes.
async fn table(app: &TestApp) -> (Records, RecordsTable) {
    let client = Client::new(&app.context.aws.region(REGION));
    let name = format!("records-{}", app.account_id);
    let attribute = |name: &str| {
        let definition = AttributeDefinition::builder().attribute_name(name);
        definition.attribute_type(ScalarAttributeType::S).build().unwrap()
    };
    let key = |name: &str, kind| {
        KeySchemaElement::builder()
            .attribute_name(name)
            .key_type(kind)
            .build()
            .unwrap()
    };
    client
        .create_table()
        .table_name(&name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("pk"))
        .attribute_definitions(attribute("sk"))
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .send()
        .await
        .unwrap();
    (
        app.context.aws.records(REGION, name.clone()),
        RecordsTable { client, table: name },
    )
}

fn link(user: &str, subject: &str) -> Link {
    Link {
        user_sub: user.to_owned(),
        issuer: ISSUER.to_owned(),
        subject: subject.to_owned(),
        community: "default".to_owned(),
        made_by: BY_ADMINISTRATOR.to_owned(),
        actor: Some("key_1".to_owned()),
        made_at_unix_s: NOW_S,
    }
}

fn success(user: &str, journey: &str, client_id: &str, link: LinkWrite) -> Success {
    let achievement = Achievement {
        journey: journey.to_owned(),
        client_id: client_id.to_owned(),
        issuer: ISSUER.to_owned(),
        community: "default".to_owned(),
        acr: None,
        amr: Vec::new(),
        method: None,
        aal: None,
        ial: None,
        phishing_resistant: false,
        at_unix_s: NOW_S,
        policy_version: 1,
    };
    Success {
        claim: RoundClaim {
            journey: journey.to_owned(),
            round: 1,
            user_sub: user.to_owned(),
            answer_hash: String::new(),
            counted: None,
            now_ms: NOW_S * 1_000,
        },
        link,
        grant: Grant {
            achievement: achievement.clone(),
            round: 1,
            action: None,
            action_ref: None,
            expires_at_unix_s: NOW_S + 60,
            used_at_unix_ms: None,
        },
        evidence: Some(Evidence {
            achievement,
            expires_at_unix_s: NOW_S + 28_800,
        }),
    }
}

/// A step-up as *verify* writes it.
async fn step_up(triggers: &RecordsTable, success: Success) -> Committed {
    triggers.claim_round(&success.claim).await.unwrap();
    triggers.commit(&success).await.unwrap()
}

#[tokio::test]
async fn a_link_by_hand_is_what_verify_reads_and_removing_it_is_what_verify_notices() {
    let app = TestApp::start().await;
    let (ours, triggers) = table(&app).await;
    let by_hand = link("u", "s");
    assert_eq!(ours.make_link(&by_hand).await.unwrap().value, LinkMade::Yes);
    let read = triggers.links("u", ISSUER, "s").await.unwrap();
    assert_eq!(
        (read.of_user, read.of_subject),
        (Some(by_hand.clone()), Some(by_hand.clone()))
    );

    let kept = success("u", "jrn_1", "client", LinkWrite::Keep(by_hand.clone()));
    assert_eq!(step_up(&triggers, kept).await, Committed::Yes);
    assert!(ours.remove_link(&by_hand).await.unwrap().value);
    assert!(!ours.remove_link(&by_hand).await.unwrap().value, "it is gone");
    let late = success("u", "jrn_2", "client", LinkWrite::Keep(by_hand));
    assert_eq!(
        step_up(&triggers, late).await,
        Committed::LinkChanged,
        "a step-up under way does not outlive its link"
    );
    let read = triggers.links("u", ISSUER, "s").await.unwrap();
    assert_eq!((read.of_user, read.of_subject), (None, None));
}

#[tokio::test]
async fn one_subject_one_user_whoever_was_first() {
    let app = TestApp::start().await;
    let (ours, triggers) = table(&app).await;
    let mut first = link("u", "s");
    first.made_by = "username".to_owned();
    first.actor = None;
    let made = success("u", "jrn_1", "client", LinkWrite::Make(first.clone()));
    assert_eq!(step_up(&triggers, made).await, Committed::Yes);
    assert_eq!(ours.links("u").await.unwrap(), [first]);
    let put = async |link: Link| ours.make_link(&link).await.unwrap().value;
    assert_eq!(put(link("thief", "s")).await, LinkMade::SubjectIsLinked);
    assert_eq!(put(link("u", "other")).await, LinkMade::UserIsLinked);
    assert_eq!(put(link("u", "s")).await, LinkMade::UserIsLinked);
    assert_eq!(ours.links("thief").await.unwrap(), []);
    assert!(
        triggers
            .links("u", ISSUER, "other")
            .await
            .unwrap()
            .of_subject
            .is_none(),
        "nothing is half written"
    );
    // A link that is not the one that was read stays.
    assert!(!ours.remove_link(&link("u", "other")).await.unwrap().value);
    assert_eq!(ours.links("u").await.unwrap().len(), 1);
    // Links to two providers, of one subject name, do not meet.
    let elsewhere = Link {
        issuer: "https://other.1kosmos.example".to_owned(),
        ..link("u", "s")
    };
    assert_eq!(put(elsewhere).await, LinkMade::Yes);
    assert_eq!(ours.links("u").await.unwrap().len(), 2);
}

#[tokio::test]
async fn step_ups_are_forgotten_for_every_app_and_for_one_user_by_either_program() {
    let app = TestApp::start().await;
    let (ours, triggers) = table(&app).await;
    for control_plane in [true, false] {
        let made = success("u", "jrn_first", "client", LinkWrite::Keep(link("u", "s")));
        let _ = ours.make_link(&link("u", "s")).await.unwrap();
        let _ = ours.make_link(&link("v", "t")).await.unwrap();
        // More than one transaction's worth.
        for number in 0..60 {
            for client_id in ["client", "other"] {
                let evidence = Evidence {
                    achievement: Achievement {
                        journey: format!("jrn_{number}"),
                        client_id: client_id.to_owned(),
                        ..made.grant.achievement.clone()
                    },
                    expires_at_unix_s: NOW_S + 28_800,
                };
                triggers.note_evidence("u", &evidence).await.unwrap();
            }
        }
        let journey = if control_plane { "jrn_a" } else { "jrn_b" };
        let of_u = success(
            "u",
            &format!("{journey}u"),
            "client",
            LinkWrite::Keep(link("u", "s")),
        );
        let of_v = success(
            "v",
            &format!("{journey}v"),
            "client",
            LinkWrite::Keep(link("v", "t")),
        );
        assert_eq!(step_up(&triggers, of_u).await, Committed::Yes);
        assert_eq!(step_up(&triggers, of_v).await, Committed::Yes);
        let forget = async || {
            if control_plane {
                ours.forget_step_ups("u").await.unwrap()
            } else {
                triggers.forget_step_ups("u").await.unwrap()
            }
        };
        assert_eq!(forget().await, 122, "120 of evidence, a grant and its evidence");
        assert_eq!(forget().await, 0);
        assert_eq!(triggers.grants("u").await.unwrap(), []);
        for client_id in ["client", "other"] {
            assert_eq!(triggers.evidence("u", client_id).await.unwrap(), []);
        }
        assert!(!triggers.grants("v").await.unwrap().is_empty());
        assert!(!triggers.evidence("v", "client").await.unwrap().is_empty());
        assert_eq!(ours.links("u").await.unwrap().len(), 1, "the link stays");
    }
}
