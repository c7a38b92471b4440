/**
 * The step-up on a page of its own, for browsers that block frames or third-party cookies.
 *
 * The app must have a return address (`return_url`), and BlockID must know it as a redirect URI of the client. What is needed to go on lies in
 * `sessionStorage` meanwhile, under the challenge's state: in this tab only, for this journey only, once.
 */
import { readChallenge, withMethod, withParameter } from "./challenge.js";
import { StepUpError } from "./errors.js";
import { answerOf } from "./step-up.js";

/** @typedef {import("./challenge.js").ChallengeParameters} ChallengeParameters */
/** @typedef {import("./step-up.js").StepUpAnswer} StepUpAnswer */

const PREFIX = "stepgate.redirect.";

/**
 * What is kept while the user is away.
 * @typedef {object} Kept
 * @property {1} v
 * @property {string} journeyId
 * @property {number} expiresAtMs
 * @property {unknown} resume
 */

/**
 * Leaves the app for BlockID's page. Nothing after this call runs.
 *
 * @param {object} options
 * @param {ChallengeParameters} options.challenge Public challenge parameters, as Cognito gave them.
 * @param {unknown} options.resume What the app needs to answer the challenge afterwards (user name, Cognito session); anything JSON can hold.
 * @param {string} [options.method] One of the offered methods, to offer only that one.
 * @param {Pick<Storage, "setItem" | "removeItem" | "getItem" | "key" | "length">} [options.storage]
 * @param {(url: string) => void} [options.navigate]
 */
export function startRedirect({ challenge: parameters, resume, method, storage = sessionStorage, navigate = (url) => location.assign(url) }) {
  const challenge = readChallenge(parameters, Date.now());
  if (!challenge.returnUrl) throw new StepUpError("redirect_unavailable", "the app has no return_url");
  if (method !== undefined && !challenge.methods.includes(method)) throw new StepUpError("challenge_invalid", "the method is not offered");
  const narrowed = method === undefined ? challenge.url : withMethod(challenge.url, method);
  forgetExpired(storage);
  /** @type {Kept} */
  const kept = { v: 1, journeyId: challenge.journeyId, expiresAtMs: Date.now() + challenge.openMs, resume };
  storage.setItem(PREFIX + challenge.state, JSON.stringify(kept));
  navigate(withParameter(narrowed, "redirect_uri", challenge.returnUrl).href);
}

/**
 * Whether this page was opened by BlockID's return.
 * @param {string} [url]
 */
export function isRedirectReturn(url = location.href) {
  const query = new URL(url).searchParams;
  return query.has("state") && (query.has("code") || query.has("error"));
}

/**
 * Takes up a sign-in after the return. Code and state leave the address bar at once, so that neither history nor a copied link holds them.
 *
 * @param {object} [options]
 * @param {string} [options.url]
 * @param {Pick<Storage, "removeItem" | "getItem">} [options.storage]
 * @param {(url: string) => void} [options.replaceUrl]
 * @returns {StepUpAnswer & { resume: any }} Throws {@link StepUpError}.
 */
export function finishRedirect({ url = location.href, storage = sessionStorage, replaceUrl = (clean) => history.replaceState(history.state, "", clean) } = {}) {
  const here = new URL(url);
  const value = (/** @type {string} */ name) => here.searchParams.get(name) ?? undefined;
  const posted = { state: value("state") ?? "", code: value("code"), error: value("error") };
  for (const name of ["code", "state", "error", "error_description", "iss", "session_state"]) here.searchParams.delete(name);
  replaceUrl(here.href);
  const key = PREFIX + posted.state;
  const kept = readKept(storage.getItem(key));
  storage.removeItem(key);
  if (!kept) throw new StepUpError("redirect_unknown", "nobody in this tab waits for this return");
  if (Date.now() > kept.expiresAtMs) throw new StepUpError("expired", "the challenge closed before BlockID returned");
  return { ...answerOf(posted, posted.state, kept.journeyId, { stepgate_return: true }), resume: kept.resume };
}

/**
 * @param {string | null} text
 * @returns {Kept | undefined}
 */
function readKept(text) {
  try {
    const kept = JSON.parse(text ?? "");
    return kept?.v === 1 && typeof kept.journeyId === "string" && typeof kept.expiresAtMs === "number" ? kept : undefined;
  } catch {
    return undefined;
  }
}

/** @param {Pick<Storage, "removeItem" | "getItem" | "key" | "length">} storage */
function forgetExpired(storage) {
  const keys = Array.from({ length: storage.length }, (_, index) => storage.key(index) ?? "");
  for (const key of keys.filter((name) => name.startsWith(PREFIX))) {
    const kept = readKept(storage.getItem(key));
    if (!kept || Date.now() > kept.expiresAtMs) storage.removeItem(key);
  }
}
