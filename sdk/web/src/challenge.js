/**
 * The public challenge parameters, checked before anything is done with them.
 */
import { StepUpError } from "./errors.js";

/**
 * What Cognito hands to the app with `CUSTOM_CHALLENGE`: every value is a text.
 * @typedef {Readonly<Record<string, string | undefined>>} ChallengeParameters
 */

/**
 * A checked challenge.
 * @typedef {object} Challenge
 * @property {URL} url Authorize URL.
 * @property {string} origin The only origin whose message is believed: the one of the page that BlockID returns to.
 * @property {string} state
 * @property {string} journeyId
 * @property {string[]} methods ACR values that are offered, in order.
 * @property {number} openMs How long the challenge stays open from now, as far as this device's clock can tell.
 * @property {string | undefined} returnUrl Where a full-page redirect returns to.
 */

/** Cognito's own default, used when the device's clock is plainly wrong. */
const DEFAULT_OPEN_MS = 180_000;
/** Cognito keeps no challenge open longer. */
const LONGEST_OPEN_MS = 900_000;

/**
 * @param {string} text
 * @returns {URL | undefined} The address, if it is one that codes may travel to: HTTPS, or this machine.
 */
export function safeUrl(text) {
  try {
    const url = new URL(text);
    const local = url.protocol === "http:" && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname);
    return (url.protocol === "https:" || local) && !url.username && !url.password ? url : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Whether these are the parameters of a step-up, and not those of some other custom challenge of the app.
 * @param {ChallengeParameters | undefined} parameters
 */
export function isStepUp(parameters) {
  return parameters?.kind === "step_up" && parameters.authorize_url !== undefined;
}

/**
 * @param {ChallengeParameters} parameters
 * @param {number} nowMs
 * @returns {Challenge}
 */
export function readChallenge(parameters, nowMs) {
  const invalid = (/** @type {string} */ what) => new StepUpError("challenge_invalid", `challenge parameters: ${what}`);
  const url = safeUrl(parameters?.authorize_url ?? "");
  if (!url) throw invalid("authorize_url is missing or not HTTPS");
  const { state, journey_id: journeyId, tenant } = parameters;
  if (!state || url.searchParams.get("state") !== state) throw invalid("state is missing or not the one in authorize_url");
  if (!journeyId) throw invalid("journey_id is missing");
  const page = safeUrl(url.searchParams.get("redirect_uri") ?? "");
  if (!page || page.host !== tenant) throw invalid("redirect_uri does not lead to the tenant");
  const leftMs = Number(parameters.expires_at) * 1000 - nowMs;
  return {
    url,
    origin: page.origin,
    state,
    journeyId,
    methods: readMethods(parameters.methods),
    openMs: leftMs > 0 && leftMs <= LONGEST_OPEN_MS ? leftMs : DEFAULT_OPEN_MS,
    returnUrl: safeUrl(parameters.return_url ?? "")?.href,
  };
}

/** @param {string | undefined} text */
function readMethods(text) {
  try {
    /** @type {unknown} */
    const methods = JSON.parse(text ?? "");
    if (Array.isArray(methods)) return methods.filter((method) => typeof method === "string");
  } catch {
    // An older challenge does not list them; the provider's page does.
  }
  return [];
}

/**
 * The authorize URL that offers only `method`. *verify* compares with what the policy asked, so this can leave methods out and never add one.
 * @param {URL} url
 * @param {string} method
 */
export function withMethod(url, method) {
  const narrowed = new URL(url);
  const claims = JSON.parse(narrowed.searchParams.get("claims") ?? "{}");
  const acr = claims.id_token?.acr;
  if (acr) acr[acr.value ? "value" : "values"] = [method];
  return withParameter(narrowed, "claims", JSON.stringify(claims));
}

/**
 * Replaces one parameter and encodes all as the triggers do: a space is `%20`, not every server reads `+`.
 * @param {URL} url
 * @param {string} name
 * @param {string} value
 */
export function withParameter(url, name, value) {
  const changed = new URL(url);
  changed.searchParams.set(name, value);
  changed.search = changed.searchParams.toString().replaceAll("+", "%20");
  return changed;
}
