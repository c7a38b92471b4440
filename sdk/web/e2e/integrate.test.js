/** The examples of the integration guide, as they stand there, in a real browser against the whole system. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { require, root, tools } from "../test/tools.js";
import { CODE, PASSWORD, completeStepUp, makeApp, makeUser, open, serve, system } from "./support.js";

const esbuild = require("esbuild");
const guide = readFileSync(join(root, "../../docs/integrate.md"), "utf8");
/** Fenced blocks whose info string names a file. */
const examples = Object.fromEntries([...guide.matchAll(/^```\w+ (\S+)\n([^]*?)^```$/gm)].map(([, name, text]) => [name, text]));
const SDK = {
  "@stepgate/web": join(root, "src/index.js"),
  "@stepgate/web/amplify": join(root, "src/adapters/amplify.js"),
  "@stepgate/web/amazon-cognito-identity-js": join(root, "src/adapters/amazon-cognito-identity-js.js"),
};
let folder;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "stepgate-guide-"));
  for (const [name, text] of Object.entries(examples)) writeFileSync(join(folder, name), text);
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Bundles an example as an app's build would, with this system's settings in place of the guide's. */
function bundle(name, clientId = system.client_id) {
  const settings = { region: system.aws_region, userPoolId: system.user_pool_id, clientId, endpoint: system.aws_endpoint_url };
  assert.match(examples["settings.js"], /region: .*\n {2}userPoolId: .*\n {2}clientId: /);
  writeFileSync(join(folder, "settings.js"), `export const settings = ${JSON.stringify(settings)};`);
  const result = esbuild.buildSync({
    entryPoints: [join(folder, name)],
    bundle: true,
    write: false,
    format: "esm",
    jsx: "automatic",
    target: "es2022",
    alias: SDK,
    nodePaths: [join(tools, "node_modules")],
    define: { "process.env.NODE_ENV": '"production"', global: "globalThis" },
    logLevel: "silent",
  });
  return result.outputFiles[0].text;
}

async function run(context, name, { html = examples["index.html"], clientId, ...more } = {}) {
  const pages = { "/": html, "/callback": html, "/app.js": bundle(name, clientId), ...more };
  return open(context, { url: await serve(context, pages, { headers: { "content-security-policy": policy() } }) });
}

/** The guide's policy, with this system's addresses. */
function policy() {
  const text = /^Content-Security-Policy: ([^`]+)/m.exec(guide)[1].replace(/\s+/g, " ").trim();
  const mended = text.replace("https://cognito-idp.eu-central-1.amazonaws.com", system.aws_endpoint_url).replace("https://acme.1kosmos.net", system.blockid_url);
  assert.ok(mended.includes(system.aws_endpoint_url) && mended.includes(system.blockid_url), mended);
  return mended;
}

async function signIn(page, username) {
  await page.getByLabel("User name").fill(username);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
}

const BLANK = '<!doctype html><html lang="en"><meta charset="utf-8"><title>App</title><body><script type="module" src="app.js"></script></body></html>';

for (const [name, html] of [["amplify.js", undefined], ["cognito.js", undefined], ["react.jsx", BLANK]]) {
  test(`the guide's ${name} signs in under the guide's policy`, async (context) => {
    const page = await run(context, name, html ? { html } : {});
    const username = await makeUser("guide");
    await signIn(page, username);
    await page.frameLocator("iframe").getByRole("button", { name: "Cancel" }).click();
    await page.getByText("Not signed in: denied").waitFor();
    await signIn(page, username);
    await completeStepUp(page, "otp");
    await page.getByText("Signed in, stepped up by otp").waitFor();
  });
}

test("the guide's transfer.js steps up for what the user was shown", async (context) => {
  const page = await run(context, "transfer-page.js", transferPage());
  const username = await makeUser("guide");
  await signIn(page, username);
  await completeStepUp(page, "otp");
  await page.getByText("Signed in").waitFor();
  await page.route("**/api/transfers", async (route) => {
    const { authorization } = await route.request().allHeaders();
    const claims = JSON.parse(Buffer.from(authorization.split(".")[1], "base64url").toString());
    const wanted = 'Bearer error="insufficient_user_authentication", stepup_action="transfer", acr_values="liveID%20push"';
    if (claims.stepup_action === "transfer") await route.fulfill({ status: 201, body: "{}" });
    else await route.fulfill({ status: 401, headers: { "www-authenticate": wanted } });
  });
  const status = page.evaluate(() => globalThis.transferNow());
  await completeStepUp(page, "liveID push");
  assert.equal(await status, 201);
});

/** The guide's sign-in with the guide's transfer behind it. */
function transferPage() {
  const glue = `import { transfer } from "./transfer.js";
    globalThis.transferNow = () => transfer(Object.entries(localStorage).find(([key]) => key.endsWith("accessToken"))[1]);`;
  writeFileSync(join(folder, "transfer-page.js"), examples["cognito.js"] + glue);
  return { clientId: system.bank_client_id };
}

test("the guide's redirect.js leaves and comes back", async (context) => {
  // Its return address must be the one that the simulator knows, so it runs where the demonstration does.
  const page = await open(context);
  const script = bundle("redirect.js", system.bank_client_id);
  const origin = new URL(system.demo_url).origin;
  const serveGuide = (route) => route.fulfill({ contentType: "text/html", body: examples["index.html"].replace("app.js", "/guide.js") });
  await page.route(`${origin}/guide.js`, (route) => route.fulfill({ contentType: "text/javascript", body: script.replaceAll(system.aws_endpoint_url, `${origin}/cognito`) }));
  await page.route(`${origin}/guide`, serveGuide);
  await page.route(`${origin}/callback*`, serveGuide);
  // A redirect's target cannot be put in place of the demonstration's own page; a page that leads there can.
  await page.route(`${system.blockid_url}/oauth2/**`, async (route) => {
    if (route.request().method() !== "POST") return route.continue();
    const { location } = (await route.fetch({ maxRedirects: 0 })).headers();
    return route.fulfill({ contentType: "text/html", body: `<script>location.replace(${JSON.stringify(location)})</script>` });
  });
  await page.goto(`${origin}/guide`);
  const username = await makeUser("guide");
  await signIn(page, username);
  await page.waitForURL(`${system.blockid_url}/**`);
  await page.locator('input[value="otp"]').check();
  await page.getByRole("textbox", { name: "Code" }).fill(CODE);
  await page.getByRole("button", { name: "Verify" }).click();
  await page.getByText("Signed in, stepped up by otp").waitFor();
  assert.equal(page.url(), `${origin}/callback`);
  await page.goto(`${origin}/callback?code=theirs&state=theirs`);
  await page.getByText("Not signed in: redirect_unknown").waitFor();
});

test("an app without a return address has no redirect", async (context) => {
  const app = await makeApp({ name: "No return" });
  const page = await run(context, "redirect.js", { clientId: app.client_id });
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  await page.evaluate(() => addEventListener("unhandledrejection", (event) => { globalThis.rejected = event.reason.code; event.preventDefault(); }));
  await signIn(page, await makeUser("guide"));
  await page.waitForFunction(() => globalThis.rejected);
  assert.equal(await page.evaluate(() => globalThis.rejected), "redirect_unavailable");
});
