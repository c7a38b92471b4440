/**
 * The answer by which an API asks for a step-up (RFC 9470, with `stepup_action` and `action_ref` of Stepgate's resource-server crate).
 */

/**
 * @typedef {object} StepUpRequired
 * @property {string[]} acrValues Methods that the API takes; empty: any.
 * @property {number | undefined} maxAgeS How old the step-up may be, s.
 * @property {string | undefined} action Action to be stepped up for; without it a normal sign-in is asked for.
 * @property {string | undefined} actionRef Hash of the transaction that the API was asked for.
 */

/** RFC 9110, sections 5.6.2 and 11.2: a scheme, or a parameter with a token or a quoted string. */
const PART = /\s*,?\s*(?:([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([\w!#$%&'*+.^`|~-]+))|([\w!#$%&'*+.^`|~-]+)(?=[\s,]|$))/gy;

/**
 * Reads what an API wants.
 * @param {Response | Headers | string | null} from A response, its headers, or the text of `WWW-Authenticate`.
 * @returns {StepUpRequired | undefined} Nothing, if it does not ask for a step-up.
 */
export function stepUpRequired(from) {
  const text = typeof from === "string" || from === null ? from : ("headers" in from ? from.headers : from).get("www-authenticate");
  for (const { scheme, parameters } of challenges(text ?? "")) {
    if (scheme !== "bearer" || parameters.get("error") !== "insufficient_user_authentication") continue;
    const age = parameters.get("max_age") ?? "";
    const acrs = parameters.get("acr_values")?.split(" ") ?? [];
    return {
      acrValues: acrs.filter(Boolean).map(decode),
      maxAgeS: /^\d{1,9}$/.test(age) ? Number(age) : undefined,
      action: parameters.has("stepup_action") ? decode(parameters.get("stepup_action") ?? "") : undefined,
      actionRef: parameters.has("action_ref") ? decode(parameters.get("action_ref") ?? "") : undefined,
    };
  }
  return undefined;
}

/**
 * @param {string} text
 * @returns {{ scheme: string, parameters: Map<string, string> }[]}
 */
function challenges(text) {
  /** @type {{ scheme: string, parameters: Map<string, string> }[]} */
  const found = [];
  for (const [, name = "", quoted, plain = "", scheme] of text.matchAll(PART)) {
    if (scheme) found.push({ scheme: scheme.toLowerCase(), parameters: new Map() });
    else found.at(-1)?.parameters.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, "$1") ?? plain);
  }
  return found;
}

/** @param {string} text */
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * The hash by which app and API name one transaction. Compute it from what the user is shown, never take it over from an answer.
 * @param {Record<string, string>} transaction All values are texts, amounts too.
 */
export async function actionRef(transaction) {
  const sorted = Object.fromEntries(Object.entries(transaction).sort(([a], [b]) => (a < b ? -1 : 1)));
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(sorted)));
  return btoa(String.fromCharCode(...new Uint8Array(hash))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
