import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { actionRef, claimsOf, fetchWithStepUp, stepUpForAction } from "../src/index.js";
import { Page, challengeOf } from "./page.js";

const jwt = (claims) => `h.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.s`;
const SESSION = jwt({ username: "ada", name: "Zoë 🦀" });
const ACTION = jwt({ username: "ada", stepup_action: "transfer" });
const TRANSACTION = { to: "DE02 1203", amount: "12.50", currency: "EUR" };
const cognito = { clientId: "client", endpoint: "https://cognito.example/" };
const realFetch = globalThis.fetch;
let page;
let calls;
let answers;

beforeEach(() => {
  page = new Page();
  calls = [];
  const proof = { ChallengeName: "CUSTOM_CHALLENGE", Session: "s1", ChallengeParameters: { USERNAME: "ada", kind: "session_proof", journey_id: "jrn_1" } };
  const asked = { ChallengeName: "CUSTOM_CHALLENGE", Session: "s2", ChallengeParameters: { USERNAME: "ada", ...challengeOf() } };
  const tokens = { AuthenticationResult: { AccessToken: ACTION, IdToken: "id", ExpiresIn: 900, RefreshToken: "never looked at" } };
  answers = [proof, asked, tokens];
  globalThis.fetch = async (input, init = {}) => {
    const url = String(input);
    if (!url.startsWith(cognito.endpoint)) return api(init);
    calls.push({ operation: init.headers["x-amz-target"].split(".")[1], body: JSON.parse(init.body) });
    const next = answers.shift();
    if (next instanceof Error) throw next;
    return Response.json(next, { status: next.status ?? 200 });
  };
});

afterEach(() => {
  globalThis.fetch = realFetch;
});

let wanted;
let seen;
beforeEach(() => {
  seen = [];
  wanted = 'Bearer error="insufficient_user_authentication", stepup_action="transfer", acr_values="liveID%20push"';
});
function api(init) {
  const token = new Headers(init.headers).get("authorization");
  seen.push(token);
  if (token === `Bearer ${ACTION}`) return new Response("done", { status: 201 });
  return new Response("", { status: 401, headers: { "www-authenticate": wanted } });
}

/** Answers the frame as soon as it is there. */
async function answered(promise, data = { code: "code-1", state: "state-1" }) {
  promise.catch(() => {});
  for (let turn = 0; turn < 200 && !page.frame; turn += 1) await new Promise((resolve) => setTimeout(resolve, 1));
  if (page.frame) page.post(data);
  return promise;
}

const code = (expected) => (error) => error.code === expected || assert.fail(`${error.code}: ${error.message}`);

test("the session is proven, then the action stepped up for, and the session stays as it is", async () => {
  const tokens = await answered(stepUpForAction({ cognito, accessToken: SESSION, action: "transfer", transaction: TRANSACTION, container: page.container }));
  assert.deepEqual(tokens, { accessToken: ACTION, idToken: "id", expiresInS: 900 });
  const hash = await actionRef(TRANSACTION);
  assert.deepEqual(calls.map((call) => call.operation), ["InitiateAuth", "RespondToAuthChallenge", "RespondToAuthChallenge"]);
  assert.deepEqual(calls[0].body, { ClientId: "client", AuthFlow: "CUSTOM_AUTH", AuthParameters: { USERNAME: "ada" } });
  assert.deepEqual(JSON.parse(calls[1].body.ChallengeResponses.ANSWER), { access_token: SESSION, action: "transfer" });
  assert.deepEqual(calls[1].body.ClientMetadata, { action: "transfer", action_ref: hash });
  assert.equal(calls[2].body.Session, "s2");
  assert.deepEqual(calls[2].body.ClientMetadata, { action: "transfer", action_ref: hash, journey_id: "jrn_1" });
});

test("the one method that the API takes is asked for", async () => {
  await answered(stepUpForAction({ cognito, accessToken: SESSION, action: "transfer", acrValues: ["liveID push"], container: page.container }));
  assert.deepEqual(JSON.parse(new URL(page.frame.src).searchParams.get("claims")).id_token.acr.values, ["liveID push"]);
});

