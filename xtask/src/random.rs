//! Passwords, keys and names that nobody can guess.

use std::fs::File;
use std::io::Read as _;

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::context::hex;

/// `2 * bytes` hex digits from the operating system's random source.
pub(crate) fn random_hex(bytes: usize) -> anyhow::Result<String> {
    Ok(hex(&random(bytes)?))
}

/// A number below `limit`, which is 1 at least and small.
pub(crate) fn random_below(limit: u16) -> anyhow::Result<u16> {
    let bytes = random(4)?;
    let number = bytes
        .iter()
        .fold(0_u32, |number, byte| (number << 8) | u32::from(*byte));
    Ok(u16::try_from(number % u32::from(limit.max(1))).unwrap_or_default())
}

/// So many bytes in base64.
pub(crate) fn random_base64(bytes: usize) -> anyhow::Result<String> {
    Ok(BASE64_STANDARD.encode(random(bytes)?))
}

fn random(bytes: usize) -> anyhow::Result<Vec<u8>> {
    let mut buffer = vec![0_u8; bytes];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut buffer))
        .context("cannot read /dev/urandom")?;
    Ok(buffer)
}
