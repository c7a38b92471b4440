//! Where the services are that tests need.

use std::path::Path;

/// A setting of the test environment; fails with the command that provides it.
pub(crate) fn required(name: &str) -> String {
    optional(name).unwrap_or_else(|| {
        panic!("{name} is not set and not in .stepgate/services.env: run `cargo xtask services` in another terminal, or `cargo xtask test`")
    })
}

/// A setting of the test environment, if there is one.
pub(crate) fn optional(name: &str) -> Option<String> {
    std::env::var(name).ok().or_else(|| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(".stepgate/services.env");
        let text = std::fs::read_to_string(file).ok()?;
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
    })
}