test("an API that takes no method of the policy gets no step-up", async () => {
  await assert.rejects(
    stepUpForAction({ cognito, accessToken: SESSION, action: "transfer", acrValues: ["fido2"], container: page.container }),
    code("sign_in_required"),
  );
  assert.equal(page.frame, undefined);
});

test("a wrong answer brings another frame, as long as Cognito asks", async () => {
  answers.splice(2, 0, { ChallengeName: "CUSTOM_CHALLENGE", Session: "s3", ChallengeParameters: challengeOf() });
  const done = stepUpForAction({ cognito, accessToken: SESSION, action: "transfer", container: page.container });
  for (const frames of [1, 2]) {
    while (page.container.frames.length < frames) await new Promise((resolve) => setTimeout(resolve, 1));
    page.post({ code: "code-1", state: "state-1" });
  }
  await done;
  assert.equal(calls.at(-1).body.Session, "s3");
});

test("what Cognito refuses has Stepgate's reason", async () => {
  answers[1] = { status: 400, message: "PreTokenGeneration failed with error no_grant." };
  const done = stepUpForAction({ cognito, accessToken: SESSION, action: "transfer", container: page.container });
  await assert.rejects(done, (error) => code("refused")(error) && error.reason === "no_grant");
  answers = [new TypeError("fetch failed")];
  await assert.rejects(stepUpForAction({ cognito, accessToken: SESSION, action: "transfer", container: page.container }), code("network"));
});

test("an app without actions, or a token that is none, is told so", async () => {
  answers[0] = { ChallengeName: "PASSWORD_VERIFIER", ChallengeParameters: {} };
  await assert.rejects(stepUpForAction({ cognito, accessToken: SESSION, action: "transfer", container: page.container }), code("challenge_invalid"));
  for (const accessToken of ["", "x", "a.b.c", jwt({})]) {
    await assert.rejects(stepUpForAction({ cognito, accessToken, action: "transfer", container: page.container }), code("challenge_invalid"));
  }
});

test("cancelling between two calls is a cancellation", async () => {
  const controller = new AbortController();
  const done = stepUpForAction({ cognito, accessToken: SESSION, action: "transfer", container: page.container, signal: controller.signal });
  while (!page.frame) await new Promise((resolve) => setTimeout(resolve, 1));
  controller.abort();
  await assert.rejects(done, code("cancelled"));
  assert.ok(page.isClean);
});

test("a call that wants a step-up is repeated once with the action's token", async () => {
  wanted += `, action_ref="${await actionRef(TRANSACTION)}"`;
  const options = { cognito, accessToken: SESSION, transaction: TRANSACTION, container: page.container };
  const response = await answered(fetchWithStepUp("https://api.example/transfers", { method: "POST", body: "{}" }, options));
  assert.equal(response.status, 201);
  assert.deepEqual(seen, [`Bearer ${SESSION}`, `Bearer ${ACTION}`]);
});

test("a transaction that the user was not shown is never stepped up for", async () => {
  wanted += `, action_ref="${await actionRef({ ...TRANSACTION, to: "EVIL" })}"`;
  for (const transaction of [TRANSACTION, undefined]) {
    const options = { cognito, accessToken: SESSION, transaction, container: page.container };
    await assert.rejects(fetchWithStepUp("https://api.example/transfers", {}, options), code("transaction_mismatch"));
  }
  assert.equal(calls.length, 0);
});

test("an API that wants a newer sign-in says so, any other answer comes through", async () => {
  const options = { cognito, accessToken: SESSION, container: page.container };
  wanted = 'Bearer error="insufficient_user_authentication", max_age="60"';
  await assert.rejects(fetchWithStepUp("https://api.example/balance", undefined, options), code("sign_in_required"));
  wanted = 'Bearer error="invalid_token"';
  assert.equal((await fetchWithStepUp("https://api.example/balance", undefined, options)).status, 401);
});

test("claims are shown, whatever the token is", () => {
  assert.equal(claimsOf(SESSION).name, "Zoë 🦀");
  assert.deepEqual(claimsOf("x"), {});
});
