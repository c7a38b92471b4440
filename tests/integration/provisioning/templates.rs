//! The templates are valid by CloudFormation's own schemas.

use crate::support::env::required;
use std::{path::Path, process::Command};

#[test]
fn templates_pass_cfn_lint() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/provisioning/templates");
    // Beside the interpreter of its virtual environment.
    let cfn_lint = Path::new(&required("STEPGATE_TEST_PYTHON")).with_file_name("cfn-lint");
    let output = Command::new(cfn_lint)
        .args(["--include-checks", "I", "--"])
        .args(["tenant", "cell", "standalone", "access"].map(|name| format!("{folder}/{name}.yaml")))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
