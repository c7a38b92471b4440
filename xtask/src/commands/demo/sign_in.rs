//! One sign-in, told step by step: password by SRP, step-up at the provider, tokens.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use cognito_srp::SrpClient;
use serde_json::{Value, json};

use super::cognito::{Answer, CognitoClient, Tokens};
use crate::http;

/// Who signs in where.
pub(super) struct SignIn<'a> {
    pub(super) aws_endpoint_url: &'a str,
    pub(super) blockid_url: &'a str,
    pub(super) user_pool_id: &'a str,
    pub(super) client_id: &'a str,
    pub(super) username: &'a str,
    pub(super) password: &'a str,
}

/// What a sign-in ends with.
pub(super) struct SignedIn {
    pub(super) id_token_claims: Value,
    /// What happened, a topic and a sentence each.
    pub(super) story: Vec<(&'static str, String)>,
}

impl SignIn<'_> {
    /// Signs in.
    pub(super) fn run(&self) -> anyhow::Result<SignedIn> {
        let mut story = Vec::new();
        let cognito = CognitoClient::new(self.aws_endpoint_url, self.client_id);
        let challenge = self.prove_password(&cognito, &mut story)?;
        let answer = self.step_up(&challenge, &mut story)?;
        let tokens = self.answer_step_up(&cognito, &challenge, &answer, &mut story)?;
        let id_token_claims = claims(&tokens.id_token).context("the ID token")?;
        tell_tokens(&tokens, &id_token_claims, &mut story)?;
        Ok(SignedIn {
            id_token_claims,
            story,
        })
    }

