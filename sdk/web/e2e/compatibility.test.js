/**
 * 1Kosmos's own browser library and the official sample's page logic, against our triggers. The page is written from what is published
 * about them: the library builds the authorize URL from the public challenge parameters, appends a frame, and hands the data of the first
 * message to a callback; the sample answers the challenge with the JSON text of it.
 */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { require } from "../test/tools.js";
import { readFileSync } from "node:fs";
import { PASSWORD, completeStepUp, makeApp, makeUser, open, serve, system } from "./support.js";

const METHODS = ["liveID push", "otp sms", "otp email", "otp"];
const LIBRARY = readFileSync(require.resolve("amazon-cognito-identity-js/dist/amazon-cognito-identity.min.js"), "utf8");

const PAGE = `<!doctype html><html lang="en"><title>Sample</title><div id="block"></div><p id="message"></p>
<script src="/library.js"></script><script>
  // Over HTTP here, because the simulator is on loopback; the library itself writes https.
  const BIDStepup = { stepup(element, tenant, community, clientId, username, state, acr, callback) {
    const values = acr.split(",").map((method) => method.trim().replace(/^'|'$/g, ""));
    const claims = JSON.stringify({ id_token: { username, acr: { essential: true, values } } });
    const redirect = "http://" + tenant + "/admin/" + community + "/post_stepup";
    const frame = document.createElement("iframe");
    frame.src = "http://" + tenant + "/oauth2/community/" + community + "/v1/authorize?response_type=code&client_id=" + clientId +
      "&redirect_uri=" + encodeURIComponent(redirect) + "&scope=" + encodeURIComponent("openid email profile") + "&state=" + state +
      "&claims=" + encodeURIComponent(claims);
    element.append(frame);
    addEventListener("message", (event) => callback(event.data), { once: true });
  } };
  const { CognitoUserPool, CognitoUser, AuthenticationDetails } = AmazonCognitoIdentity;
  globalThis.run = ({ UserPoolId, ClientId, endpoint, username, password, acr }) => new Promise((resolve) => {
    const Pool = new CognitoUserPool({ UserPoolId, ClientId, endpoint });
    const user = new CognitoUser({ Username: username, Pool });
    user.setAuthenticationFlowType("CUSTOM_AUTH");
    const callbacks = {
      onSuccess: (session) => resolve({ acr: session.getIdToken().payload.stepup_acr }),
      onFailure: (error) => resolve({ error: error.code }),
      customChallenge: (p) => BIDStepup.stepup(document.getElementById("block"), p.tenant, p.community, p.kosmos_clientId, p.username, p.state,
        acr ?? p.acr, (data) => user.sendCustomChallengeAnswer(JSON.stringify(data), callbacks)),
    };
    user.authenticateUser(new AuthenticationDetails({ Username: username, Password: password }), callbacks);
  });
</script>`;

const policy = (binding) => ({ schema_version: 1, rules: [], default: { step_up: "required", methods: METHODS, attempts: 2, binding } });
let stateOnly;
before(async () => {
  stateOnly = await makeApp({ name: "Older page", policy: policy("state_only") });
});

async function run(context, clientId, { method = "otp", acr } = {}) {
  const page = await open(context, { url: await serve(context, { "/": PAGE, "/library.js": LIBRARY }) });
  const username = await makeUser("older");
  const settings = { UserPoolId: system.user_pool_id, ClientId: clientId, endpoint: system.aws_endpoint_url, username, password: PASSWORD, acr };
  const ended = page.evaluate((given) => globalThis.run(given), settings);
  await completeStepUp(page, method);
  return ended;
}

test("1Kosmos's library and the sample's page sign in where the policy binds by state alone", async (context) => {
  assert.deepEqual(await run(context, stateOnly.client_id), { acr: "otp" });
});

test("with them a rule that wants the nonce refuses, because they send none", async (context) => {
  const { error } = await run(context, system.client_id);
  assert.equal(error, "NotAuthorizedException");
});

test("with them a method list changed in the page is of no use", async (context) => {
  const strict = await makeApp({ name: "Older page, other methods", policy: policy("state_only") });
  const { error, acr } = await run(context, strict.client_id, { acr: "'pin'", method: "pin" });
  assert.deepEqual([error, acr], ["NotAuthorizedException", undefined]);
});
