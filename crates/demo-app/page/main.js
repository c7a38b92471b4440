/** The page's one controller: which view is shown, and what its buttons do. */
import { StepUpError, fetchWithStepUp, isRedirectReturn } from "/sdk/index.js";
import { Account } from "./account.js";
import { announce, h } from "./dom.js";
import * as timeline from "./timeline.js";
import * as views from "./views.js";
import { explain, methodName } from "./words.js";

const SLOW_MS = 4000;

const settings = await (await fetch("/settings.json")).json();
settings.endpoint = new URL(settings.endpoint, location.href).href;
timeline.watchCalls(settings.endpoint);
const account = new Account(settings);
let usedToken;

document.getElementById("clear").addEventListener("click", timeline.clear);

/** Shows a view and moves the focus to its heading, so that a keyboard or screen reader goes on there. */
function show(element, { focus = true } = {}) {
  document.getElementById("view").replaceChildren(element);
  const heading = element.querySelector("h1");
  document.title = `${heading.textContent} · Acme Bank`;
  showWho();
  window.scrollTo(0, 0);
  if (focus) heading.focus();
}

function showWho() {
  const name = account.session ? account.user.getUsername() : undefined;
  const children = name ? [h("bdi", {}, name), h("button.second.small", { type: "button", onclick: signOut }, "Sign out")] : [];
  document.getElementById("who").replaceChildren(...children);
}

const bad = (text) => h("p.notice.bad", { role: "alert" }, text);
const good = (text) => h("p.notice.good", { role: "status" }, text);

function showWelcome(message, options) {
  show(views.welcome({ user: settings.user, signIn, register: showRegister, explain, message }), options);
}

function showRegister() {
  const signUp = async ({ username, email, password }) => {
    timeline.chapter("Register");
    await account.signUp(username, email, password);
    await showConfirm({ username, email, password });
  };
  show(views.register({ signUp, back: () => showWelcome(), explain }));
}

async function showConfirm({ username, email, password }) {
  const answer = await fetch(`/demo/mailbox?address=${encodeURIComponent(email)}`);
  const mail = answer.ok ? await answer.json() : undefined;
  const submit = async ({ code }) => {
    await account.confirm(username, code);
    announce("Your account is confirmed.");
    await signIn({ username, password });
  };
  show(views.confirm({ email, mail, submit, explain }));
}

/** The frame's side of a step-up: shows it when there is a challenge, and tells the timeline. */
function stepUpView(title, text, { fullPage } = {}) {
  const controller = new AbortController();
  const view = views.stepUp({ title, text, cancel: () => controller.abort(), fullPage: fullPage && (() => fullPage(controller)) });
  const slow = setTimeout(view.slow, SLOW_MS);
  let shown = false;
  return {
    container: view.container,
    signal: controller.signal,
    title: "BlockID: verify that it is you",
    onMethod: (methods) => {
      // The SDK opens the frame next, and it must be in the page by then.
      show(view.element);
      shown = true;
      timeline.note("browser", "Browser", `May step up by ${methods.map(methodName).join(", ")}.`);
    },
    onEvent: (event) => {
      if (event.type === "opened") timeline.note("browser", "Browser", `Opens BlockID’s page in a frame. One message counts: of ${event.origin}, from this frame.`);
      if (event.type === "loaded") {
        clearTimeout(slow);
        view.loaded();
      }
      if (event.type === "ignored") timeline.note("browser", "Browser", `Ignored a message (${event.why}).`, { more: event.from, refused: true });
      if (event.type === "answered") timeline.note("blockid", "BlockID", "Posts code and state to the page. The frame goes away.");
      if (event.type === "closed") {
        clearTimeout(slow);
        if (shown) show(views.waiting("One moment…"), { focus: false });
      }
    },
  };
}

