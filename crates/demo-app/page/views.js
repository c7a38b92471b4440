/** What is shown. Each view is made of the values it is given and calls back; it keeps nothing. */
import { busy, field, h } from "./dom.js";
import { methodName } from "./words.js";

/** A form whose submit button is busy while its work goes on, and which shows what went wrong. */
function form(button, fields, work, explain) {
  const problem = h("div", { role: "alert" });
  const element = h("form.stack", { novalidate: true }, ...fields, problem, button);
  const run = busy(
    button,
    async () => {
      problem.replaceChildren();
      const missing = [...element.elements].find((control) => control.willValidate && !control.checkValidity());
      if (missing) {
        missing.focus();
        throw Object.assign(new Error(`${missing.labels[0].firstChild.textContent}: ${missing.validationMessage}`), { shown: true });
      }
      await work(Object.fromEntries(new FormData(element)));
    },
    (error) => problem.replaceChildren(h("p.notice.bad", {}, error.shown ? error.message : explain(error))),
  );
  element.addEventListener("submit", run);
  return element;
}

export function welcome({ user, signIn, register, explain, message }) {
  const name = { name: "username", autocomplete: "username", autocapitalize: "none", spellcheck: "false", maxlength: 128 };
  const fields = [field("User name", name), field("Password", { name: "password", type: "password", autocomplete: "current-password" })];
  const element = form(h("button.wide", { type: "submit" }, "Sign in"), fields, signIn, explain);
  const fill = () => {
    element.elements.username.value = user.username;
    element.elements.password.value = user.password;
    element.requestSubmit();
  };
  return h(
    "div.card.split",
    {},
    h(
      "div.stack",
      {},
      h("h1", { tabindex: -1 }, "Sign in"),
      message,
      element,
      h("div.row", {}, h("button.second", { type: "button", onclick: fill }, `Sign in as ${user.username}`), h("button.quiet", { type: "button", onclick: register }, "Create an account")),
    ),
    h(
      "ol.steps",
      { "aria-label": "What you will see" },
      h("li", {}, h("div", {}, h("strong", {}, "Password"), h("span", {}, "Proven to Cognito by SRP. It opens nothing by itself."))),
      h("li", {}, h("div", {}, h("strong", {}, "Step-up"), h("span", {}, "BlockID’s own page in a frame, with the methods that the policy offers."))),
      h("li", {}, h("div", {}, h("strong", {}, "Tokens"), h("span", {}, "Issued only past the gate, and they say how you stepped up."))),
      h("li", {}, h("div", {}, h("strong", {}, "A transfer"), h("span", {}, "Wants a step-up of its own, good for this one transfer."))),
    ),
  );
}

export function register({ signUp, back, explain }) {
  const fields = [
    field("User name", { name: "username", autocomplete: "username", autocapitalize: "none", spellcheck: "false", maxlength: 128 }),
    field("E-mail address", { name: "email", type: "email", autocomplete: "email" }, "Nothing is mailed: the code is shown here."),
    field("Password", { name: "password", type: "password", autocomplete: "new-password", minlength: 12 }, "12 characters or more, with upper and lower case and a digit."),
  ];
  return h(
    "div.card",
    {},
    h("div.stack.narrow", {}, h("h1", { tabindex: -1 }, "Create an account"), form(h("button.wide", { type: "submit" }, "Create account"), fields, signUp, explain), h("div", {}, h("button.quiet", { type: "button", onclick: back }, "Back to sign-in"))),
  );
}

export function confirm({ email, mail, submit, explain }) {
  const code = field("Code", { name: "code", class: "code", inputmode: "numeric", autocomplete: "one-time-code", maxlength: 6, pattern: "[0-9]{6}" });
  return h(
    "div.card",
    {},
    h(
      "div.stack.narrow",
      {},
      h("h1", { tabindex: -1 }, "Confirm your address"),
      h("p.soft", {}, "Cognito mailed a code to ", h("bdi", {}, email), "."),
      h("div.mail", {}, h("span.soft", {}, "The demonstration’s mailbox"), mail ? h("span", {}, "Your code is ", h("b", {}, mail.code)) : h("span", {}, "No message has arrived.")),
      form(h("button.wide", { type: "submit" }, "Confirm"), [code], submit, explain),
    ),
  );
}

