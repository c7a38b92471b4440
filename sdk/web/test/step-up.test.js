import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { stepUp } from "../src/index.js";
import { Page, challengeOf } from "./page.js";

const GOOD = { code: "code-1", state: "state-1" };
let page;
let events;

beforeEach(() => {
  page = new Page();
  events = [];
});

// A step-up that is left open would keep its timers.
afterEach(() => {
  if (page.frame?.isConnected) page.removeFrame();
});

/** Starts a step-up and waits until its frame is there. */
async function open(options = {}) {
  const done = stepUp({ challenge: challengeOf(), container: page.container, onEvent: (event) => events.push(event), ...options });
  done.catch(() => {});
  for (let turn = 0; turn < 10 && !page.frame; turn += 1) await Promise.resolve();
  return { done };
}

const code = (expected) => (error) => {
  assert.equal(error.name, "StepUpError");
  assert.equal(error.code, expected, error.message);
  assert.ok(!/code-1|state-1/.test(error.message), "the message tells nothing secret");
  return true;
};

test("the frame has the authorize URL, a title, and what a step-up needs", async () => {
  const { done } = await open({ title: "Prove that it is you" });
  assert.equal(page.frame.src, challengeOf().authorize_url);
  assert.equal(page.frame.title, "Prove that it is you");
  assert.equal(page.frame.allow, "camera; publickey-credentials-get; otp-credentials");
  page.post(GOOD);
  const answer = await done;
  assert.deepEqual(JSON.parse(answer.answer), GOOD);
  assert.deepEqual(answer.clientMetadata, { journey_id: "jrn_1" });
  assert.ok(page.isClean);
  assert.deepEqual(events.map((event) => event.type), ["opened", "answered", "closed"]);
});

test("the frame has a title of its own when the app gives none", async () => {
  await open();
  assert.equal(page.frame.title, "Identity verification");
});

test("the message may be an object or its JSON text, with more in it", async () => {
  const { done } = await open();
  page.post(JSON.stringify({ ...GOOD, more: true }));
  assert.deepEqual(JSON.parse((await done).answer), GOOD);
});

test("messages of other origins, other frames and other forms are ignored", async () => {
  const { done } = await open();
  page.post(GOOD, { origin: "https://evil.example" });
  page.post(GOOD, { origin: "https://acme.example:8443" });
  page.post(GOOD, { origin: "http://acme.example" });
  page.post(GOOD, { origin: "null" });
  page.post(GOOD, { source: {} });
  page.post(GOOD, { source: null });
  for (const data of [undefined, null, 1, "", "x", "[]", "{}", [], {}, { code: "x" }, { state: "state-1" }, { code: 1, state: "state-1" }]) page.post(data);
  page.post(`{"code":"x","state":"${"s".repeat(9000)}"}`);
  const ignored = events.filter((event) => event.type === "ignored").map((event) => event.why);
  assert.deepEqual(new Set(ignored), new Set(["origin", "source", "form"]));
  assert.equal(ignored.length, 19);
  page.post(GOOD);
  assert.deepEqual(JSON.parse((await done).answer), GOOD);
});

test("the second message finds nobody", async () => {
  const { done } = await open();
  page.post(GOOD);
  page.post({ code: "code-2", state: "state-1" });
  assert.deepEqual(JSON.parse((await done).answer), GOOD);
  assert.equal(events.filter((event) => event.type === "answered").length, 1);
});

test("a wrong state ends the step-up", async () => {
  const { done } = await open();
  page.post({ code: "code-1", state: "state-2" });
  await assert.rejects(done, code("state_mismatch"));
  assert.ok(page.isClean);
  page.post(GOOD);
});

test("what BlockID refuses has its reason", async () => {
  const first = await open();
  page.post({ error: "access_denied", state: "state-1" });
  await assert.rejects(first.done, code("denied"));
  page = new Page();
  const second = await open();
  page.post({ error: "server_error", state: "state-1" });
  await assert.rejects(second.done, (error) => code("provider_error")(error) && error.reason === "server_error");
});

