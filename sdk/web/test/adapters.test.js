import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { signIn as signInWithAmplify } from "../src/adapters/amplify.js";
import { signIn } from "../src/adapters/amazon-cognito-identity-js.js";
import { Page, challengeOf } from "./page.js";

let page;
beforeEach(() => {
  page = new Page();
});

async function answerFrames(promise, count = 1) {
  promise.catch(() => {});
  for (let frames = 1; frames <= count; frames += 1) {
    for (let turn = 0; turn < 500 && page.container.frames.length < frames; turn += 1) await new Promise((resolve) => setTimeout(resolve, 1));
    page.post({ code: `code-${frames}`, state: "state-1" });
  }
  return promise;
}

const code = (expected, reason) => (error) => {
  assert.deepEqual([error.code, error.reason], [expected, reason], error.message);
  return true;
};

/** Cognito's answers, one a call; the library turns them into callbacks. */
class User {
  constructor(script) {
    this.script = script;
    this.calls = [];
  }
  setAuthenticationFlowType(type) {
    this.type = type;
  }
  getUsername() {
    return "ada";
  }
  #next(call, callbacks) {
    this.calls.push(call);
    const [name, ...rest] = this.script.shift();
    queueMicrotask(() => callbacks[name](...rest));
  }
  authenticateUser(details, callbacks) {
    this.#next(["password", details], callbacks);
  }
  sendCustomChallengeAnswer(answer, callbacks, metadata) {
    this.#next(["answer", JSON.parse(answer), metadata], callbacks);
  }
  completeNewPasswordChallenge(password, _attributes, callbacks) {
    this.#next(["new password", password], callbacks);
  }
}

const FIRST = { code: "UserLambdaValidationException", message: "PreTokenGeneration failed with error first_password_set." };

test("amazon-cognito-identity-js: password, step-up, session", async () => {
  const user = new User([["customChallenge", challengeOf()], ["onSuccess", "session"]]);
  assert.equal(await answerFrames(signIn({ user, details: "d", container: page.container })), "session");
  assert.equal(user.type, "CUSTOM_AUTH");
  assert.deepEqual(user.calls, [["password", "d"], ["answer", { code: "code-1", state: "state-1" }, { journey_id: "jrn_1" }]]);
});

test("amazon-cognito-identity-js: a second try where the policy allows it", async () => {
  const user = new User([["customChallenge", challengeOf()], ["customChallenge", challengeOf()], ["onSuccess", "session"]]);
  assert.equal(await answerFrames(signIn({ user, details: "d", container: page.container }), 2), "session");
  assert.equal(user.calls.at(-1)[1].code, "code-2");
});

test("amazon-cognito-identity-js: an invited user sets a password and signs in with it", async () => {
  const user = new User([["newPasswordRequired", {}, []], ["onFailure", FIRST], ["customChallenge", challengeOf()], ["onSuccess", "session"]]);
  const done = signIn({ user, details: "d", container: page.container, newPassword: () => "new", detailsOf: (password) => `details of ${password}` });
  assert.equal(await answerFrames(done), "session");
  assert.deepEqual(user.calls.map((call) => call.slice(0, 2)), [["password", "d"], ["new password", "new"], ["password", "details of new"], ["answer", { code: "code-1", state: "state-1" }]]);
});

test("amazon-cognito-identity-js: what is refused has its reason", async () => {
  const invited = new User([["newPasswordRequired", {}, []]]);
  await assert.rejects(signIn({ user: invited, details: "d", container: page.container }), code("new_password_required"));
  const weak = new User([["newPasswordRequired", {}, []], ["onFailure", { code: "InvalidPasswordException", message: "Password is too short" }]]);
  const options = { details: "d", container: page.container, newPassword: () => "x", detailsOf: () => "y" };
  await assert.rejects(signIn({ user: weak, ...options }), code("refused"));
  const wrong = new User([["onFailure", { code: "NotAuthorizedException", message: "Incorrect username or password." }]]);
  await assert.rejects(signIn({ user: wrong, ...options }), code("refused"));
  const gate = new User([["onFailure", { message: "PreTokenGeneration failed with error no_grant." }]]);
  await assert.rejects(signIn({ user: gate, ...options }), code("refused", "no_grant"));
  const offline = new User([["onFailure", { code: "NetworkError" }]]);
  await assert.rejects(signIn({ user: offline, ...options }), code("network"));
  const native = new User([["totpRequired"]]);
  await assert.rejects(signIn({ user: native, ...options }), code("challenge_invalid"));
  const foreign = new User([["customChallenge", { kind: "captcha" }]]);
  await assert.rejects(signIn({ user: foreign, ...options }), code("challenge_invalid"));
});

/** Amplify's functions with Cognito's answers. */
function amplify(script) {
  const calls = [];
  const next = (name) => async (input) => {
    calls.push([name, input]);
    const answer = script.shift();
    if (answer instanceof Error) throw answer;
    return { nextStep: answer };
  };
  return { calls, signIn: next("signIn"), confirmSignIn: next("confirmSignIn") };
}

const ASKED = { signInStep: "CONFIRM_SIGN_IN_WITH_CUSTOM_CHALLENGE", additionalInfo: challengeOf() };
const NEW = { signInStep: "CONFIRM_SIGN_IN_WITH_NEW_PASSWORD_REQUIRED" };
const named = (name, message) => Object.assign(new Error(message), { name });

test("Amplify: password, step-up, done", async () => {
  const auth = amplify([ASKED, { signInStep: "DONE" }]);
  await answerFrames(signInWithAmplify({ auth, username: "ada", password: "p", container: page.container }));
  assert.deepEqual(auth.calls[0], ["signIn", { username: "ada", password: "p", options: { authFlowType: "CUSTOM_WITH_SRP" } }]);
  assert.deepEqual(auth.calls[1][1].options, { clientMetadata: { journey_id: "jrn_1" } });
});

test("Amplify: an invited user sets a password and signs in with it", async () => {
  const auth = amplify([NEW, named(FIRST.code, FIRST.message), ASKED, { signInStep: "DONE" }]);
  await answerFrames(signInWithAmplify({ auth, username: "ada", password: "p", container: page.container, newPassword: () => "new" }));
  assert.deepEqual(auth.calls.map(([name, input]) => [name, input.password ?? input.challengeResponse]).slice(0, 3), [["signIn", "p"], ["confirmSignIn", "new"], ["signIn", "new"]]);
});

test("Amplify: what is refused has its reason", async () => {
  const run = (...script) => signInWithAmplify({ auth: amplify(script), username: "ada", password: "p", container: page.container, newPassword: () => "new" });
  await assert.rejects(run(named("UserLambdaValidationException", "PreTokenGeneration failed with error no_grant.")), code("refused", "no_grant"));
  await assert.rejects(run(named("NetworkError", "A network error has occurred.")), code("network"));
  await assert.rejects(run({ signInStep: "CONFIRM_SIGN_IN_WITH_TOTP_CODE" }), code("challenge_invalid"));
  await assert.rejects(run(NEW, named("InvalidPasswordException", "Password does not conform to policy")), code("refused"));
});
