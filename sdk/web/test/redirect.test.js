import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { finishRedirect, isRedirectReturn, startRedirect } from "../src/index.js";
import { MemoryStorage, challengeOf } from "./page.js";

const RETURN = "https://app.example/callback";
const challenge = (changes) => challengeOf({ return_url: RETURN, ...changes });

/** Goes out; hands back where to, and what is needed to come home. */
function away(storage, options = {}) {
  let went;
  startRedirect({ challenge: challenge(), resume: { username: "ada", session: "s" }, storage, navigate: (url) => (went = new URL(url)), ...options });
  return went;
}

/** Comes home with this query; hands back the answer and the address that is left. */
function home(storage, query) {
  let left;
  const url = `${RETURN}?${new URLSearchParams(query)}`;
  const done = () => finishRedirect({ url, storage, replaceUrl: (clean) => (left = clean) });
  try {
    return { ...done(), left };
  } catch (error) {
    error.left = left;
    throw error;
  }
}

const code = (expected) => (error) => error.code === expected;

test("it goes to the authorize URL with the app's own return address", () => {
  const went = away(new MemoryStorage());
  const original = new URL(challenge().authorize_url);
  assert.equal(went.searchParams.get("redirect_uri"), RETURN);
  for (const name of ["state", "nonce", "claims", "prompt", "max_age"]) assert.equal(went.searchParams.get(name), original.searchParams.get(name), name);
  assert.ok(!went.search.includes("+"));
});

test("it comes home once, with what was kept, and the address is clean", () => {
  const storage = new MemoryStorage();
  away(storage);
  const back = home(storage, { code: "code-1", state: "state-1", keep: "me" });
  assert.deepEqual(JSON.parse(back.answer), { code: "code-1", state: "state-1", stepgate_return: true });
  assert.deepEqual(back.clientMetadata, { journey_id: "jrn_1" });
  assert.deepEqual(back.resume, { username: "ada", session: "s" });
  assert.equal(back.left, `${RETURN}?keep=me`);
  assert.throws(() => home(storage, { code: "code-1", state: "state-1" }), code("redirect_unknown"));
  assert.equal(storage.length, 0);
});

test("a return that nobody in this tab waits for is refused, and its code does not stay in the address", () => {
  const storage = new MemoryStorage();
  away(storage);
  for (const state of ["state-2", "", "__proto__"]) {
    assert.throws(() => home(storage, { code: "theirs", state }), (error) => error.code === "redirect_unknown" && error.left === RETURN);
  }
  assert.throws(() => home(new MemoryStorage(), { code: "code-1", state: "state-1" }), code("redirect_unknown"));
  assert.equal(home(storage, { code: "code-1", state: "state-1" }).journeyId, "jrn_1");
});

test("what others wrote into the storage is not believed", () => {
  const storage = new MemoryStorage();
  for (const text of ["x", "null", "{}", '{"v":2}', '{"v":1,"journeyId":1,"expiresAtMs":9e15}']) {
    storage.setItem("stepgate.redirect.state-1", text);
    assert.throws(() => home(storage, { code: "c", state: "state-1" }), code("redirect_unknown"), text);
  }
});

test("a late return is refused, and forgotten journeys are swept", () => {
  mock.timers.enable({ apis: ["Date"], now: 1_800_000_000_000 });
  try {
    const storage = new MemoryStorage();
    const options = { challenge: challenge({ expires_at: "1800000060" }) };
    away(storage, options);
    mock.timers.tick(60_001);
    assert.throws(() => home(storage, { code: "c", state: "state-1" }), code("expired"));
    away(storage, { challenge: challenge({ expires_at: "1800000120" }) });
    mock.timers.tick(120_001);
    storage.setItem("of the app", "stays");
    const url = challenge().authorize_url.replace("state-1", "state-2");
    away(storage, { challenge: challenge({ state: "state-2", authorize_url: url }) });
    assert.equal(storage.length, 2);
    assert.equal(storage.getItem("of the app"), "stays");
  } finally {
    mock.timers.reset();
  }
});

test("BlockID's refusal comes home as an error", () => {
  const storage = new MemoryStorage();
  away(storage);
  assert.throws(() => home(storage, { error: "access_denied", error_description: "cancelled", state: "state-1" }), (error) => error.code === "denied" && error.left === RETURN);
});

test("without a return address there is no redirect", () => {
  for (const return_url of [undefined, "", "http://app.example/", "javascript:alert(1)"]) {
    assert.throws(() => away(new MemoryStorage(), { challenge: challenge({ return_url }) }), code("redirect_unavailable"));
  }
});

test("one method may be chosen, never another", () => {
  const went = away(new MemoryStorage(), { method: "otp" });
  assert.deepEqual(JSON.parse(went.searchParams.get("claims")).id_token.acr.values, ["otp"]);
  assert.throws(() => away(new MemoryStorage(), { method: "otp email" }), code("challenge_invalid"));
});

test("a return is told from any other address", () => {
  assert.ok(isRedirectReturn(`${RETURN}?code=a&state=b`));
  assert.ok(isRedirectReturn(`${RETURN}?error=a&state=b`));
  assert.ok(!isRedirectReturn(`${RETURN}?code=a`));
  assert.ok(!isRedirectReturn(RETURN));
});
