/** The operator's console in a real browser, on real sign-ins and on traffic through the cell's own queue. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { before, test } from "node:test";
import { api, aws, makeUser, open, picture, signIn, system, violations } from "./support.js";

const console_ = new URL("/console", system.api_url).href;
const WIDE = { width: 1440, height: 900 };
const NARROW = { width: 390, height: 844 };
/** What each page is looked at in. */
const LOOKS = [[WIDE, "light"], [WIDE, "dark"], [NARROW, "light"], [NARROW, "dark"]];
/** Of ULIDs, lower case. */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const tenant = `/console/tenants/${system.tenant_id}`;

/** What a browser holds after signing in. */
let cookies;

before(async () => {
  await makeTraffic();
});

/** A page of the console in a browser that is signed in; whatever it complains of fails the test. */
async function visit(context, path, options = {}) {
  const page = await open(context, { viewport: WIDE, ...options, url: null });
  const complaints = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
  page.on("response", (answer) => answer.status() >= 400 && complaints.push(`${answer.status()} ${answer.url()}`));
  context.after(() => assert.deepEqual(complaints, []));
  if (!cookies) {
    await page.goto(system.console_url);
    cookies = await page.context().cookies();
    const [session] = cookies;
    assert.deepEqual(
      { name: session.name, secure: session.secure, httpOnly: session.httpOnly, sameSite: session.sameSite, path: session.path },
      { name: "__Host-stepgate", secure: true, httpOnly: true, sameSite: "Lax", path: "/" },
    );
  }
  await page.context().addCookies(cookies);
  await page.goto(new URL(path, console_).href);
  return page;
}

/** Nothing that WCAG 2.2 AA asks is missing, nothing is wider than the window; and a picture of it. */
async function isInOrder(page, name, { viewport, colorScheme }) {
  assert.deepEqual(await violations(page), [], `${name} at ${viewport.width} px, ${colorScheme}`);
  const wider = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
  assert.equal(wider, false, `${name} at ${viewport.width} px is scrolled sideways`);
  await picture(page, `console-${name}-${viewport.width}-${colorScheme}`);
}

/** Key figures of a page, as programs read them. */
const figures = (page) =>
  page.$$eval("[data-figure]", (all) => Object.fromEntries(all.map((one) => [one.dataset.figure, one.querySelector("data")?.value ?? null])));

const number = (text) => (text === null ? null : Number(text));

/** An event as the triggers print it, with the id that they would give it. */
function event(type, journey, round, at, more) {
  const event_id = `evt_${createHash("sha256").update(`console test ${journey} ${type} ${round}`).digest("hex").slice(0, 32)}`;
  return {
    stepgate_event: 1, event_id, at_unix_ms: at, type, tenant_id: system.tenant_id, app_id: system.app_id, journey_id: journey, round,
    user_hash: "00112233445566778899aabbccddeeff", reason: null, method: null, acr: null, amr: [], aal: null, ial: null, policy_version: 1,
    rule: "default", source: "VerifyAuthChallengeResponse_Authentication", cold_start: false, duration_ms: 40, hops_ms: { settings: 2, token: 30 },
    trigger_version: "0.1.0", ...more,
  };
}

/** A journey's id: its first ten characters are its beginning in milliseconds. */
function journeyOf(began) {
  let time = "";
  for (let rest = began, place = 0; place < 10; place += 1, rest = Math.floor(rest / 32)) time = ALPHABET[rest % 32] + time;
  return `jrn_${time}${[...randomBytes(16)].map((byte) => ALPHABET[byte % 32]).join("")}`;
}

/** The same numbers on every run. */
function chance(seed) {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}

