//! A session proof with tokens that Cognito no longer takes. The emulator takes revoked tokens as long as it does not
//! check its callers, so `GetUser` is answered in Cognito's words by a stand-in in front of it.

use crate::emulator;
use crate::runtime_api::Function;
use crate::tenant::{Tenant, events, fixture};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use openidconnect::core::{CoreJwsSigningAlgorithm, CoreRsaPrivateSigningKey};
use openidconnect::{JsonWebKeyId, PrivateSigningKey as _};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use step_up::reason::Reason;
use triggers::clock::{Clock as _, SystemClock};

const POOL: &str = "eu-central-1_Ab3dEfGh1";
const CLIENT: &str = "4kq7example2client9id0abc1";
const SUB: &str = "f3b5a1c2-7d4e-4f60-9a1b-2c3d4e5f6071";
const ACTION: &str = "transfer";

fn key() -> CoreRsaPrivateSigningKey {
    let pem = include_str!("../fixtures/keys/pool-rs256.pem");
    CoreRsaPrivateSigningKey::from_pem(pem, Some(JsonWebKeyId::new("pool-1".to_owned()))).expect("key")
}

/// A genuine access token of the pool's.
fn token() -> String {
    let now_s = SystemClock.now_unix_s();
    let claims = json!({
        "iss": format!("https://cognito-idp.eu-central-1.amazonaws.com/{POOL}"), "sub": SUB, "client_id": CLIENT,
        "token_use": "access", "iat": now_s - 60, "exp": now_s + 840, "jti": "x", "username": "ada",
    });
    let header = json!({"alg": "RS256", "kid": "pool-1"});
    let signed = format!(
        "{}.{}",
        B64.encode(header.to_string()),
        B64.encode(claims.to_string())
    );
    let algorithm = CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256;
    let signature = key().sign(&algorithm, signed.as_bytes()).expect("signature");
    format!("{signed}.{}", B64.encode(signature))
}

/// Status and body of `GetUser`.
type GetUser = Arc<Mutex<(u16, Value)>>;

/// Answers `GetUser` and the pool's keys; everything else is the emulator's. Returns its address.
fn stand_in(get_user: GetUser) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("address"));
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let get_user = Arc::clone(&get_user);
            std::thread::spawn(move || serve(stream, &get_user));
        }
    });
    address
}

fn serve(mut client: TcpStream, get_user: &GetUser) {
    let mut reader = BufReader::new(client.try_clone().expect("stream"));
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().expect("length");
        }
        // One request a connection, so that each is looked at.
        if !lower.starts_with("connection:") {
            if line.trim().is_empty() {
                head.push_str("Connection: close\r\n\r\n");
                break;
            }
            head.push_str(&line);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("body");
    let answer = if head.contains("AWSCognitoIdentityProviderService.GetUser") {
        let (status, body) = get_user.lock().unwrap().clone();
        Some((status, "application/x-amz-json-1.1", body.to_string()))
    } else if head.starts_with("GET ") && head.contains("/.well-known/jwks.json") {
        let mut public = serde_json::to_value(key().as_verification_key()).expect("JWK");
        public["alg"] = json!("RS256");
        Some((200, "application/json", json!({ "keys": [public] }).to_string()))
    } else {
        None
    };
    if let Some((status, content_type, text)) = answer {
        let reply = format!(
            "HTTP/1.1 {status} Answer\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
            text.len()
        );
        client.write_all(reply.as_bytes()).expect("reply");
        return;
    }
    let emulator = emulator::endpoint();
    let mut server = TcpStream::connect(emulator.trim_start_matches("http://").trim_end_matches('/'))
        .expect("the emulator");
    server.write_all(head.as_bytes()).expect("head");
    server.write_all(&body).expect("body");
    std::io::copy(&mut server, &mut client).expect("answer");
}

fn settings() -> Value {
    let nowhere = "http://127.0.0.1:9/oauth2/community/default/v1";
    json!({
        "schema_version": 1, "generation": 1, "tenant_id": crate::tenant::TENANT, "user_pool_id": POOL,
        "connection": {"tenant_dns": "127.0.0.1:9", "community": "default", "client_id": "acme-client"},
        "provider": {
            "issuer": nowhere, "authorization_endpoint": format!("{nowhere}/authorize"),
            "token_endpoint": format!("{nowhere}/token"), "jwks_uri": format!("{nowhere}/jwks"),
            "redirect_uri": "http://127.0.0.1:9/admin/default/post_stepup",
            "id_token_signing_algorithms": ["RS256"], "pkce_s256": true, "jwks": {"keys": []},
            "fetched_at_unix_s": 1,
        },
        "allowed_provider_networks": ["127.0.0.1/32"],
        "event_hash_key": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
    })
}

/// Whether the function takes the token as proof, in a round of its own.
fn proves(challenge: &Function, verify: &Function) -> Value {
    let made = challenge.invoke(&fixture("create_no_session")).expect("create");
    let public = &made["response"]["publicChallengeParameters"];
    assert_eq!(public["kind"], "session_proof", "{public}");
    let mut event = fixture("verify");
    event["request"]["privateChallengeParameters"] = made["response"]["privateChallengeParameters"].clone();
    event["request"]["clientMetadata"] = json!({"action": ACTION});
    let answer = json!({"access_token": token(), "action": ACTION});
    event["request"]["challengeAnswer"] = json!(answer.to_string());
    verify.invoke(&event).expect("verify never fails")["response"]["answerCorrect"].clone()
}

#[tokio::test]
async fn a_revoked_token_and_that_of_a_disabled_user_prove_nothing() {
    let user = json!({"Username": "ada", "UserAttributes": [{"Name": "sub", "Value": SUB}]});
    let get_user: GetUser = Arc::new(Mutex::new((200, user.clone())));
    let mut tenant = Tenant::with_actions(&settings(), &crate::tenant::required()).await;
    let address = stand_in(Arc::clone(&get_user));
    for (name, value) in &mut tenant.variables {
        if *name == "AWS_ENDPOINT_URL" {
            value.clone_from(&address);
        }
    }
    let (challenge, verify) = (tenant.start("challenge"), tenant.start("verify"));
    assert_eq!(proves(&challenge, &verify), json!(true), "the control");

    let refused = |kind: &str, message: &str| (400, json!({"__type": kind, "message": message}));
    let answers = [
        refused("NotAuthorizedException", "Access Token has been revoked"),
        refused("NotAuthorizedException", "User is disabled."),
        refused("UserNotFoundException", "User does not exist."),
        refused(
            "PasswordResetRequiredException",
            "Password reset required for the user",
        ),
    ];
    let count = answers.len();
    for answer in answers {
        let what = answer.1.to_string();
        *get_user.lock().unwrap() = answer;
        assert_eq!(proves(&challenge, &verify), json!(false), "{what}");
    }
    // Somebody else's user behind the same token, and no answer at all.
    let mut other = user;
    other["UserAttributes"][0]["Value"] = json!("another");
    *get_user.lock().unwrap() = (200, other);
    assert_eq!(proves(&challenge, &verify), json!(false));
    drop(challenge);
    let reasons: Vec<_> = events(&verify.stop())
        .iter()
        .filter_map(|event| event.reason)
        .collect();
    assert_eq!(reasons, vec![Reason::SessionProofInvalid; count + 1]);
}
