/** Messages that are not BlockID's answer, in a real browser: rows A20 and A21 of the attack catalogue, seen from the page. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { newName, open, serve } from "./support.js";

const HARNESS = `<!doctype html><html lang="en"><title>App</title><div id="step-up"></div><script type="module">
  import { stepUp } from "/sdk/index.js";
  globalThis.events = [];
  globalThis.begin = (challenge, options = {}) => {
    globalThis.controller = new AbortController();
    const container = document.getElementById("step-up");
    globalThis.ended = stepUp({ challenge, container, signal: controller.signal, onEvent: (event) => events.push(event), ...options })
      .then(({ answer }) => ({ answer: JSON.parse(answer) }), ({ name, code }) => ({ name, code }));
  };
  document.title = "ready";
</script>`;

/** BlockID's page, as an attacker would like it: it posts what it is told to, to whom it is told to. */
const PROVIDER = `<!doctype html><html lang="en"><title>BlockID</title><p>BlockID</p><script>
  addEventListener("message", ({ data }) => { if (data.post) (data.to === "self" ? self : parent).postMessage(data.post, "*"); });
</script>`;

/** A stranger: another origin, framed by the app, or opened beside it. */
const STRANGER = `<!doctype html><html lang="en"><title>Stranger</title><script>
  addEventListener("message", ({ data }) => { if (data.post) (opener ?? parent).postMessage(data.post, "*"); });
</script>`;

async function stage(context) {
  const provider = await serve(context, { "/authorize": PROVIDER, "/other": PROVIDER }, { host: "127.0.0.1" });
  const stranger = await serve(context, { "/": STRANGER }, { host: "127.0.0.1" });
  const app = await serve(context, { "/": HARNESS });
  const page = await open(context, { url: app });
  await page.waitForFunction(() => document.title === "ready");
  const challenge = ({ state = "state-1", username = "ada", expiresInS = 180 } = {}) => {
    const claims = JSON.stringify({ id_token: { username, acr: { essential: true, values: ["liveID push", "otp"] } } });
    const query = { client_id: "c", redirect_uri: `${provider}/admin/default/post_stepup`, state, claims };
    const encoded = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
    return {
      kind: "step_up",
      tenant: new URL(provider).host,
      state,
      username,
      journey_id: `jrn_${state}`,
      methods: '["liveID push","otp"]',
      expires_at: String(Math.floor(Date.now() / 1000) + expiresInS),
      authorize_url: `${provider}/authorize?${encoded.join("&")}`,
    };
  };
  const begin = async (options, given = challenge()) => {
    await page.evaluate(([a, b]) => globalThis.begin(a, b), [given, options]);
    await page.waitForFunction(() => globalThis.events.some((event) => event.type === "loaded"));
  };
  /** Lets the frame post. */
  const post = (message) => page.evaluate((data) => document.querySelector("#step-up iframe").contentWindow.postMessage({ post: data }, "*"), message);
  const settled = () => page.evaluate(() => Promise.race([globalThis.ended, new Promise((resolve) => setTimeout(() => resolve("open"), 300))]));
  const ended = () => page.evaluate(() => globalThis.ended);
  const ignored = () => page.evaluate(() => globalThis.events.filter((event) => event.type === "ignored").map((event) => event.why));
  return { page, provider, stranger, challenge, begin, post, settled, ended, ignored };
}

const GOOD = { code: "code-1", state: "state-1" };

test("A20: the genuine message is taken, the second finds nobody", async (context) => {
  const { page, begin, ended } = await stage(context);
  await begin();
  await page.evaluate((good) => {
    const { contentWindow } = document.querySelector("#step-up iframe");
    contentWindow.postMessage({ post: good }, "*");
    contentWindow.postMessage({ post: { ...good, code: "second" } }, "*");
  }, GOOD);
  assert.deepEqual(await ended(), { answer: GOOD });
  assert.equal(await page.locator("iframe").count(), 0);
});

test("A20: a message of a foreign origin is ignored, framed or opened", async (context) => {
  const { page, stranger, begin, post, settled, ended, ignored } = await stage(context);
  await begin();
  await page.evaluate(async ([url, good]) => {
    const frame = Object.assign(document.createElement("iframe"), { src: url, title: "stranger" });
    document.body.append(frame);
    await new Promise((resolve) => frame.addEventListener("load", resolve));
    frame.contentWindow.postMessage({ post: good }, "*");
  }, [stranger, GOOD]);
  assert.equal(await settled(), "open");
  const popup = page.waitForEvent("popup");
  await page.evaluate((url) => void (globalThis.popup = open(url)), stranger);
  await (await popup).waitForLoadState();
  await page.evaluate((good) => globalThis.popup.postMessage({ post: good }, "*"), GOOD);
  await page.evaluate((good) => postMessage(good, "*"), GOOD);
  assert.equal(await settled(), "open");
  assert.deepEqual(await ignored(), ["origin", "origin", "origin"]);
  await post(GOOD);
  assert.deepEqual(await ended(), { answer: GOOD });
});

