//! The program as a user starts it: what it says and how it exits before there is any service.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by panicking, helpers included"
)]

use std::process::{Command, Output};

fn stepgatectl(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stepgatectl"))
        .args(arguments)
        .env_clear()
        .env("HOME", "/nonexistent")
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_help_names_every_command_and_where_the_key_comes_from() {
    let help = stepgatectl(&["--help"], &[]);
    assert!(help.status.success());
    let help = text(&help.stdout);
    for said in [
        "onboard",
        "status",
        "policy",
        "operations",
        "STEPGATE_API_KEY",
        "Exit codes",
    ] {
        assert!(help.contains(said), "{said} is not in the help:\n{help}");
    }
}

#[test]
fn mistakes_of_the_command_line_are_told_and_exit_with_2() {
    for arguments in [&["fly"][..], &["status"], &["tenants", "--output", "yaml"]] {
        let output = stepgatectl(arguments, &[]);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            text(&output.stderr).starts_with("error: "),
            "{arguments:?}: {}",
            text(&output.stderr)
        );
    }
    let nowhere = stepgatectl(&["tenants"], &[]);
    assert_eq!(nowhere.status.code(), Some(2), "{}", text(&nowhere.stderr));
    assert!(
        text(&nowhere.stderr).contains("STEPGATE_URL"),
        "{}",
        text(&nowhere.stderr)
    );
}

#[test]
fn a_service_that_does_not_answer_exits_with_4() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let key = "sgk_aaaaaaaaaaaa_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    let output = stepgatectl(&["tenants"], &[("STEPGATE_URL", &url), ("STEPGATE_API_KEY", key)]);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    assert!(!text(&output.stderr).contains(key), "the key is shown");
}