async function signIn({ username, password }) {
  timeline.chapter(`Sign in as ${username}`);
  let onFullPage = false;
  const frame = stepUpView("Verify that it is you", "This is BlockID’s own page. The bank never sees what you enter in it.", {
    fullPage: (controller) => {
      onFullPage = true;
      controller.abort();
    },
  });
  try {
    await account.signIn(username, password, frame);
    await showHome(good("You are signed in."));
  } catch (error) {
    if (onFullPage) return signInOnFullPage(username, password);
    // A wrong password is the form's to show; anything later left the form.
    if (document.querySelector("form") && error instanceof StepUpError) throw error;
    showWelcome(bad(explain(error)));
  }
}

/** Begins anew: the challenge of the frame was open there and may have been seen. */
async function signInOnFullPage(username, password) {
  timeline.chapter("Sign in on a full page");
  try {
    await account.signIn(username, password, { ...stepUpView("", ""), redirect: true });
  } catch (error) {
    showWelcome(bad(explain(error)));
  }
}

async function showHome(message, options) {
  const { id } = account.claims;
  const again = usedToken && (() => sendAgain());
  show(views.home({ name: id["cognito:username"], claims: account.claims, balance, transfer, again, renew, explain, message }), options);
}

async function balance() {
  timeline.chapter("Show the balance");
  const answer = await fetchWithStepUp("/api/balance", undefined, { cognito: settings, accessToken: account.accessToken, container: document.body });
  if (!answer.ok) throw new StepUpError("sign_in_required", "the balance was not shown");
  return answer.json();
}

async function transfer({ to, amount }) {
  const transaction = { to, amount, currency: "EUR" };
  timeline.chapter(`Transfer ${amount} EUR`);
  try {
    const frame = stepUpView("Confirm the transfer", `${amount} EUR to ${to}. Confirm it with a LiveID push.`);
    const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(transaction) };
    const answer = await fetchWithStepUp("/api/transfers", init, { ...frame, cognito: settings, accessToken: account.accessToken, transaction });
    if (answer.status !== 201) throw new StepUpError("sign_in_required", `the bank answered ${answer.status}`);
    await showHome(good(`Sent ${amount} EUR to ${to}. The step-up was good for this one transfer.`));
  } catch (error) {
    await showHome(bad(explain(error)));
  }
}

/** Remembers the token that an action was done with, to show that it is used up. */
const forward = globalThis.fetch;
let lastTransfer;
globalThis.fetch = async (input, init) => {
  const response = await forward(input, init);
  if (input === "/api/transfers" && response.status === 201) {
    usedToken = new Headers(init.headers).get("authorization");
    lastTransfer = init.body;
  }
  return response;
};

async function sendAgain() {
  timeline.chapter("Send again with the used token");
  const headers = { authorization: usedToken, "content-type": "application/json" };
  const answer = await fetch("/api/transfers", { method: "POST", headers, body: lastTransfer });
  const problem = await answer.json();
  await showHome(answer.ok ? bad("It went through a second time.") : good(`Refused, as it must be: ${problem.detail}`));
}

async function renew() {
  timeline.chapter("Renew the tokens");
  try {
    await account.renew();
    await showHome(good("Tokens renewed, on the strength of the same step-up."));
  } catch (error) {
    account.signOut();
    showWelcome(bad(explain(error)));
  }
}

function signOut() {
  account.signOut();
  usedToken = undefined;
  timeline.chapter("Signed out");
  showWelcome(good("You are signed out."));
}

async function begin() {
  if (isRedirectReturn()) {
    timeline.chapter("Back from BlockID");
    show(views.waiting("One moment…"));
    try {
      await account.resume();
      history.replaceState(null, "", "/");
      return await showHome(good("You are signed in."));
    } catch (error) {
      history.replaceState(null, "", "/");
      return showWelcome(bad(explain(error)));
    }
  }
  if (await account.restore()) return showHome(undefined, { focus: false });
  return showWelcome(undefined, { focus: false });
}

await begin();