test("A20: a message from another frame of the tenant's origin is ignored", async (context) => {
  const { page, provider, begin, post, settled, ended, ignored } = await stage(context);
  await begin();
  await page.evaluate(async ([url, good]) => {
    const frame = Object.assign(document.createElement("iframe"), { src: `${url}/other`, title: "other" });
    document.body.append(frame);
    await new Promise((resolve) => frame.addEventListener("load", resolve));
    frame.contentWindow.postMessage({ post: good }, "*");
  }, [provider, GOOD]);
  assert.equal(await settled(), "open");
  assert.deepEqual(await ignored(), ["source"]);
  await post(GOOD);
  assert.deepEqual(await ended(), { answer: GOOD });
});

test("A20: other messages of the frame are ignored, one with a wrong state ends it", async (context) => {
  const { page, begin, post, settled, ended, ignored } = await stage(context);
  await begin();
  for (const noise of ["hello", { type: "resize", height: 3 }, { code: "c" }, { state: "state-1" }]) await post(noise);
  assert.equal(await settled(), "open");
  assert.deepEqual(await ignored(), ["form", "form", "form", "form"]);
  await post({ code: "code-1", state: "state123" });
  assert.deepEqual(await ended(), { name: "StepUpError", code: "state_mismatch" });
  assert.equal(await page.locator("iframe").count(), 0);
});

test("A20: too late is too late", async (context) => {
  const { page, begin, challenge, ended } = await stage(context);
  await begin({}, challenge({ expiresInS: 3 }));
  assert.deepEqual(await ended(), { name: "StepUpError", code: "expired" });
  assert.equal(await page.locator("iframe").count(), 0);
  await page.evaluate((good) => dispatchEvent(new MessageEvent("message", { data: good })), GOOD);
  assert.deepEqual(await ended(), { name: "StepUpError", code: "expired" });
});

test("A20: cancelled, or the frame taken away, nothing is left", async (context) => {
  const { page, begin, ended } = await stage(context);
  await begin();
  await page.evaluate(() => globalThis.controller.abort());
  assert.deepEqual(await ended(), { name: "StepUpError", code: "cancelled" });
  await page.evaluate(() => globalThis.events.splice(0));
  await begin();
  await page.evaluate(() => document.querySelector("#step-up iframe").remove());
  assert.deepEqual(await ended(), { name: "StepUpError", code: "frame_closed" });
  assert.equal(await page.locator("iframe").count(), 0);
});

test("A20: a page whose policy allows no such frame is told at once", async (context) => {
  const provider = await serve(context, { "/authorize": PROVIDER }, { host: "127.0.0.1" });
  const policy = { "content-security-policy": "frame-src 'self'" };
  const app = await serve(context, { "/": HARNESS }, { headers: policy });
  const page = await open(context, { url: app });
  await page.waitForFunction(() => document.title === "ready");
  const url = `${provider}/authorize?state=s&redirect_uri=${encodeURIComponent(`${provider}/post`)}`;
  const challenge = { kind: "step_up", tenant: new URL(provider).host, state: "s", journey_id: "j", methods: "[]", authorize_url: url };
  await page.evaluate((given) => globalThis.begin(given), challenge);
  assert.deepEqual(await page.evaluate(() => globalThis.ended), { name: "StepUpError", code: "frame_blocked" });
});

test("A20: two step-ups in one page do not take each other's answers", async (context) => {
  const { page, begin, challenge } = await stage(context);
  await begin();
  const second = challenge({ state: "state-2" });
  const answers = await page.evaluate(async (given) => {
    const first = globalThis.ended;
    globalThis.begin(given);
    const loaded = () => globalThis.events.filter((event) => event.type === "loaded").length;
    while (loaded() < 2) await new Promise((resolve) => setTimeout(resolve, 10));
    const [one, two] = document.querySelectorAll("#step-up iframe");
    two.contentWindow.postMessage({ post: { code: "code-2", state: "state-2" } }, "*");
    const taken = await globalThis.ended;
    one.contentWindow.postMessage({ post: { code: "code-1", state: "state-1" } }, "*");
    return [await first, taken];
  }, second);
  assert.deepEqual(answers.map(({ answer }) => answer.code), ["code-1", "code-2"]);
});

test("A21: user names that break addresses stay inside their parameter", async (context) => {
  const { page, begin, challenge } = await stage(context);
  for (const username of ["a&acr_values=otp email&state=x", "a#b", "o'hara\"}}", "crab🦀", "\u202egnp.exe", "100%25+b", newName()]) {
    await page.evaluate(() => globalThis.events.splice(0));
    await begin({}, challenge({ username }));
    const opened = new URL(await page.locator("#step-up iframe").getAttribute("src"));
    assert.deepEqual([...opened.searchParams.keys()], ["client_id", "redirect_uri", "state", "claims"]);
    assert.equal(opened.hash, "");
    assert.equal(JSON.parse(opened.searchParams.get("claims")).id_token.username, username);
    const seen = await page.frames()[1].evaluate(() => location.href);
    assert.equal(new URL(seen).search, opened.search);
    await page.evaluate(() => globalThis.controller.abort());
    await page.evaluate(() => globalThis.ended);
  }
});
