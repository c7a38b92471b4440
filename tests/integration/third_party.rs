//! An unmodified client that is not ours signs in: PyPI `pycognito`, for the password, with its own SRP.

use crate::installation::{self, REGION};
use crate::support::env::required as given;
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::{Command, Stdio};

#[test]
fn pycognito_signs_in_with_a_step_up_and_not_without() {
    installation::run(|installation| async move {
        let tenant = installation.tenant().await;
        let user = tenant.bench.user().await.expect("a user");
        let input = json!({
            "endpoint": installation.aws_url.as_str().trim_end_matches('/'),
            "region": REGION,
            "pool_id": tenant.bench.target.user_pool_id,
            "client_id": tenant.app().client_id,
            "simulator": format!("http://{}", installation.tenant_dns()),
            "username": user.name,
            "password": user.password,
        });
        let report = tokio::task::spawn_blocking(move || run_script(&input))
            .await
            .expect("the script");

        let signed_in = &report["signed_in"];
        assert_eq!(signed_in["tokens"], true, "{report}");
        assert_eq!(signed_in["id_claims"]["sub"], user.sub.as_str());
        assert!(signed_in["id_claims"]["stepup_at"].is_string(), "{signed_in}");
        for case in ["wrong_password", "wrong_code", "no_step_up", "plain_srp"] {
            assert_eq!(report[case]["tokens"], false, "{case}: {report}");
        }
        assert_eq!(report["wrong_password"]["error"], "NotAuthorizedException");
        assert_eq!(report["plain_srp"]["error"], "InvalidParameterException");
        assert_eq!(report["no_step_up"]["challenge"], "CUSTOM_CHALLENGE");
    });
}

fn run_script(input: &Value) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/pycognito_sign_in.py");
    let mut child = Command::new(given("STEPGATE_TEST_PYTHON"))
        .arg(script)
        .env_remove("AWS_ENDPOINT_URL")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python starts");
    let mut stdin = child.stdin.take().expect("its input");
    stdin
        .write_all(input.to_string().as_bytes())
        .expect("its input is read");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("a report as JSON")
}