test("an error with another state does not pass for this step-up's", async () => {
  const { done } = await open();
  page.post({ error: "access_denied", state: "x" });
  await assert.rejects(done, code("state_mismatch"));
});

test("it can be cancelled at any time", async () => {
  const before = AbortSignal.abort();
  await assert.rejects(stepUp({ challenge: challengeOf(), container: page.container, signal: before }), code("cancelled"));
  assert.equal(page.frame, undefined);

  const choosing = new AbortController();
  const chosen = stepUp({
    challenge: challengeOf(),
    container: page.container,
    signal: choosing.signal,
    onMethod: () => choosing.abort(),
  });
  await assert.rejects(chosen, code("cancelled"));
  assert.equal(page.frame, undefined);

  const controller = new AbortController();
  const { done } = await open({ signal: controller.signal });
  controller.abort();
  await assert.rejects(done, code("cancelled"));
  assert.ok(page.isClean);
  page.post(GOOD);
});

test("a frame that is taken away ends it", async () => {
  const { done } = await open();
  page.removeFrame();
  await assert.rejects(done, code("frame_closed"));
  assert.ok(page.isClean);
});

test("a container that is not in the page ends it", async () => {
  page.detached = true;
  const { done } = await open();
  await assert.rejects(done, code("frame_closed"));
});

test("it closes when the challenge does, and a late message finds nobody", async () => {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_800_000_000_000 });
  try {
    const { done } = await open({ challenge: challengeOf({ expires_at: "1800000120" }), loadWithinMs: 500_000 });
    mock.timers.tick(119_999);
    await Promise.resolve();
    assert.ok(page.frame.isConnected);
    mock.timers.tick(1);
    await assert.rejects(done, code("expired"));
    assert.ok(page.isClean);
    page.post(GOOD);
  } finally {
    mock.timers.reset();
  }
});

test("time for choosing a method counts", async () => {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_800_000_000_000 });
  try {
    const { done } = await open({
      challenge: challengeOf({ expires_at: "1800000120" }),
      onMethod: () => mock.timers.tick(100_000),
      loadWithinMs: 500_000,
    });
    mock.timers.tick(20_000);
    await assert.rejects(done, code("expired"));
  } finally {
    mock.timers.reset();
  }
});

test("a device whose clock is wrong gets Cognito's usual three minutes", async () => {
  for (const expires_at of ["1700000000", "1900000000", "soon", undefined]) {
    mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_800_000_000_000 });
    try {
      page = new Page();
      const { done } = await open({ challenge: challengeOf({ expires_at }), loadWithinMs: 500_000 });
      mock.timers.tick(179_999);
      assert.ok(page.frame.isConnected, expires_at);
      mock.timers.tick(1);
      await assert.rejects(done, code("expired"));
    } finally {
      mock.timers.reset();
    }
  }
});

test("a frame that the browser blocks is told at once, one that never loads later", async () => {
  const blocked = await open();
  page.violate("img-src", "https://acme.example");
  page.violate("frame-src", "https://elsewhere.example");
  assert.ok(page.frame.isConnected);
  page.violate("frame-src", "https://acme.example");
  await assert.rejects(blocked.done, code("frame_blocked"));

  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    page = new Page();
    const slow = await open();
    mock.timers.tick(30_000);
    await assert.rejects(slow.done, code("frame_blocked"));
    page = new Page();
    const fast = await open();
    page.frame.dispatchEvent(new Event("load"));
    mock.timers.tick(30_000);
    assert.ok(page.frame.isConnected, "loaded in time");
    page.post(GOOD);
    await fast.done;
  } finally {
    mock.timers.reset();
  }
});

