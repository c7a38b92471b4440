//! The decision logic stays pure: no web server, database, AWS, runtime or clock below it, and none asked in its source.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Beginnings of names of packages that have no business below `step-up`.
const FOREIGN: [&str; 13] = [
    "actix",
    "sqlx",
    "aws-",
    "tokio",
    "reqwest",
    "hyper",
    "chrono",
    "time",
    "rand",
    "getrandom",
    "openidconnect",
    "lambda_runtime",
    "rustls",
];
/// What asks the machine for the time.
const CLOCKS: [&str; 4] = ["SystemTime", "Instant::now", "Utc::now", "elapsed()"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn nothing_below_it_does_io_or_knows_the_time() {
    let tree = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "tree",
            "--offline",
            "--locked",
            "--package",
            "step-up",
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let names: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains(&"step-up") && names.contains(&"serde"), "{tree}");
    let foreign: Vec<&&str> = names
        .iter()
        .filter(|name| {
            FOREIGN
                .iter()
                .any(|foreign| *name == foreign || (foreign.len() > 4 && name.starts_with(foreign)))
                || name.starts_with("aws-")
        })
        .collect();
    assert!(foreign.is_empty(), "step-up depends on {foreign:?}");
}

#[test]
fn its_source_asks_no_clock() {
    let mut folders = vec![root().join("crates/step-up/src")];
    let mut looked_at = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            looked_at += 1;
            for clock in CLOCKS {
                assert!(!text.contains(clock), "{} asks {clock}", path.display());
            }
        }
    }
    assert!(looked_at > 20, "only {looked_at} files");
}
