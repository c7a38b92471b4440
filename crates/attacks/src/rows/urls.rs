//! User names are text inside the authorize URL, whatever they contain.

use crate::bench::Bench;
use crate::functions::Trigger;
use crate::outcome::{Outcome, Trials};
use crate::recorded::{Scene, after_password};
use crate::sdk;
use anyhow::Context as _;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use url::Url;

const NAMES: [&str; 12] = [
    "a&acr_values=otp email&state=x",
    "a#fragment",
    "a?client_id=other",
    "a=b;c=d",
    "o'hara\"}},\"acr\":{\"essential\":false}",
    "back\\slash%26%00",
    "../../other/v1/authorize",
    "two words\tand\na line",
    "crab🦀emoji",
    "\u{202e}gnp.exe\u{2066}",
    "zero\u{200b}width\u{0}null",
    "ünïcødé@münchen.example",
];

/// A21: what the names do to the URL. Most of them Cognito itself would refuse today; the trigger gets them
/// as recorded events, because an attribute may name the user to BlockID as well.
pub(super) async fn a21(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let app = bench.main_app();
    let user = bench.user().await?;
    let plain = parameters(bench, &bench.scene(&app, &user)).await?;
    let mut challenges = Vec::new();
    for name in NAMES {
        let scene = Scene {
            user_name: name.to_owned(),
            ..bench.scene(&app, &user)
        };
        let (url, public) = parameters(bench, &scene).await?;
        let same_place = url.origin() == plain.0.origin() && url.path() == plain.0.path();
        trials.holds(name, same_place && url.fragment().is_none(), "same place");
        trials.holds(name, names(&url) == names(&plain.0), "no parameter added");
        let claims = url
            .query_pairs()
            .find(|(key, _)| key == "claims")
            .context("no claims")?
            .1
            .into_owned();
        let claims: Value = serde_json::from_str(&claims).context("the claims are not JSON")?;
        trials.holds(name, claims["id_token"]["username"] == name, "encoded");
        trials.holds(
            name,
            claims["id_token"]["acr"]["essential"] == true,
            "acr essential",
        );
        trials.holds(name, public["username"] == name, "handed over as it is");
        challenges.push(json!({ "name": name, "challenge": public }));
    }
    // What the app's page makes of them.
    for trial in sdk::run(&json!({ "challenges": challenges })).await?.trials {
        trials.by_sdk(&trial.what, trial.refused, &trial.reason);
    }
    Ok(trials.outcome())
}

async fn parameters(bench: &Bench, scene: &Scene) -> anyhow::Result<(Url, Value)> {
    let created = bench
        .invoke(Trigger::Create, &scene.create(&after_password()))
        .await?
        .payload;
    let public = created["response"]["publicChallengeParameters"].clone();
    let url = public["authorize_url"].as_str().context("no authorize_url")?;
    Ok((Url::parse(url)?, public))
}

fn names(url: &Url) -> (usize, BTreeSet<String>) {
    let all: Vec<String> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
    (all.len(), all.into_iter().collect())
}
