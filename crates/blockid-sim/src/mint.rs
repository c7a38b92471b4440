//! Tokens: claims as the switches want them, broken as the faults want them.
//!
//! The claims are put together as JSON and signed through `openidconnect`'s RSA key (or ring's P-256): the
//! library's own token type can express neither the forms that are to be tried nor the faults.

use crate::behaviour::{Behaviour, Fault, TimeForm, UsernameClaim, ValueForm};
use crate::chance;
use crate::keys::{KeyError, SigningKey, stranger};
use crate::state::{Code, Community, State};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// ACR value that asks for proofing, and how a level is written in `amr`.
const IAL_PREFIX: &str = "/assurance/ial/";

/// What a token call gets.
pub struct Tokens {
    /// The id_token.
    pub id_token: String,
    /// The access token, a JWT.
    pub access_token: String,
}

/// Makes the tokens for a redeemed code.
pub fn mint(
    state: &State,
    host: &str,
    issuer: &str,
    community: &Arc<Community>,
    code: &Code,
    faults: &[Fault],
) -> Result<Tokens, KeyError> {
    let behaviour = community.behaviour();
    let now = chance::now_unix_s();
    let key = if faults.contains(&Fault::RotatedKeys) {
        community.keys.rotate(false)?
    } else {
        community.keys.current()?
    };
    let mut claims = plain_claims(state, issuer, community, code, &behaviour, faults, now);
    for fault in faults {
        break_claims(fault, &mut claims, now);
    }
    let id_token = encode(state, host, community, &key, &Value::Object(claims), code, faults)?;
    let access = json!({
        "iss": issuer, "sub": community.subject(&code.user), "client_id": code.asked.client_id,
        "scope": "openid email profile", "iat": now, "exp": now + behaviour.id_token_lifetime_s,
    });
    let header = json!({ "alg": key.algorithm().name(), "kid": key.kid(), "typ": "at+jwt" });
    let access_token = sign_with(&key, &header, &access)?;
    Ok(Tokens {
        id_token,
        access_token,
    })
}

fn plain_claims(
    state: &State,
    issuer: &str,
    community: &Community,
    code: &Code,
    behaviour: &Behaviour,
    faults: &[Fault],
    now: i64,
) -> Map<String, Value> {
    let other = faults.iter().find_map(|fault| match fault {
        Fault::OtherUser(name) => state.user(community, name),
        _ => None,
    });
    let user = other.as_ref().unwrap_or(&code.user);
    let method = faults.iter().find_map(|fault| match fault {
        Fault::Method(method) => Some(method.as_str()),
        _ => None,
    });
    let method = method.unwrap_or(&code.method);
    let level = faults.iter().find_map(|fault| match fault {
        Fault::Ial(level) => Some(*level),
        _ => None,
    });
    let asked_proofing = code
        .asked
        .methods
        .iter()
        .any(|asked| asked.starts_with(IAL_PREFIX));
    let level = level.or(if asked_proofing { behaviour.ial } else { None });
    let mut amr = vec![method.to_owned()];
    if let Some(level) = level {
        amr.retain(|value| !value.starts_with(IAL_PREFIX));
        amr.push(format!("{IAL_PREFIX}{level}/"));
    }
    let mut claims = Map::new();
    let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    put("iss", issuer.into());
    put("sub", community.subject(user).into());
    put("aud", code.asked.client_id.clone().into());
    put("iat", now.into());
    put("exp", (now + behaviour.id_token_lifetime_s).into());
    put("email", user.email.clone().into());
    if let Some(verified) = behaviour.email_verified {
        put("email_verified", verified.into());
    }
    match behaviour.username_claim {
        UsernameClaim::Username => put("username", user.username.clone().into()),
        UsernameClaim::PreferredUsername => put("preferred_username", user.username.clone().into()),
        UsernameClaim::Absent => None,
    };
    match behaviour.auth_time {
        TimeForm::Number => put("auth_time", code.authenticated_at_unix_s.into()),
        TimeForm::Text => put("auth_time", code.authenticated_at_unix_s.to_string().into()),
        TimeForm::Absent => None,
    };
    if let Some(nonce) = code.asked.nonce.as_ref().filter(|_| behaviour.nonce_echo) {
        put("nonce", nonce.clone().into());
    }
    if let Some(value) = in_form(behaviour.acr, vec![method.to_owned()]) {
        put("acr", value);
    }
    if let Some(value) = in_form(behaviour.amr, amr) {
        put("amr", value);
    }
    claims
}

