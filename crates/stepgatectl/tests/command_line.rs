//! The program as it is called: exit codes, completion, and what it does before it asks anybody.

use std::process::Command;

/// The program without anything that the environment would say.
fn stepgatectl(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stepgatectl"));
    command.args(arguments).env_clear();
    command
}

#[test]
fn help_names_every_command_and_completion_is_a_script() {
    let help = stepgatectl(&["--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for name in [
        "onboard",
        "rotate",
        "blockid",
        "step-up",
        "policy",
        "rollout",
        "operations",
        "alarms",
    ] {
        assert!(help.contains(&format!("\n  {name}")), "{name}: {help}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = stepgatectl(&["completion", shell]).output().unwrap();
        assert!(script.status.success());
        assert!(
            String::from_utf8_lossy(&script.stdout).contains("rotate"),
            "{shell}"
        );
    }
}

#[test]
fn what_is_missing_is_said_with_exit_code_2() {
    for (arguments, said) in [
        (vec!["blockid", "check", "tnt_1"], "where is the API?"),
        (vec!["rotate", "tnt_1"], "--client-secret-file"),
        (vec!["rotate", "tnt_1", "--client-secret", "s"], "--client-secret"),
        (
            vec![
                "policy",
                "diff",
                "tnt_1",
                "app_1",
                "--version",
                "2",
                "--document",
                "p.json",
            ],
            "cannot be used with",
        ),
    ] {
        let output = stepgatectl(&arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(said), "{arguments:?}: {text}");
    }
}

#[test]
fn a_key_goes_over_plain_http_to_this_machine_only_and_no_answer_is_exit_code_4() {
    let call = |url: &str| {
        stepgatectl(&["step-up", "report"])
            .env("STEPGATE_URL", url)
            .env("STEPGATE_API_KEY", "sgk_of_nobody")
            .output()
            .unwrap()
    };
    let refused = call("http://stepgate.example");
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("in the clear"));
    // Nothing listens at port 1.
    let unheard = call("http://127.0.0.1:1");
    assert_eq!(unheard.status.code(), Some(4));
    assert!(!String::from_utf8_lossy(&unheard.stderr).contains("sgk_of_nobody"));
}

#[test]
fn a_file_that_cannot_be_read_is_named_before_anybody_is_asked() {
    let output = stepgatectl(&["rotate", "tnt_1", "--client-secret-file", "/nowhere/secret.txt"])
        .env("STEPGATE_URL", "http://127.0.0.1:1")
        .env("STEPGATE_API_KEY", "sgk_of_nobody")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nowhere/secret.txt cannot be read"));
}