    /// `InitiateAuth` and the password's proof; ends with the step-up challenge.
    pub(super) fn prove_password(
        &self,
        cognito: &CognitoClient,
        story: &mut Vec<(&'static str, String)>,
    ) -> anyhow::Result<Answer> {
        let srp = SrpClient::new(
            self.username,
            self.password,
            self.user_pool_id,
            self.client_id,
            None,
        );
        let first = cognito.initiate(&srp.get_auth_params()?)?;
        expect_challenge(&first, "PASSWORD_VERIFIER")?;
        story.push((
            "define",
            "asks for the password before anything else (PASSWORD_VERIFIER)".to_owned(),
        ));
        let proof = srp.process_challenge(first.challenge_parameters.clone())?;
        let second = cognito.respond(&first, &proof)?;
        expect_challenge(&second, "CUSTOM_CHALLENGE")?;
        story.push((
            "password",
            format!("proven by SRP for {}; it never left this process", self.username),
        ));
        story.push((
            "define",
            "the policy requires a step-up (CUSTOM_CHALLENGE)".to_owned(),
        ));
        let shown = [
            "tenant",
            "community",
            "kosmos_clientId",
            "acr",
            "state",
            "journey_id",
            "authorize_url",
        ];
        for name in shown {
            let value = parameter(&second, name)?;
            story.push(("challenge", format!("{name} = {value}")));
        }
        Ok(second)
    }

    /// What the browser does at BlockID: opens the page, chooses a method, completes it; ends with what the page posts to its parent.
    fn step_up(&self, challenge: &Answer, story: &mut Vec<(&'static str, String)>) -> anyhow::Result<Value> {
        let agent = http::agent(Duration::from_secs(20));
        let authorize_url = parameter(challenge, "authorize_url")?;
        let mut page = agent
            .get(authorize_url)
            .call()
            .context("BlockID's authorize page got no answer")?;
        let html = page.body_mut().read_to_string()?;
        if !page.status().is_success() {
            bail!(
                "BlockID's authorize page was answered with {}: {html}",
                page.status()
            );
        }
        let methods = methods_on_page(&html);
        let method = methods
            .first()
            .context("BlockID's authorize page offers no method")?;
        story.push(("BlockID", format!("its page offers: {}", methods.join(", "))));
        let answer = self.complete(challenge, method, &[])?;
        let code = answer["code"]
            .as_str()
            .with_context(|| format!("the step-up gave no code: {answer}"))?;
        story.push((
            "BlockID",
            format!("{} completes it with: {method}", self.username),
        ));
        story.push((
            "code",
            format!(
                "{} (single use), handed to the app with the state",
                shortened(code)
            ),
        ));
        Ok(answer)
    }

    /// Has the simulator complete a step-up as a person would, with what goes wrong with it; ends with what the page posts.
    pub(super) fn complete(
        &self,
        challenge: &Answer,
        method: &str,
        faults: &[Value],
    ) -> anyhow::Result<Value> {
        let request = json!({
            "authorize_url": parameter(challenge, "authorize_url")?, "username": self.username, "method": method,
            "outcome": "success", "faults": faults,
        });
        let mut done = http::agent(Duration::from_secs(20))
            .post(format!("{}/sim/step-ups", self.blockid_url))
            .send_json(&request)?;
        let text = done.body_mut().read_to_string()?;
        if !done.status().is_success() {
            bail!("the step-up was answered with {}: {text}", done.status());
        }
        serde_json::from_str(&text).context("the step-up was not answered with JSON")
    }

    /// The challenge's answer; ends with tokens.
    pub(super) fn answer_step_up(
        &self,
        cognito: &CognitoClient,
        challenge: &Answer,
        answer: &Value,
        story: &mut Vec<(&'static str, String)>,
    ) -> anyhow::Result<Tokens> {
        let username = challenge.challenge_parameters.get("USERNAME").cloned();
        let responses = HashMap::from([
            (
                "USERNAME".to_owned(),
                username.unwrap_or_else(|| self.username.to_owned()),
            ),
            ("ANSWER".to_owned(), answer.to_string()),
        ]);
        let last = cognito.respond(challenge, &responses)?;
        let Some(tokens) = last.authentication_result else {
            bail!(
                "verify did not accept the step-up: Cognito asks for {:?} instead of giving tokens",
                last.challenge_name
            );
        };
        story.push((
            "verify",
            "exchanged the code, checked the ID token of BlockID and that it is about this user".to_owned(),
        ));
        story.push((
            "gate",
            "found verify's grant and let the tokens be made".to_owned(),
        ));
        Ok(tokens)
    }
}

fn tell_tokens(tokens: &Tokens, id: &Value, story: &mut Vec<(&'static str, String)>) -> anyhow::Result<()> {
    let access = claims(&tokens.access_token).context("the access token")?;
    let refresh = if tokens.refresh_token.is_some() {
        "ID, access and refresh token"
    } else {
        "ID and access token"
    };
    story.push(("tokens", format!("{refresh}, {} s", tokens.expires_in)));
    for (name, token) in [("ID token", id), ("access token", &access)] {
        for (claim, value) in token.as_object().into_iter().flatten() {
            story.push((name, format!("{claim} = {value}")));
        }
    }
    Ok(())
}

fn expect_challenge(answer: &Answer, expected: &str) -> anyhow::Result<()> {
    if answer.challenge_name.as_deref() == Some(expected) {
        return Ok(());
    }
    let tokens = if answer.authentication_result.is_some() {
        " and gave tokens"
    } else {
        ""
    };
    bail!(
        "expected the challenge {expected}; Cognito answered {:?}{tokens}",
        answer.challenge_name
    );
}

fn parameter<'a>(answer: &'a Answer, name: &str) -> anyhow::Result<&'a str> {
    let found = answer.challenge_parameters.get(name);
    Ok(found.with_context(|| format!("the challenge has no parameter {name}"))?)
}

/// The values of the page's radio buttons called `method`.
fn methods_on_page(html: &str) -> Vec<String> {
    html.split("<input")
        .skip(1)
        .filter_map(|input| {
            let tag = input.split('>').next()?;
            tag.contains("name=\"method\"").then(|| {
                tag.split("value=\"")
                    .nth(1)?
                    .split('"')
                    .next()
                    .map(ToOwned::to_owned)
            })?
        })
        .collect()
}

/// The claims of a JWT, unverified: they are only shown.
fn claims(token: &str) -> anyhow::Result<Value> {
    let payload = token.split('.').nth(1).context("is not a JWT")?;
    let bytes = BASE64_URL_SAFE_NO_PAD
        .decode(payload.trim_end_matches('='))
        .context("is not a JWT")?;
    serde_json::from_slice(&bytes).context("has no JSON claims")
}

fn shortened(code: &str) -> String {
    let start: String = code.chars().take(8).collect();
    format!("{start}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_read_from_the_page() {
        let html = r#"<input type="radio" name="method" value="liveID push" checked><input name="other" value="x">
            <label><input type="radio" name="method" value="otp"> code</label>"#;
        assert_eq!(methods_on_page(html), ["liveID push", "otp"]);
        assert!(methods_on_page("<p>nothing</p>").is_empty());
    }

    #[test]
    fn claims_are_decoded_without_padding() {
        let token = format!("h.{}.s", BASE64_URL_SAFE_NO_PAD.encode(r#"{"sub":"x"}"#));
        assert_eq!(claims(&token).unwrap()["sub"], "x");
        assert!(claims("nonsense").is_err());
    }
}