fn in_form(form: ValueForm, values: Vec<String>) -> Option<Value> {
    match form {
        ValueForm::Text => values.into_iter().next_back().map(Value::from),
        ValueForm::List => Some(values.into()),
        ValueForm::Absent => None,
    }
}

fn break_claims(fault: &Fault, claims: &mut Map<String, Value>, now: i64) {
    let mut put = |name: &str, value: Value| {
        claims.insert(name.to_owned(), value);
    };
    match fault {
        Fault::WrongIss => put("iss", "https://another.example.com".into()),
        Fault::WrongAud => put("aud", "another-client".into()),
        Fault::ExtraAud => {
            let own = claims["aud"].clone();
            claims.insert("aud".into(), json!([own, "another-client"]));
        }
        Fault::ListAud => {
            let own = claims["aud"].clone();
            claims.insert("aud".into(), json!([own]));
        }
        Fault::WrongAzp => put("azp", "another-client".into()),
        Fault::Expired => put("exp", (now - 1).into()),
        Fault::IssuedInFuture => {
            put("iat", (now + 600).into());
            put("exp", (now + 900).into());
        }
        Fault::OldIat => put("iat", (now - 600).into()),
        Fault::OldAuthTime => put("auth_time", (now - 86_400).into()),
        Fault::WrongNonce => put("nonce", "another-nonce".into()),
        Fault::Email(email) => put("email", email.clone().into()),
        Fault::EmailVerified(verified) => put("email_verified", (*verified).into()),
        Fault::MissingNonce => drop(claims.remove("nonce")),
        Fault::NoAcr => drop(claims.remove("acr")),
        Fault::NoAmr => drop(claims.remove("amr")),
        Fault::NoAuthTime => drop(claims.remove("auth_time")),
        _ => {}
    }
}

fn encode(
    state: &State,
    host: &str,
    community: &Arc<Community>,
    key: &SigningKey,
    claims: &Value,
    code: &Code,
    faults: &[Fault],
) -> Result<String, KeyError> {
    let header = |alg: &str, kid: Option<&str>| {
        let mut header = json!({ "alg": alg, "typ": "JWT" });
        if let Some(kid) = kid {
            header["kid"] = kid.into();
        }
        header
    };
    let own = header(key.algorithm().name(), Some(key.kid()));
    for fault in faults {
        return match fault {
            Fault::Garbled => Ok("this is not a token".to_owned()),
            Fault::AlgNone => Ok(format!("{}.", signing_input(&header("none", None), claims))),
            Fault::AlgHs256PublicKey => Ok(sign_hmac(
                key.public_text(),
                &header("HS256", Some(key.kid())),
                claims,
            )),
            Fault::AlgHs256ClientSecret => {
                let secret = community.client_secret(&code.asked.client_id).unwrap_or_default();
                Ok(sign_hmac(&secret, &header("HS256", None), claims))
            }
            Fault::UnknownKid => sign_with(key, &header(key.algorithm().name(), Some("no-such-key")), claims),
            Fault::NoKid => sign_with(key, &header(key.algorithm().name(), None), claims),
            Fault::BadSignature => {
                let token = sign_with(key, &own, claims)?;
                let (input, signature) = token.rsplit_once('.').unwrap_or_default();
                let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
                if let Some(byte) = bytes.last_mut() {
                    *byte ^= 1;
                }
                Ok(format!("{input}.{}", URL_SAFE_NO_PAD.encode(bytes)))
            }
            Fault::ForeignKey | Fault::ForeignKeySameKid => {
                let same_algorithm = |other: &Arc<Community>| {
                    other.name != community.name && other.keys.algorithm() == key.algorithm()
                };
                let neighbour = state.communities(host).into_iter().find(same_algorithm);
                let foreign = match &neighbour {
                    Some(neighbour) => &*neighbour.keys.current()?,
                    None => stranger(key.algorithm())?,
                };
                let kid = if *fault == Fault::ForeignKey {
                    foreign.kid()
                } else {
                    key.kid()
                };
                sign_with(foreign, &header(key.algorithm().name(), Some(kid)), claims)
            }
            _ => continue,
        };
    }
    sign_with(key, &own, claims)
}

fn signing_input(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

fn sign_with(key: &SigningKey, header: &Value, claims: &Value) -> Result<String, KeyError> {
    let input = signing_input(header, claims);
    let signature = URL_SAFE_NO_PAD.encode(key.sign(input.as_bytes())?);
    Ok(format!("{input}.{signature}"))
}

fn sign_hmac(secret: &str, header: &Value, claims: &Value) -> String {
    let input = signing_input(header, claims);
    let tag = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()),
        input.as_bytes(),
    );
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag))
}
