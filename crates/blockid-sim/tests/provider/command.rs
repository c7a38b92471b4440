//! The command: its ready line, its refusals, and what it must not print.

use crate::rig::{loopback, seconds};
use blockid::{ClientCredentials, HttpClient, Probe, TenantDns, discover, probe_client};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blockid-sim"));
    command
        .env_remove("BLOCKID_SIM_CLIENT_SECRET")
        .env("RUST_BACKTRACE", "1");
    command
}

#[tokio::test]
async fn it_serves_both_schemes_and_prints_no_secret() {
    let ca_file = std::env::temp_dir().join(format!("blockid-sim-ca-{}.pem", std::process::id()));
    let mut child = command()
        .args(["--listen", "127.0.0.1:0", "--tls", "--log", "debug", "--ca-out"])
        .arg(&ca_file)
        .env("BLOCKID_SIM_CLIENT_SECRET", "canary-of-the-command")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    let ca = std::fs::read_to_string(&ca_file).unwrap();
    std::fs::remove_file(&ca_file).unwrap();
    for (member, policy) in [
        ("listening", loopback(true, None)),
        ("tls_listening", loopback(false, Some(ca))),
    ] {
        let tenant = TenantDns::parse(ready[member].as_str().unwrap(), &policy).unwrap();
        let client = HttpClient::new(policy).unwrap();
        let provider = discover(&client, &tenant, "default", 0).await.unwrap();
        for (secret, expected) in [
            ("canary-of-the-command", Probe::Accepted),
            ("wrong", Probe::Rejected),
        ] {
            let credentials = ClientCredentials {
                client_id: "demo-client".into(),
                client_secret: secret.to_owned().into(),
            };
            assert_eq!(
                probe_client(&client, &provider, &credentials, seconds(10)).await,
                expected
            );
        }
    }
    child.kill().unwrap();
    let mut printed = line;
    out.read_to_string(&mut printed).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut printed).unwrap();
    child.wait().unwrap();
    assert!(printed.contains("Token call answered"), "{printed}");
    assert!(!printed.contains("canary"), "{printed}");
}

#[test]
fn what_it_cannot_serve_is_refused_with_one_line() {
    for (arguments, text) in [
        (&["--listen", "127.0.0.1:0"][..], "--client-secret"),
        (
            &["--listen", "0.0.0.0:0", "--client-secret", "x"],
            "--allow-remote",
        ),
        (&["--config", "/no/such/file"], "cannot be read"),
    ] {
        let output = command().args(arguments).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.contains(text) && errors.lines().count() == 1, "{errors}");
    }
}
