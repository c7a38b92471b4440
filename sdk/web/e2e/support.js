/**
 * The vocabulary of the browser tests.
 *
 * `cargo xtask test` starts the system and says where it is. By hand, against a running demonstration
 * (`cargo xtask demo --json demo.json`):
 *
 *     STEPGATE_E2E_SYSTEM=demo.json STEPGATE_E2E_BROWSER=$(which chromium) STEPGATE_WEB_TOOLS=.stepgate/web \
 *       node --test --test-concurrency=1 sdk/web/e2e/*.test.js
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after } from "node:test";
import { require, root } from "../test/tools.js";

const { chromium } = require("playwright-core");

/** What `cargo xtask demo --json` writes. */
export const system = JSON.parse(readFileSync(process.env.STEPGATE_E2E_SYSTEM, "utf8"));
/** The demonstration's page. */
export const demoUrl = system.demo_url;
/** The code that the simulator's page takes. */
export const CODE = "246810";

const screenshots = process.env.STEPGATE_E2E_SCREENSHOTS ?? join(root, "../../.stepgate/screenshots");
mkdirSync(screenshots, { recursive: true });

const flags = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];
if (process.getuid?.() === 0) flags.push("--no-sandbox");
let browser;
after(() => browser?.close());

/** A page in a profile of its own; errors of the page fail the test at the end. */
export async function open(context, { colorScheme = "light", viewport = { width: 1280, height: 900 }, javaScriptEnabled = true, url = demoUrl } = {}) {
  browser ??= await chromium.launch({ executablePath: process.env.STEPGATE_E2E_BROWSER, args: flags });
  const profile = await browser.newContext({ colorScheme, viewport, javaScriptEnabled, reducedMotion: "reduce" });
  profile.setDefaultTimeout(15_000);
  if (process.env.STEPGATE_E2E_LIVE) await serveSources(profile);
  const page = await profile.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  context.after(async () => {
    await profile.close();
    assert.deepEqual(errors, []);
  });
  if (url) await page.goto(url);
  return page;
}

/** For work on the page: scripts and styles come from the source tree instead of the running program. */
async function serveSources(profile) {
  const folders = { page: join(root, "../../crates/demo-app/page"), sdk: join(root, "src") };
  for (const [name, folder] of Object.entries(folders)) {
    await profile.route(`${demoUrl}${name}/**`, (route) => route.fulfill({ path: join(folder, new URL(route.request().url()).pathname.slice(name.length + 2)) }));
  }
}

/** Keeps a picture for people to look at. */
export const picture = (page, name) => page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });

/** What axe finds against WCAG 2.2 AA, in the page itself; BlockID's frame is BlockID's affair. */
export async function violations(page) {
  const source = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
  await page.evaluate(source);
  const found = await page.evaluate(() =>
    globalThis.axe.run({ exclude: [["iframe"]] }, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], iframes: false }),
  );
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
}

/** BlockID's page inside the frame. */
export const blockId = (page) => page.frameLocator("iframe");

/** Where the code is typed. */
export const codeField = (page) => blockId(page).getByRole("textbox", { name: "Code" });

/** Steps up in the frame. */
export async function completeStepUp(page, method = "liveID push") {
  const frame = blockId(page);
  await frame.locator(`input[value="${method}"]`).check();
  await codeField(page).fill(CODE);
  await frame.getByRole("button", { name: "Verify" }).click();
}

/** A name that nobody had. */
export const newName = (prefix = "user") => `${prefix}-${randomBytes(5).toString("hex")}`;
export const PASSWORD = "Correct1-horse-battery";

/** Types name and password on the demonstration's page. */
export async function typePassword(page, username, password = PASSWORD) {
  await page.getByLabel("User name").fill(username);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
}

/** Signs in to the demonstration's page. */
export async function signIn(page, username, { password, method } = {}) {
  await typePassword(page, username, password);
  await completeStepUp(page, method);
  await page.getByRole("heading", { name: `Welcome, ${username}` }).waitFor();
}