/** A day of a tenant's users, sent to the cell's queue, where the forwarder sends what the triggers print. */
async function makeTraffic() {
  const next = chance(7);
  const now = Date.now();
  const events = [];
  for (let hour = 23; hour >= 0; hour -= 1) {
    const busy = Math.round(6 + 14 * Math.exp(-(((hour - 9) / 5) ** 2)) + 4 * next());
    for (let one = 0; one < busy; one += 1) {
      const began = now - hour * 3_600_000 - Math.floor(next() * 3_000_000) - 1_200_000;
      const journey = journeyOf(began);
      const luck = next();
      const took = Math.round(4_000 + 14_000 * next() ** 2);
      const method = luck < 0.62 ? "liveID push" : luck < 0.8 ? "otp" : "otp sms";
      events.push(event("started", journey, null, began), event("offered", journey, 1, began + 20, { method }));
      if (luck < 0.84) events.push(event("succeeded", journey, 1, began + took, { method, acr: method, amr: ["otp"], aal: 2, fallback: method !== "liveID push" }));
      else if (luck < 0.93) events.push(event("failed", journey, 1, began + took, { reason: ["state_mismatch", "code_rejected", "provider_unavailable"][one % 3] }));
    }
  }
  const { QueueUrls } = await aws("sqs", "AmazonSQS.ListQueues", {});
  const QueueUrl = QueueUrls.find((url) => url.endsWith("-events"));
  assert.ok(QueueUrl, `a queue with events among ${QueueUrls}`);
  for (let from = 0; from < events.length; from += 100) {
    const MessageBody = JSON.stringify({ stepgate_batch: 1, tenant_id: system.tenant_id, events: events.slice(from, from + 100) });
    await aws("sqs", "AmazonSQS.SendMessage", { QueueUrl, MessageBody });
  }
  const started = events.filter(({ type }) => type === "started").length;
  for (let look = 0; look < 240; look += 1) {
    const report = await api("GET", `/v1/tenants/${system.tenant_id}/metrics/step-up?from=${new Date(now - 30 * 3_600_000).toISOString()}`);
    if (report.total.started >= started) return;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  assert.fail("the events did not arrive in time");
}

/** A rollout to nobody: it is over at once, and another test that looks at it finds it again. */
async function someRollout() {
  const ask = (method, path, body) => api(method, path, body, system.operator_key);
  const { items: known } = await ask("GET", "/v1/rollouts?limit=1");
  if (known.length > 0) return known[0];
  const { items: [cell] } = await ask("GET", "/v1/cells");
  const { items: [release] } = await ask("GET", `/v1/cells/${cell.id}/releases`);
  return ask("POST", "/v1/rollouts", { release: release.name, cell_ids: [cell.id], plan: { labels: { "console-test": "nobody" }, soak_s: 0 } });
}

/** A user whom no other test changes. */
let user;

async function someUser() {
  const username = await makeUser("seen");
  const { items: [found] } = await api("POST", `/v1/tenants/${system.tenant_id}/users:find`, { username });
  return found;
}

/** What forms answer with: pages that have no address of their own. */
const ANSWERS = {
  "found-user": async (page) => {
    await page.goto(new URL(tenant, console_).href);
    await page.getByLabel("Which is").fill(user.username);
    await page.getByRole("button", { name: "Find" }).click();
    await page.getByRole("link", { name: user.username }).waitFor();
  },
  "found-nobody": async (page) => {
    await page.goto(new URL(tenant, console_).href);
    await page.getByLabel("Which is").fill("nobody-is-called-that");
    await page.getByRole("button", { name: "Find" }).click();
    await page.getByText("There is no such user").waitFor();
  },
  simulated: async (page) => {
    await page.goto(new URL(`${tenant}/apps/${system.app_id}`, console_).href);
    await page.getByLabel("Attributes of the user").fill("email=ada@acme.example");
    await page.getByRole("button", { name: "Simulate" }).click();
    await page.getByRole("heading", { name: "The decision" }).waitFor();
  },
};

/** Paths of every page, with something to show on each, and of some with nothing. */
async function everyPage() {
  user ??= await someUser();
  const { items: events } = await api("GET", `/v1/events?tenant_id=${system.tenant_id}&type=failed&limit=1`);
  const { items: operations } = await api("GET", `/v1/operations?tenant_id=${system.tenant_id}&limit=1`);
  return {
    overview: "/console",
    tenants: "/console/tenants",
    tenant,
    app: `${tenant}/apps/${system.app_id}`,
    policy: `${tenant}/apps/${system.app_id}/policy/1`,
    journey: `${tenant}/journeys/${events[0].journey_id}`,
    user: `${tenant}/users/${user.sub}`,
    operations: "/console/operations",
    operation: `/console/operations/${operations[0].id}`,
    rollouts: "/console/rollouts",
    rollout: `/console/rollouts/${(await someRollout()).id}`,
    drifted: "/console/tenants?condition=Drifted",
    "no-tenants": "/console/tenants?name=nobody-is-called-that",
    "no-operations": "/console/operations?state=cancelled",
    "quiet-hour": `${tenant}?range=1h`,
    audit: "/console/audit",
    cells: "/console/cells",
  };
}

test("the console: key figures are the API's", async (context) => {
  const page = await visit(context, `${tenant}?range=7d`);
  // Both were asked while nobody signed in: if something came between, ask again.
  let shown;
  let told;
  for (let look = 0; look < 10; look += 1) {
    const from = new Date(Math.floor(Date.now() / 3_600_000) * 3_600_000 - 167 * 3_600_000).toISOString();
    const report = () => api("GET", `/v1/tenants/${system.tenant_id}/metrics/step-up?from=${from}`);
    told = (await report()).total;
    await page.reload();
    shown = await figures(page);
    if (JSON.stringify((await report()).total) === JSON.stringify(told)) break;
  }
  assert.ok(told.started > 100, `${told.started} journeys`);
  const expected = {
    started: told.started, offered: told.offered, succeeded: told.succeeded, failed: told.failed, abandoned: told.abandoned,
    "success-rate": told.success_rate, "fallback-rate": told.fallback_rate, p50: told.time_to_complete_p50_ms, p95: told.time_to_complete_p95_ms,
    p99: told.time_to_complete_p99_ms,
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(number(shown[name]), value, name);
  await page.goto(`${console_}?range=7d`);
  const overview = await figures(page);
  const { items } = await api("GET", "/v1/tenants");
  assert.equal(number(overview["tenants-ready"]), items.filter(({ ready, suspension }) => ready && !suspension).length);
  assert.ok(number(overview.started) >= told.started);
});

test("the console: every page, wide and narrow, light and dark, as WCAG 2.2 AA asks", async (context) => {
  const pages = await everyPage();
  for (const [viewport, colorScheme] of LOOKS) {
    const page = await visit(context, "/console", { viewport, colorScheme });
    for (const [name, path] of Object.entries(pages)) {
      await page.goto(new URL(path, console_).href);
      await isInOrder(page, name, { viewport, colorScheme });
    }
    for (const [name, answer] of Object.entries(ANSWERS)) {
      await answer(page);
      await isInOrder(page, name, { viewport, colorScheme });
    }
  }
});

test("the console: pages for who is not signed in, and for what is not there", async (context) => {
  await visit(context, "/console");
  for (const [viewport, colorScheme] of LOOKS) {
    for (const javaScriptEnabled of [true, false]) {
      const page = await open(context, { viewport, colorScheme, javaScriptEnabled, url: null });
      const outside = { "sign-in": ["/console/sign-in", 200], "signed-out": ["/console/tenants", 200], "used-link": [system.console_url, 403] };
      const inside = { "no-page": ["/console/no-such-page", 404], "no-tenant": ["/console/tenants/tnt_00000000000000000000000000", 404] };
      for (const [name, [path, status]] of Object.entries({ ...outside, ...inside })) {
        if (name in inside) await page.context().addCookies(cookies);
        const answer = await page.goto(new URL(path, console_).href);
        assert.equal(answer.status(), status, name);
        assert.equal(await page.locator("main h1").count(), 1, name);
        if (javaScriptEnabled) await isInOrder(page, name, { viewport, colorScheme });
      }
    }
  }
});

test("the console: a user is found, and the journey that they just had is a timeline", async (context) => {
  const username = await makeUser("console");
  await signIn(await open(context), username);
  const page = await visit(context, tenant);
  await page.getByLabel("Which is").fill(username);
  await page.getByRole("button", { name: "Find" }).click();
  await page.getByRole("link", { name: username }).click();
  await page.getByRole("heading", { name: username, level: 1 }).waitFor();
  const account = page.url();
  assert.ok(!account.includes(username), "no name in an address");
  // The event is on its way through log group, forwarder and queue.
  const journey = page.getByRole("group", { name: "Last journeys" }).getByRole("link").first();
  for (let look = 0; look < 60 && !(await page.getByText("succeeded").count()); look += 1) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    await page.goto(account);
  }
  assert.deepEqual(await violations(page), []);
  await picture(page, "console-user-1440-light");
  await journey.click();
  await page.getByRole("heading", { name: "Journey" }).waitFor();
  const types = await page.$$eval("[data-type]", (all) => all.map((one) => one.dataset.type));
  assert.deepEqual([types[0], types.includes("offered"), types.includes("succeeded")], ["started", true, true]);
});

test("the console: suspended and resumed with the keyboard, and progress shows itself", async (context) => {
  const page = await visit(context, tenant);
  for (const verb of ["Suspend", "Resume"]) {
    await page.goto(new URL(tenant, console_).href);
    await page.getByLabel("Reason").focus();
    await page.keyboard.type("a drill");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), verb);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: `${verb} tenant` }).waitFor();
    // Nobody loads the page again: its script does.
    await page.getByRole("status").getByText("succeeded").waitFor({ timeout: 30_000 });
    assert.equal(await page.locator("[data-live]").count(), 0);
  }
});

