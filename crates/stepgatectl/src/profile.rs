//! Where the API is and with which key: from the environment, else from a profile.

use anyhow::{Context as _, bail};
use secrecy::SecretString;
use serde::Deserialize;
use std::{collections::BTreeMap, env, path::PathBuf};
use stepgate_client::Client;
use url::Url;

/// A section of the profiles file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    url: String,
    api_key_file: PathBuf,
}

/// A client for the profile of that name, or for what the environment says.
pub(crate) fn client(profile: Option<&str>) -> anyhow::Result<Client> {
    let profile = profile.map(read).transpose()?;
    let given = |name| env::var(name).ok().filter(|value| !value.is_empty());
    let url = given("STEPGATE_URL").or_else(|| profile.as_ref().map(|profile| profile.url.clone()));
    let url = url.context("where is the API? Set STEPGATE_URL, or name a profile")?;
    let url: Url = url
        .parse()
        .with_context(|| format!("`{url}` is not an address"))?;
    let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if url.scheme() != "https" && !(url.scheme() == "http" && local) {
        bail!("{url} would carry the key in the clear: use https (plain http only for this machine)");
    }
    let file = given("STEPGATE_API_KEY_FILE")
        .map(PathBuf::from)
        .or_else(|| profile.map(|profile| profile.api_key_file));
    let key = match (given("STEPGATE_API_KEY"), file) {
        (Some(key), _) => key,
        (None, Some(file)) => std::fs::read_to_string(&file)
            .with_context(|| format!("the key cannot be read from {}", file.display()))?,
        (None, None) => {
            bail!("with which key? Set STEPGATE_API_KEY or STEPGATE_API_KEY_FILE, or name a profile")
        }
    };
    Ok(Client::new(url, SecretString::from(key.trim().to_owned()))?)
}

fn read(name: &str) -> anyhow::Result<Profile> {
    let folder = env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")))
        .context("there is no home folder to look for profiles in")?;
    let path = folder.join("stepgate/profiles.toml");
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let mut profiles: BTreeMap<String, Profile> =
        toml::from_str(&text).with_context(|| format!("{} is not a file of profiles", path.display()))?;
    profiles
        .remove(name)
        .with_context(|| format!("{} has no profile `{name}`", path.display()))
}