/** A call of the emulator as the account's administrator; it takes any signature. */
export async function aws(service, target, body) {
  const version = service === "dynamodb" ? "1.0" : "1.1";
  const response = await fetch(system.aws_endpoint_url, {
    method: "POST",
    headers: {
      "content-type": `application/x-amz-json-${version}`,
      "x-amz-target": target,
      authorization: `AWS4-HMAC-SHA256 Credential=stepgate-demo/20260101/${system.aws_region}/${service}/aws4_request, SignedHeaders=host, Signature=0`,
    },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  assert.ok(response.ok, `${target}: ${JSON.stringify(answer)}`);
  return answer;
}

const cognito = (operation, body) => aws("cognito-idp", `AWSCognitoIdentityProviderService.${operation}`, { UserPoolId: system.user_pool_id, ...body });

/** A confirmed user, made by an administrator. */
export async function makeUser(prefix) {
  const Username = newName(prefix);
  const email = { Name: "email", Value: `${Username}@acme.example` };
  await cognito("AdminCreateUser", { Username, MessageAction: "SUPPRESS", UserAttributes: [email] });
  await cognito("AdminSetUserPassword", { Username, Password: PASSWORD, Permanent: true });
  return Username;
}

/** Makes time pass for every step-up of a user. */
export async function ageStepUps(username, byS) {
  const user = await cognito("AdminGetUser", { Username: username });
  const sub = user.UserAttributes.find((attribute) => attribute.Name === "sub").Value;
  const { TableNames } = await aws("dynamodb", "DynamoDB_20120810.ListTables", {});
  let aged = 0;
  for (const TableName of TableNames.filter((name) => /records/i.test(name))) {
    const query = {
      TableName,
      KeyConditionExpression: "pk = :user AND begins_with(sk, :evidence)",
      ExpressionAttributeValues: { ":user": { S: `user#${sub}` }, ":evidence": { S: "evidence#" } },
    };
    for (const Item of (await aws("dynamodb", "DynamoDB_20120810.Query", query)).Items) {
      Item.at_unix_s.N = String(Number(Item.at_unix_s.N) - byS);
      await aws("dynamodb", "DynamoDB_20120810.PutItem", { TableName, Item });
      aged += 1;
    }
  }
  assert.ok(aged > 0, "the sign-in left evidence");
}

/** A call of Stepgate's API as the partner, or with another key. */
export async function api(method, path, body, key = system.api_key) {
  const response = await fetch(`${system.api_url}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  const answer = await response.json();
  assert.ok(response.ok, `${method} ${path}: ${JSON.stringify(answer)}`);
  return answer;
}

/** An app of the tenant, ready to be signed in to. */
export async function makeApp(settings) {
  const path = `/v1/tenants/${system.tenant_id}/apps`;
  const { app, operation } = await api("POST", path, settings);
  for (let look = 0; look < 300; look += 1) {
    const { state } = await api("GET", `/v1/operations/${operation.id}`);
    if (state === "succeeded") return api("GET", `${path}/${app.id}`);
    assert.notEqual(state, "failed");
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return assert.fail("the app was not made in time");
}

const TYPES = { js: "text/javascript", html: "text/html; charset=utf-8", css: "text/css" };

/**
 * Serves files of the repository and pages made of text, on a port of its own; `host` decides the origin.
 * @param {Record<string, string | ((url: URL) => string)>} pages
 */
export async function serve(context, pages, { host = "localhost", headers = {} } = {}) {
  const server = createServer((request, response) => {
    const url = new URL(request.url, "http://x");
    const page = pages[url.pathname];
    const file = url.pathname.startsWith("/sdk/") ? join(root, "src", url.pathname.slice("/sdk".length)) : undefined;
    try {
      const body = page === undefined ? readFileSync(file) : typeof page === "function" ? page(url) : page;
      const extension = page === undefined || url.pathname.endsWith(".js") ? "js" : "html";
      response.writeHead(200, { "content-type": TYPES[extension], ...(extension === "html" ? headers : {}) }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://${host}:${server.address().port}`;
}