test("the console: conditions are the API's, and a tenant is compared with AWS now", async (context) => {
  const page = await visit(context, tenant);
  const { conditions } = await api("GET", `/v1/tenants/${system.tenant_id}`);
  const shown = await page.$$eval("[data-condition]", (all) => all.map((one) => one.dataset.condition));
  assert.deepEqual(shown, conditions.map(({ type }) => type));
  const before = await api("GET", `/v1/tenants/${system.tenant_id}/drift`);
  await page.getByRole("button", { name: "Check now" }).click();
  await page.getByRole("heading", { name: "Drift" }).waitFor();
  for (let look = 0; look < 120; look += 1) {
    const { checked_at } = await api("GET", `/v1/tenants/${system.tenant_id}/drift`);
    if (checked_at && checked_at !== before.checked_at) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  assert.fail("nobody compared the tenant");
});

test("the console: complete without JavaScript", async (context) => {
  const page = await visit(context, "/console", { javaScriptEnabled: false });
  for (const path of Object.values(await everyPage())) {
    const answer = await page.goto(new URL(path, console_).href);
    assert.equal(answer.status(), 200, path);
    assert.equal(await page.locator("main h1").count(), 1, path);
  }
  await page.goto(new URL(`${tenant}/apps/${system.app_id}`, console_).href);
  await page.getByLabel("Attributes of the user").fill("email=ada@acme.example");
  await page.getByRole("button", { name: "Simulate" }).click();
  await page.getByRole("heading", { name: "The decision" }).waitFor();
  await page.goto(new URL(tenant, console_).href);
  await page.getByText("The figures as a table").click();
  assert.ok((await page.getByRole("group", { name: "Outcomes over time" }).getByRole("row").count()) > 10);
});

test("the console: the demonstration's link works once, and who signed out is out", async (context) => {
  const page = await visit(context, "/console");
  const again = await open(context, { url: null });
  assert.equal((await again.goto(system.console_url)).status(), 403);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await page.context().addCookies(cookies);
  await page.goto(console_);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  assert.deepEqual(await violations(page), []);
});
