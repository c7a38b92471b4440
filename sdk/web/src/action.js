/**
 * The step-up of a signed-in user for one action. The app's session stays as it is: the tokens that come out are good for this action alone.
 */
import { callCognito } from "./cognito.js";
import { StepUpError } from "./errors.js";
import { actionRef, stepUpRequired } from "./rfc9470.js";
import { stepUp } from "./step-up.js";

/** @typedef {import("./cognito.js").CognitoSettings} CognitoSettings */
/** @typedef {Omit<import("./step-up.js").StepUpOptions, "challenge">} FrameOptions */

/**
 * @typedef {object} ActionTokens
 * @property {string} accessToken For the one call.
 * @property {string} idToken
 * @property {number} expiresInS
 */

/**
 * @typedef {FrameOptions & {
 *   cognito: CognitoSettings,
 *   accessToken: string,
 *   transaction?: Record<string, string>,
 * }} ActionOptions
 */

/**
 * Steps up for `action`.
 *
 * @param {ActionOptions & { action: string, acrValues?: string[] }} options `accessToken` is the session's; `transaction` is what the user was
 *   shown; `acrValues` narrows the methods to those the API takes.
 * @returns {Promise<ActionTokens>} Rejects with {@link StepUpError}.
 */
export async function stepUpForAction({ cognito, accessToken, action, transaction, acrValues = [], ...frame }) {
  const call = (/** @type {"InitiateAuth" | "RespondToAuthChallenge"} */ operation, /** @type {Record<string, unknown>} */ body) =>
    callCognito(cognito, operation, body, frame.signal);
  const username = claimsOf(accessToken).username;
  if (typeof username !== "string") throw new StepUpError("challenge_invalid", "accessToken is not an access token of a user pool");
  /** @type {Record<string, string>} */
  const metadata = { action };
  if (transaction) metadata.action_ref = await actionRef(transaction);

  let answer = await call("InitiateAuth", { AuthFlow: "CUSTOM_AUTH", AuthParameters: { USERNAME: username } });
  const respond = (/** @type {string} */ text, /** @type {Record<string, string>} */ more) =>
    call("RespondToAuthChallenge", {
      ChallengeName: "CUSTOM_CHALLENGE",
      Session: answer.Session,
      ChallengeResponses: { USERNAME: answer.ChallengeParameters?.USERNAME ?? username, ANSWER: text },
      ClientMetadata: { ...metadata, ...more },
    });
  if (answer.ChallengeParameters?.kind !== "session_proof") {
    throw new StepUpError("challenge_invalid", "Cognito did not ask for the proof of the session");
  }
  answer = await respond(JSON.stringify({ access_token: accessToken, action }), {});
  // A wrong answer brings the next challenge, as often as the policy allows.
  while (!answer.AuthenticationResult) {
    const done = await stepUp({
      ...frame,
      challenge: answer.ChallengeParameters ?? {},
      onMethod: async (offered) => {
        const taken = acrValues.length > 0 ? offered.filter((method) => acrValues.includes(method)) : offered;
        if (taken.length === 0) throw new StepUpError("sign_in_required", "the policy offers none of the methods that the API takes");
        return (await frame.onMethod?.(taken)) ?? (taken.length === 1 ? taken[0] : undefined);
      },
    });
    answer = await respond(done.answer, done.clientMetadata);
  }
  const { AccessToken, IdToken, ExpiresIn } = answer.AuthenticationResult;
  return { accessToken: AccessToken, idToken: IdToken, expiresInS: ExpiresIn };
}

/**
 * `fetch`, which steps up when the API asks for it and then repeats the call once with the action's token.
 *
 * @param {RequestInfo | URL} input
 * @param {RequestInit | undefined} init Its body must be repeatable: a text, not a stream.
 * @param {ActionOptions} options
 * @returns {Promise<Response>} Rejects with {@link StepUpError} when the step-up does not succeed.
 */
export async function fetchWithStepUp(input, init, options) {
  const send = (/** @type {string} */ token) => {
    const headers = new Headers(init?.headers);
    headers.set("authorization", `Bearer ${token}`);
    return fetch(input, { ...init, headers });
  };
  const first = await send(options.accessToken);
  const required = stepUpRequired(first);
  if (first.status !== 401 || !required) return first;
  if (!required.action) throw new StepUpError("sign_in_required", "the API asks for a newer or stronger sign-in");
  const { transaction } = options;
  // An API, or whoever stands between, must not choose what the user agrees to.
  if (required.actionRef && (!transaction || (await actionRef(transaction)) !== required.actionRef)) {
    throw new StepUpError("transaction_mismatch", "the API asks for another transaction than the user was shown");
  }
  const { accessToken } = await stepUpForAction({ ...options, action: required.action, acrValues: required.acrValues });
  return send(accessToken);
}

/**
 * The claims of a token, unverified: to show them, and to know whose it is. Whoever decides by them is the API, which verifies.
 * @param {string} token
 * @returns {Record<string, unknown>}
 */
export function claimsOf(token) {
  try {
    const bytes = atob((token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/"));
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0))));
  } catch {
    return {};
  }
}