/** The step-up; hands back its element and the container for the frame. */
export function stepUp({ title, text, cancel, fullPage }) {
  const wait = h("div.wait", {}, h("div.spinner", { "aria-hidden": "true" }), h("p", { role: "status" }, "Loading BlockID’s page…"));
  const container = h("div.frame", {}, wait);
  const element = h(
    "div.card.stack",
    {},
    h("h1", { tabindex: -1 }, title),
    h("p.lead", {}, text),
    container,
    h("div.row", {}, h("button.second", { type: "button", onclick: cancel }, "Cancel"), fullPage && h("button.quiet", { type: "button", onclick: fullPage }, "Open on a full page instead")),
  );
  return { element, container, loaded: () => wait.remove(), slow: () => (wait.lastChild.textContent = "BlockID is taking longer than usual…") };
}

export function waiting(text) {
  return h("div.card.stack", {}, h("h1", { tabindex: -1 }, text), h("div.spinner", { "aria-hidden": "true" }));
}

const when = (seconds) => new Date(Number(seconds) * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** The signed-in page. */
export function home({ name, claims, balance, transfer, again, renew, explain, message }) {
  const { id, access } = claims;
  const methods = String(id.stepup_acr ?? "none");
  const balanceResult = h("div", { role: "status" });
  const balanceButton = h("button.second", { type: "button" }, "Show balance");
  balanceButton.addEventListener(
    "click",
    busy(
      balanceButton,
      async () => {
        const shown = await balance();
        balanceResult.replaceChildren(h("p.amount", {}, `${shown.balance} ${shown.currency}`));
      },
      (error) => balanceResult.replaceChildren(h("p.notice.bad", {}, explain(error))),
    ),
  );
  const renewButton = h("button.second", { type: "button" }, "Renew tokens");
  renewButton.addEventListener("click", busy(renewButton, renew, () => {}));
  const fields = [
    field("To", { name: "to", value: "DE02 1203 0000 0000 2020 51", autocomplete: "off", maxlength: 40 }),
    field("Amount (EUR)", { name: "amount", value: "12.50", inputmode: "decimal", autocomplete: "off", pattern: "[0-9]{1,6}[.][0-9]{2}", maxlength: 9 }, "With two decimals"),
  ];
  return h(
    "div.card.stack",
    {},
    h("h1", { tabindex: -1 }, "Welcome, ", h("bdi", {}, name)),
    message,
    h(
      "dl.facts",
      { "aria-label": "Your step-up" },
      h("div", {}, h("dt", {}, "Stepped up by"), h("dd", {}, methodName(methods))),
      h("div", {}, h("dt", {}, "At"), h("dd", {}, id.stepup_at ? when(id.stepup_at) : "–")),
      h("div", {}, h("dt", {}, "Policy version"), h("dd", {}, String(id.stepup_policy ?? "–"))),
      h("div", {}, h("dt", {}, "Tokens until"), h("dd", {}, when(access.exp))),
    ),
    h(
      "div.panels",
      {},
      h("section.panel", { "aria-labelledby": "balance" }, h("h2", { id: "balance" }, "Balance"), h("p.soft", {}, "The API wants a step-up of the last 15 minutes: the sign-in’s will do."), balanceResult, h("div.row", {}, balanceButton, renewButton)),
      h(
        "section.panel",
        { "aria-labelledby": "transfer" },
        h("h2", { id: "transfer" }, "Transfer"),
        h("p.soft", {}, "The API wants a fresh LiveID push, made for exactly this transfer."),
        form(h("button", { type: "submit" }, "Send"), [h("div.fields", {}, ...fields)], transfer, explain),
        again && h("button.quiet", { type: "button", onclick: again }, "Send again with the used token"),
      ),
    ),
    h("details", {}, h("summary", {}, "What the tokens say"), h("div.panels", {}, claimsTable("ID token", id), claimsTable("Access token", access))),
  );
}

function claimsTable(caption, claims) {
  const rows = Object.entries(claims)
    .sort(([a], [b]) => Number(isOurs(b)) - Number(isOurs(a)) || a.localeCompare(b))
    .map(([name, value]) => h(isOurs(name) ? "tr.marked" : "tr", {}, h("th", { scope: "row" }, name), h("td", {}, typeof value === "string" ? value : JSON.stringify(value))));
  return h("table.claims", {}, h("caption", {}, caption), h("tbody", {}, ...rows));
}

const isOurs = (name) => name.startsWith("stepup_") || name === "action_ref";
