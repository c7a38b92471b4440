//! The guide `docs/api.md`: its commands are run as they stand there, against a whole installation.

use crate::installation;
use std::{path::Path, process::Command};

/// The `sh` blocks of a page, in order.
fn commands(page: &str) -> String {
    let blocks = page.split("```").skip(1).step_by(2);
    blocks
        .filter_map(|block| block.strip_prefix("sh\n"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_commands_of_the_guide_work_one_after_the_other() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md")).unwrap();
    let script = format!("set -euo pipefail\n{}", commands(&page));
    assert!(
        script.matches("stepgatectl ").count() > 25,
        "the guide has lost its commands"
    );
    installation::run(|installation| async move {
        // Beside the service's own program, whose build made all of them.
        let programs = Path::new(env!("CARGO_BIN_EXE_stepgate")).parent().unwrap();
        assert!(programs.join("stepgatectl").exists(), "stepgatectl is not built");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("guide-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(
            folder.join("secret.txt"),
            format!("{}\n", installation.client_secret),
        )
        .unwrap();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("bash");
        command
            .args(["-c", &script])
            .current_dir(&folder)
            .env("PATH", path)
            .env(
                "STEPGATE_URL",
                installation.api_url().as_str().trim_end_matches('/'),
            )
            .env("STEPGATE_API_KEY", installation.operator_key())
            .env("TENANT_DNS", installation.tenant_dns());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap();
        let (said, complained) = (
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        );
        assert!(output.status.success(), "{said}\n{complained}");
        for expected in [
            "user_pool",
            "Content-Security-Policy",
            "Amplify.configure",
            "acceptable",
            "decides",
            "\"kind\": \"changed\"",
            "version 2 says so already",
            "client_secret",
            "change done",
            "abandoned",
        ] {
            let written = std::fs::read_to_string(folder.join("onboarded.json")).unwrap();
            assert!(
                said.contains(expected) || written.contains(expected),
                "{expected} was not shown:\n{said}"
            );
        }
        // Progress is told where it does not get in the way of results.
        assert!(
            complained.contains("tenant_stack") && !said.contains("  running "),
            "{complained}"
        );
        for file in std::fs::read_dir(&folder).unwrap().flatten() {
            let text = std::fs::read_to_string(file.path()).unwrap();
            let is_given = file.file_name() == "secret.txt";
            assert_eq!(
                text.contains(&installation.client_secret),
                is_given,
                "{:?}",
                file.path()
            );
        }
        assert!(
            !said.contains(&installation.client_secret) && !complained.contains(&installation.client_secret)
        );
        std::fs::remove_dir_all(&folder).unwrap();
    });
}
