/** The demonstration, as a newcomer clicks through it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CODE, PASSWORD, ageStepUps, blockId, codeField, completeStepUp, demoUrl, makeUser, newName, open, picture, signIn, system, typePassword, violations } from "./support.js";

const heading = (page, name) => page.getByRole("heading", { name, level: 1 }).waitFor();
const claim = async (page, table, name) => {
  const row = page.getByRole("table", { name: table }).locator("tr", { has: page.locator(`th:text-is("${name}")`) });
  return (await row.count()) > 0 ? row.locator("td").textContent() : undefined;
};
const entry = (page, text) => page.getByRole("listitem").filter({ hasText: text }).first().waitFor();

test("register, confirm, sign in, step up, transfer, renew, sign out", async (context) => {
  const page = await open(context);
  await heading(page, "Sign in");
  assert.deepEqual(await violations(page), []);
  await picture(page, "01-sign-in");

  const name = newName("grace");
  await page.getByRole("button", { name: "Create an account" }).click();
  await page.getByLabel("User name").fill(name);
  await page.getByLabel("E-mail address").fill(`${name}@acme.example`);
  await page.getByLabel("Password").fill(PASSWORD);
  assert.deepEqual(await violations(page), []);
  await picture(page, "02-register");
  await page.getByRole("button", { name: "Create account" }).click();
  await heading(page, "Confirm your address");
  const code = await page.locator(".mail b").textContent();
  assert.match(code, /^\d{6}$/);
  assert.deepEqual(await violations(page), []);
  await picture(page, "03-confirm");
  await page.getByLabel("Code").fill(code);
  await page.getByRole("button", { name: "Confirm" }).click();

  await heading(page, "Verify that it is you");
  await blockId(page).getByRole("heading", { name: "Verify that it is you" }).waitFor();
  assert.equal(await page.locator("iframe").getAttribute("title"), "BlockID: verify that it is you");
  assert.deepEqual(await violations(page), []);
  await picture(page, "04-step-up");
  await completeStepUp(page, "otp");

  await heading(page, `Welcome, ${name}`);
  await entry(page, "tokens may be made");
  await page.getByText("What the tokens say").click();
  assert.equal(await claim(page, "ID token", "stepup_acr"), "otp");
  assert.equal(await claim(page, "Access token", "stepup_acr"), "otp");
  assert.match(await claim(page, "ID token", "stepup_at"), /^\d{10}$/);
  assert.equal(await claim(page, "ID token", "stepup_policy"), "1");
  assert.equal(await claim(page, "ID token", "stepup_action"), undefined);
  for (const lane of ["define", "create", "verify", "gate"]) await page.locator(".timeline .lane", { hasText: lane }).first().waitFor();
  assert.deepEqual(await violations(page), []);
  await picture(page, "05-signed-in");

  await page.getByRole("button", { name: "Show balance" }).click();
  await page.getByText("1,204.50 EUR").waitFor();

  await page.getByRole("button", { name: "Send", exact: true }).click();
  await heading(page, "Confirm the transfer");
  await blockId(page).getByText("LiveID push").waitFor();
  assert.equal(await blockId(page).locator('input[name="method"]').count(), 1, "only the method that the API takes is offered");
  await picture(page, "06-confirm-transfer");
  await completeStepUp(page);
  await page.getByText("Sent 12.50 EUR").waitFor();
  await entry(page, "for the action “transfer”");
  assert.equal(await claim(page, "Access token", "stepup_action"), undefined, "the session's tokens stay as they are");
  await picture(page, "07-sent");

  await page.getByRole("button", { name: "Send again with the used token" }).click();
  await page.getByText("Refused, as it must be").waitFor();

  await page.getByRole("button", { name: "Renew tokens" }).click();
  await page.getByText("Tokens renewed").waitFor();
  await entry(page, "tokens are renewed");
  await page.reload();
  await heading(page, `Welcome, ${name}`);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByText("You are signed out.").waitFor();
  await page.reload();
  await heading(page, "Sign in");
});

test("every method signs in, and the tokens say which", async (context) => {
  const name = await makeUser("methods");
  const page = await open(context);
  for (const method of ["liveID push", "otp sms", "otp email", "otp"]) {
    await signIn(page, name, { method });
    await page.getByText("What the tokens say").click();
    assert.equal(await claim(page, "ID token", "stepup_acr"), method);
    await page.getByRole("button", { name: "Sign out" }).click();
  }
});

test("a refresh after the maximum age is refused, and a new step-up signs in again", async (context) => {
  const name = await makeUser("aging");
  const page = await open(context);
  await signIn(page, name);
  await ageStepUps(name, 400 * 24 * 3600);
  await page.getByRole("button", { name: "Renew tokens" }).click();
  await page.getByText("Your step-up is too old to renew the session").waitFor();
  await heading(page, "Sign in");
  await entry(page, "No tokens: evidence_expired");
  await picture(page, "08-too-old");
  await signIn(page, name);
});

test("a wrong password, a wrong code and a cancelled step-up let nobody in", async (context) => {
  const name = await makeUser("wrong");
  const page = await open(context);
  await typePassword(page, name, "Wrong1-horse-battery");
  await page.getByText("User name or password is not right.").waitFor();
  assert.deepEqual(await violations(page), []);
  await picture(page, "09-wrong-password");

  await typePassword(page, name);
  await codeField(page).fill("000000");
  await blockId(page).getByRole("button", { name: "Verify" }).click();
  await blockId(page).getByText("That code is not right").waitFor();
  await blockId(page).getByRole("button", { name: "Cancel" }).click();
  await page.getByText("The step-up was not completed at BlockID").waitFor();
  await picture(page, "10-denied");

  await typePassword(page, name);
  await codeField(page).waitFor();
  await page.getByRole("button", { name: "Cancel" }).first().click();
  await page.getByText("You cancelled. Nothing was changed.").waitFor();
  assert.equal(await page.locator("iframe").count(), 0);
});

test("where the frame will not do, a full page does", async (context) => {
  const name = await makeUser("fullpage");
  const page = await open(context);
  await typePassword(page, name);
  await page.getByRole("button", { name: "Open on a full page instead" }).click();
  await page.waitForURL(`${system.blockid_url}/**`);
  await page.locator('input[value="otp"]').check();
  await page.getByRole("textbox", { name: "Code" }).fill(CODE);
  await picture(page, "11-full-page");
  await page.getByRole("button", { name: "Verify" }).click();
  await heading(page, `Welcome, ${name}`);
  assert.equal(page.url(), demoUrl, "neither code nor state stays in the address");
  await page.getByText("What the tokens say").click();
  assert.equal(await claim(page, "ID token", "stepup_acr"), "otp");
});

test("a return that nobody waits for signs nobody in", async (context) => {
  const page = await open(context, { url: `${demoUrl}callback?code=theirs&state=theirs` });
  await page.getByText("does not belong to a sign-in in this tab").waitFor();
  assert.equal(page.url(), demoUrl);
});

test("two tabs at once sign in two users, each its own", async (context) => {
  const [first, second] = [await makeUser("tab"), await makeUser("tab")];
  const one = await open(context);
  const two = await one.context().newPage();
  await two.goto(demoUrl);
  await typePassword(one, first);
  await typePassword(two, second);
  await completeStepUp(two, "otp");
  // A click in the frame of a tab that is not in front is not always delivered.
  await one.bringToFront();
  await completeStepUp(one, "liveID push");
  await heading(one, `Welcome, ${first}`);
  await heading(two, `Welcome, ${second}`);
  for (const [page, method] of [[one, "liveID push"], [two, "otp"]]) {
    await page.getByText("What the tokens say").click();
    assert.equal(await claim(page, "ID token", "stepup_acr"), method);
  }
});

test("a slow BlockID page says so, and works", async (context) => {
  const name = await makeUser("slow");
  const page = await open(context);
  await page.route(`${system.blockid_url}/oauth2/**`, async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 5000));
    await route.continue();
  }, { times: 1 });
  await typePassword(page, name);
  await page.getByText("BlockID is taking longer than usual").waitFor();
  await picture(page, "12-slow");
  await completeStepUp(page);
  await heading(page, `Welcome, ${name}`);
});

test("the keyboard alone is enough", async (context) => {
  const name = await makeUser("keys");
  const page = await open(context);
  await heading(page, "Sign in");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to content");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await page.keyboard.type(name);
  await page.keyboard.press("Tab");
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await heading(page, "Verify that it is you");
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "H1");
  const code = codeField(page);
  await code.waitFor();
  for (let presses = 0; presses < 6; presses += 1) {
    if (await code.evaluate((element) => element === element.ownerDocument.activeElement && element.ownerDocument.hasFocus())) break;
    await page.keyboard.press("Tab");
  }
  await page.keyboard.type(CODE);
  await page.keyboard.press("Enter");
  await heading(page, `Welcome, ${name}`);
});

for (const [colorScheme, width] of [["dark", 1280], ["light", 390], ["dark", 390]]) {
  test(`it is at home ${width} wide in the ${colorScheme}`, async (context) => {
    const name = await makeUser("looks");
    const page = await open(context, { colorScheme, viewport: { width, height: 844 } });
    await heading(page, "Sign in");
    const check = async (view) => {
      assert.deepEqual(await violations(page), [], view);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.equal(overflow, 0, `${view} scrolls sideways`);
      await picture(page, `${view}-${colorScheme}-${width}`);
    };
    await check("20-sign-in");
    await typePassword(page, name);
    await codeField(page).waitFor();
    await check("21-step-up");
    await completeStepUp(page);
    await heading(page, `Welcome, ${name}`);
    await entry(page, "tokens may be made");
    await page.getByText("What the tokens say").click();
    await check("22-signed-in");
  });
}
