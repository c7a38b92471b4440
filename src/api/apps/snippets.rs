//! Code to paste: what the common libraries need to sign users in through one app.
//!
//! Values go in as JSON strings, so that nothing a caller chose can leave its quotes.

use crate::domain::{app::App, tenant::Tenant};
use serde::Serialize;
use serde_json::json;

/// Code for one library.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Snippet {
    /// Stable code of the snippet.
    #[schema(example = "amplify")]
    pub id: &'static str,
    /// For people.
    #[schema(example = "AWS Amplify 6")]
    pub title: &'static str,
    /// Language of the code.
    #[schema(example = "javascript")]
    pub language: &'static str,
    /// The code.
    pub code: String,
}

/// Snippets of an app; none until pool and client are there.
pub(super) fn all(tenant: &Tenant, app: &App, state_only: bool) -> Vec<Snippet> {
    let (Some(user_pool_id), Some(client_id)) = (&tenant.user_pool_id, &app.client_id) else {
        return Vec::new();
    };
    let fill = |code: &str| {
        code.replace("$REGION", &json!(tenant.region).to_string())
            .replace("$POOL", &json!(user_pool_id).to_string())
            .replace("$CLIENT", &json!(client_id).to_string())
    };
    let snippet = |id, title, code: &str| Snippet {
        id,
        title,
        language: "javascript",
        code: fill(code),
    };
    let mut snippets = vec![
        snippet("amplify", "AWS Amplify 6 with @stepgate/web", AMPLIFY),
        snippet(
            "amazon-cognito-identity-js",
            "amazon-cognito-identity-js with @stepgate/web",
            IDENTITY_JS,
        ),
        snippet("web", "@stepgate/web under a library of your own", WEB),
    ];
    if let Some(return_url) = &app.settings.return_url {
        let mut redirect = snippet("redirect", "A step-up on a page of its own", REDIRECT);
        redirect.code = redirect.code.replace("$RETURN", &json!(return_url).to_string());
        snippets.push(redirect);
    }
    if app.settings.action_step_up {
        snippets.push(snippet("action", "A step-up for one action", ACTION));
    }
    if state_only {
        snippets.push(snippet("bidstepup", "1Kosmos's own script", BID_STEP_UP));
    }
    snippets
}

const AMPLIFY: &str = r#"import { Amplify } from "aws-amplify";
import * as auth from "aws-amplify/auth";
import { signIn } from "@stepgate/web/amplify";

Amplify.configure({
  Auth: { Cognito: { userPoolId: $POOL, userPoolClientId: $CLIENT } },
});

// Password by SRP, then the step-up in a frame inside the container.
await signIn({ auth, username, password, container: document.getElementById("step-up") });
const { tokens } = await auth.fetchAuthSession();
"#;

const IDENTITY_JS: &str = r#"import { AuthenticationDetails, CognitoUser, CognitoUserPool } from "amazon-cognito-identity-js";
import { signIn } from "@stepgate/web/amazon-cognito-identity-js";

const Pool = new CognitoUserPool({ UserPoolId: $POOL, ClientId: $CLIENT });
const user = new CognitoUser({ Username: username, Pool });
const details = new AuthenticationDetails({ Username: username, Password: password });

// The adapter sets the flow CUSTOM_AUTH: the client allows no other.
const session = await signIn({ user, details, container: document.getElementById("step-up") });
"#;

const WEB: &str = r#"import { isStepUp, stepUp } from "@stepgate/web";

const abort = new AbortController(); // abort.abort() takes the frame away
// Settings of whatever speaks to Cognito; the flow is CUSTOM_AUTH with CHALLENGE_NAME=SRP_A, the client has no secret.
const cognito = { region: $REGION, userPoolId: $POOL, clientId: $CLIENT };

// challengeParameters: those of CUSTOM_CHALLENGE, as Cognito gave them.
if (isStepUp(challengeParameters)) {
  const { answer, clientMetadata } = await stepUp({
    challenge: challengeParameters,
    container: document.getElementById("step-up"),
    signal: abort.signal,
    onMethod: (methods) => undefined, // or one of them
  });
  // RespondToAuthChallenge: ChallengeResponses.ANSWER = answer, ClientMetadata = clientMetadata
}
"#;

const REDIRECT: &str = r#"import { AuthenticationDetails, CognitoUser, CognitoUserPool } from "amazon-cognito-identity-js";
import { isRedirectReturn } from "@stepgate/web";
import { resumeSignIn, signIn } from "@stepgate/web/amazon-cognito-identity-js";

const Pool = new CognitoUserPool({ UserPoolId: $POOL, ClientId: $CLIENT });
const userOf = (Username) => new CognitoUser({ Username, Pool });

// On the page $RETURN, which BlockID must know as a redirect URI of the client.
if (isRedirectReturn()) {
  const session = await resumeSignIn({ userOf });
}

// Where the frame is blocked: the user leaves the app, and comes back to that page.
const details = new AuthenticationDetails({ Username: username, Password: password });
await signIn({ user: userOf(username), details, container: document.body, redirect: true });
"#;

const ACTION: &str = r#"import { fetchWithStepUp } from "@stepgate/web";

// What the user was shown, as texts: the SDK steps up for nothing else.
const transaction = { to: "DE02 1203", amount: "12.50", currency: "EUR" };
// Calls an API that answers 401 with a step-up challenge (RFC 9470), steps the user up for the action, and calls it again.
const body = JSON.stringify(transaction);
const answer = await fetchWithStepUp("https://api.example/transfers", { method: "POST", body }, {
  cognito: { region: $REGION, clientId: $CLIENT },
  accessToken, // of the session
  transaction,
  container: document.getElementById("step-up"),
});
"#;

const BID_STEP_UP: &str = r#"// After CUSTOM_CHALLENGE, with the public challenge parameters as they came. Unchanged from 1Kosmos's sample, and only
// for as long as the policy says "binding": "state_only".
const settings = { region: $REGION, userPoolId: $POOL, clientId: $CLIENT };
const { tenant, community, kosmos_clientId, acr, state } = challengeParameters;
BIDStepup.stepup(element, tenant, community, kosmos_clientId, username, state, acr, (data) => {
  // RespondToAuthChallenge: ChallengeResponses.ANSWER = data as JSON text
  respond(JSON.stringify(data));
});
"#;
