/** What happens underneath: told by the browser itself and by the lines that the triggers write. */
import { h } from "./dom.js";
import { details, tell } from "./words.js";

const DONE = {
  SignUp: "Makes the account, which must still be confirmed, and mails a code.",
  ConfirmSignUp: "The code is right: the account is confirmed.",
};
/** Looks for new events this long after something was sent; a trigger's line takes a moment to its log group. */
const LOOKS_MS = [150, 700, 2000];
/** A trigger may have begun before the browser noticed. */
const EARLIER_MS = 50;

const LANES = { cognito: "Cognito", api: "Bank’s API" };
const list = document.getElementById("timeline");
const empty = document.getElementById("timeline-empty");
let entries = [];
let seen = new Set();
let sinceMs = Date.now();
let journeys = new Set();

/** Begins a chapter. */
export function chapter(title) {
  add({ atMs: Date.now(), title });
  sinceMs = Math.min(sinceMs, Date.now() - EARLIER_MS);
}

/** Notes something; `lane` is `browser`, `cognito`, `trigger`, `blockid` or `api`. */
export function note(lane, name, text, { more = "", refused = false } = {}) {
  add({ atMs: Date.now(), lane, name, text, more, refused });
}

/** A journey of this tab: events of others are not shown. */
export function follow(journeyId) {
  journeys.add(journeyId);
  look();
}

/** Looks for what the triggers wrote. */
export function look() {
  for (const delayMs of LOOKS_MS) setTimeout(fetchEvents, delayMs);
}

/** Forgets everything shown. */
export function clear() {
  entries = [];
  sinceMs = Date.now();
  draw();
}

async function fetchEvents() {
  const response = await fetch(`/demo/events?since_ms=${sinceMs}`).catch(() => undefined);
  if (!response?.ok) return;
  for (const event of (await response.json()).events) {
    // Without a journey it is a refresh, or a refusal before there was one.
    if (seen.has(event.event_id) || (event.journey_id && !journeys.has(event.journey_id))) continue;
    seen.add(event.event_id);
    const [name, text] = tell(event);
    const refused = event.type === "failed" || event.type === "refused_tokens";
    add({ atMs: event.at_unix_ms, lane: "trigger", name, text, more: details(event), refused });
  }
}

function add(entry) {
  entries.push(entry);
  entries.sort((a, b) => a.atMs - b.atMs);
  draw();
  // Where the timeline has a height of its own, the newest stays in sight.
  const box = list.closest("aside");
  box.scrollTop = box.scrollHeight;
}

/** Draws all again, keeping the elements that are there. */
function draw() {
  empty.hidden = entries.length > 0;
  let begunMs = entries[0]?.atMs ?? 0;
  list.replaceChildren(
    ...entries.map((entry) => {
      if (entry.title) begunMs = entry.atMs;
      entry.element ??= element(entry);
      const time = entry.element.querySelector("time");
      if (time) time.textContent = `+${((entry.atMs - begunMs) / 1000).toFixed(2)} s`;
      return entry.element;
    }),
  );
}

function element(entry) {
  if (entry.title) return h("li.begin", {}, entry.title);
  return h(
    `li.lane-${entry.lane}${entry.refused ? ".refused" : ""}`,
    {},
    h("div.head", {}, h("span.lane", {}, LANES[entry.lane] ? `${LANES[entry.lane]} · ${entry.name}` : entry.name), h("time", {})),
    h("p", {}, entry.text),
    entry.more && h("p.more", {}, entry.more),
  );
}

/** Notes every call of Cognito and of the bank's API. Install it before anything that calls. */
export function watchCalls(endpoint) {
  const real = globalThis.fetch;
  globalThis.fetch = async (input, init) => {
    const url = new URL(typeof input === "string" ? input : (input.url ?? input.href), location.href);
    const response = await real(input, init);
    if (url.href.startsWith(endpoint)) await noteCognito(init, response.clone());
    else if (url.pathname.startsWith("/api/")) noteApi(url, init, response);
    return response;
  };
}

async function noteCognito(init, response) {
  const operation = new Headers(init?.headers).get("x-amz-target")?.split(".")[1] ?? "Cognito";
  const answer = await response.json().catch(() => ({}));
  const asked = answer.ChallengeName;
  if (answer.ChallengeParameters?.journey_id) follow(answer.ChallengeParameters.journey_id);
  if (!response.ok) note("cognito", operation, `Refused: ${answer.__type?.split("#").at(-1) ?? response.status}.`, { more: answer.message, refused: true });
  else if (asked === "PASSWORD_VERIFIER") note("cognito", operation, "Asks define what comes first: the password, always. It is proven by SRP and never leaves the browser.");
  else if (answer.ChallengeParameters?.kind === "session_proof") note("cognito", operation, "Asks define: an action needs the proof of a signed-in session first.");
  else if (asked === "CUSTOM_CHALLENGE") note("cognito", operation, "Hands the challenge to the browser.", { more: answer.ChallengeParameters.journey_id });
  else if (answer.AuthenticationResult) note("cognito", operation, "Signs the tokens that the gate let pass.");
  else note("cognito", operation, DONE[operation] ?? "Done.");
  look();
}

function noteApi(url, init, response) {
  const call = `${init?.method ?? "GET"} ${url.pathname}`;
  if (response.status === 401) {
    note("api", call, "Wants more than this token proves (RFC 9470).", { more: response.headers.get("www-authenticate") ?? "", refused: true });
  } else note("api", call, response.ok ? "Token verified, step-up sufficient: done." : `Answered ${response.status}.`, { refused: !response.ok });
}
