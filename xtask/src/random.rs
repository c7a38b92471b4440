//! Passwords and names that nobody can guess.

use std::fs::File;
use std::io::Read as _;

use anyhow::Context as _;

use crate::context::hex;

/// `2 * bytes` hex digits from the operating system's random source.
pub(crate) fn random_hex(bytes: usize) -> anyhow::Result<String> {
    let mut buffer = vec![0_u8; bytes];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut buffer))
        .context("cannot read /dev/urandom")?;
    Ok(hex(&buffer))
}