test("the app is told the methods and may choose one, never another", async () => {
  let offered;
  const { done } = await open({
    onMethod: async (methods) => {
      offered = methods;
      return "otp";
    },
  });
  assert.deepEqual(offered, ["liveID push", "otp"]);
  const url = new URL(page.frame.src);
  assert.deepEqual(JSON.parse(url.searchParams.get("claims")).id_token, { username: "ada", acr: { essential: true, values: ["otp"] } });
  assert.ok(!page.frame.src.includes("+"), "spaces are %20");
  for (const name of ["state", "nonce", "redirect_uri", "prompt", "max_age", "client_id", "scope"]) {
    assert.equal(url.searchParams.get(name), new URL(challengeOf().authorize_url).searchParams.get(name), name);
  }
  page.post(GOOD);
  await done;
  await assert.rejects(stepUp({ challenge: challengeOf(), container: page.container, onMethod: () => "otp email" }), code("challenge_invalid"));
  await assert.rejects(stepUp({ challenge: challengeOf(), container: page.container, onMethod: () => "" }), code("challenge_invalid"));
});

test("challenges that are not sound open nothing", async () => {
  const url = challengeOf().authorize_url;
  const bad = {
    "no address": { authorize_url: undefined },
    "not an address": { authorize_url: "acme" },
    "plain HTTP": { authorize_url: url.replace("https:", "http:") },
    script: { authorize_url: "javascript:alert(1)//" },
    "user info": { authorize_url: url.replace("https://", "https://u:p@") },
    "no state": { state: "" },
    "another state": { state: "state-2" },
    "no journey": { journey_id: "" },
    "another tenant": { tenant: "evil.example" },
    "returns elsewhere": { authorize_url: url.replace("acme.example%2Fadmin", "evil.example%2Fadmin") },
    "returns over HTTP": { authorize_url: url.replace("https%3A%2F%2Facme", "http%3A%2F%2Facme") },
    "no return": { authorize_url: url.replace("redirect_uri", "redirect") },
  };
  for (const [what, change] of Object.entries(bad)) {
    await assert.rejects(stepUp({ challenge: challengeOf(change), container: page.container }), code("challenge_invalid"), what);
    assert.equal(page.frame, undefined, what);
  }
  await assert.rejects(stepUp({ challenge: undefined, container: page.container }), code("challenge_invalid"));
});

test("user names that break addresses stay inside their parameter", async () => {
  for (const name of ["a&acr_values=otp email&state=x", "a#b", "o'hara\"}}", "crab🦀", "\u202egnp.exe", "100%", "a+b", "ünïcødé@münchen.example"]) {
    page = new Page();
    const url = new URL(challengeOf().authorize_url);
    const claims = { id_token: { username: name, acr: { essential: true, values: ["liveID push", "otp"] } } };
    url.search = url.search.replace(/claims=[^&]*/, () => `claims=${encodeURIComponent(JSON.stringify(claims))}`);
    const { done } = await open({ challenge: challengeOf({ username: name, authorize_url: url.href }), onMethod: () => "otp" });
    const opened = new URL(page.frame.src);
    assert.equal(opened.hash, "");
    assert.deepEqual([...opened.searchParams.keys()], [...url.searchParams.keys()]);
    assert.equal(JSON.parse(opened.searchParams.get("claims")).id_token.username, name);
    page.post(GOOD);
    await done;
  }
});

test("two at once do not take each other's messages", async () => {
  const first = await open();
  const firstFrame = page.frame;
  const url = challengeOf().authorize_url.replace("state-1", "state-2");
  const second = stepUp({ challenge: challengeOf({ state: "state-2", authorize_url: url, journey_id: "jrn_2" }), container: page.container });
  for (let turn = 0; turn < 10 && page.container.frames.length < 2; turn += 1) await Promise.resolve();
  page.post({ code: "code-2", state: "state-2" });
  assert.equal(JSON.parse((await second).answer).code, "code-2");
  page.post(GOOD, { source: firstFrame.contentWindow });
  assert.equal(JSON.parse((await first.done).answer).code, "code-1");
  assert.ok(page.isClean);
});
