//! The standalone template: deployed by hand, without a control plane, and signed in to.

use crate::installation::{self, ACCOUNT, Installation, REGION};
use attacks::aws::{Aws, xml_text};
use attacks::bench::{App, Bench};
use attacks::target::TargetFile;
use aws_credential_types::Credentials;
use serde_json::{Value, json};
use std::time::Duration;

const STACK: &str = "by-hand";
const LOOKS: u32 = 300;
const PAUSE: Duration = Duration::from_millis(200);

#[test]
fn a_stack_that_was_deployed_by_hand_signs_in_with_a_step_up_and_not_without() {
    installation::run(|installation| async move {
        let stack = deploy(installation).await;
        let output = |key: &str| {
            let (_, after) = stack
                .split_once(&format!("<OutputKey>{key}</OutputKey>"))
                .unwrap_or_else(|| panic!("no output {key} in {stack}"));
            xml_text(after, "OutputValue").expect("its value")
        };
        let target: TargetFile = serde_json::from_value(json!({
            "aws_region": REGION,
            "aws_endpoint_url": installation.aws_url,
            "aws_access_key_id": ACCOUNT,
            "aws_secret_access_key": "test",
            "tenant_id": STACK,
            "user_pool_id": output("UserPoolId"),
            "client_id": output("UserPoolClientId"),
            "blockid_url": format!("http://{}", installation.tenant_dns()),
        }))
        .expect("a target");
        let bench = Bench::new(target).expect("a bench");
        let app = App {
            id: String::new(),
            client_id: output("UserPoolClientId"),
        };
        let mut user = bench.user().await.expect("a user");

        let tokens = bench.sign_in(&app, &user).await.expect("tokens");
        for claims in [
            tokens.id_claims().expect("claims"),
            tokens.access_claims().expect("claims"),
        ] {
            assert_eq!(claims["sub"], user.sub);
            assert!(claims["stepup_at"].is_string(), "{claims}");
        }
        for flow in ["USER_SRP_AUTH", "USER_PASSWORD_AUTH"] {
            let step = bench.cognito.password(flow, &bench.who(&app, &user)).await;
            assert!(step.expect("an answer").refused().is_some(), "{flow}");
        }
        let challenge = bench.challenge(&app, &user).await.expect("a step-up");
        let forged = json!({"code": "forged", "state": challenge.parameters["state"]}).to_string();
        let step = bench
            .answer(&app, &user, &challenge, &forged)
            .await
            .expect("an answer");
        assert!(step.tokens().is_err(), "a forged code gives tokens");
        user.password = "Wrong1!wrong-wrong".to_owned();
        let step = bench
            .cognito
            .password("CUSTOM_AUTH", &bench.who(&app, &user))
            .await;
        assert!(step.expect("an answer").refused().is_some());
    });
}

/// Deploys the template as a person would, and returns the finished stack's description.
async fn deploy(installation: &Installation) -> String {
    let http = attacks::http::client().expect("a client");
    let credentials = Credentials::new(ACCOUNT, "test", None, None, "test");
    let aws = Aws::new(
        http.clone(),
        Some(installation.aws_url.clone()),
        REGION,
        credentials,
    );
    let cells = installation.operator.get("/v1/cells").await.expect("the cell");
    let cell = &cells["items"][0];
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let base = format!("http://{}", installation.tenant_dns());
    let metadata = format!("{base}/oauth2/community/default/v1/.well-known/openid-configuration");
    let metadata: Value = http
        .get(metadata)
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("metadata");
    let given = [
        ("TenantDNS", installation.tenant_dns()),
        ("CommunityName", "default".to_owned()),
        ("ClientId", "demo-client".to_owned()),
        ("ClientSecret", installation.client_secret.clone()),
        ("ArtifactBucket", text(&cell["artifact_bucket"])),
        (
            "ChallengeArtifactKey",
            text(&cell["artifacts"]["challenge"]["key"]),
        ),
        ("VerifyArtifactKey", text(&cell["artifacts"]["verify"]["key"])),
        ("Architecture", text(&cell["architecture"])),
        ("Issuer", text(&metadata["issuer"])),
        ("JwksUri", text(&metadata["jwks_uri"])),
        ("ProviderBase", base),
        ("AllowedProviderNetwork", "127.0.0.1/32".to_owned()),
        // This emulator's CloudFormation knows no resource policies of secrets.
        ("RestrictSecrets", "false".to_owned()),
    ];
    let mut parameters = vec![
        ("StackName".to_owned(), STACK.to_owned()),
        (
            "TemplateBody".to_owned(),
            stepgate::provisioning::template::standalone().body.into_owned(),
        ),
        ("Capabilities.member.1".to_owned(), "CAPABILITY_IAM".to_owned()),
    ];
    for (index, (key, value)) in (1..).zip(given) {
        let member = format!("Parameters.member.{index}");
        parameters.push((format!("{member}.ParameterKey"), key.to_owned()));
        parameters.push((format!("{member}.ParameterValue"), value));
    }
    let pairs: Vec<_> = parameters
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let query = async |action: &str, pairs: &[(&str, &str)]| {
        aws.query("cloudformation", "2010-05-15", action, pairs)
            .await
            .expect("an answer")
            .unwrap_or_else(|error| panic!("{action}: {error}"))
    };
    query("CreateStack", &pairs).await;
    for _ in 0..LOOKS {
        let found = query("DescribeStacks", &[("StackName", STACK)]).await;
        match xml_text(&found, "StackStatus").expect("a status").as_str() {
            "CREATE_COMPLETE" => {
                assert!(
                    !found.contains(&installation.client_secret),
                    "a masked parameter is shown"
                );
                return found;
            }
            "CREATE_IN_PROGRESS" => tokio::time::sleep(PAUSE).await,
            other => panic!(
                "{other}: {}",
                query("DescribeStackEvents", &[("StackName", STACK)]).await
            ),
        }
    }
    panic!("the stack did not come up");
}
