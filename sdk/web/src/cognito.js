/**
 * The two public calls of Cognito that an action step-up needs. No credentials, no SDK.
 */
import { StepUpError } from "./errors.js";

/**
 * Where the app's user pool is.
 * @typedef {object} CognitoSettings
 * @property {string} clientId App client id.
 * @property {string} [region] AWS region; not needed with `endpoint`.
 * @property {string} [endpoint] Replaces AWS's address, for emulators and private networks.
 */

/**
 * @param {CognitoSettings} settings
 * @param {"InitiateAuth" | "RespondToAuthChallenge"} operation
 * @param {Record<string, unknown>} body
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export async function callCognito({ clientId, region, endpoint }, operation, body, signal) {
  let response;
  let answer;
  try {
    response = await fetch(endpoint ?? `https://cognito-idp.${region}.amazonaws.com/`, {
      method: "POST",
      headers: { "content-type": "application/x-amz-json-1.1", "x-amz-target": `AWSCognitoIdentityProviderService.${operation}` },
      body: JSON.stringify({ ClientId: clientId, ...body }),
      credentials: "omit",
      cache: "no-store",
      signal,
    });
    answer = await response.json();
  } catch (cause) {
    if (signal?.aborted) throw new StepUpError("cancelled", "the step-up was cancelled by the app", { cause });
    throw new StepUpError("network", `${operation} got no answer`, { cause });
  }
  if (!response.ok) throw refused(answer?.message ?? answer?.Message, `Cognito refused ${operation}`);
  return answer;
}

/**
 * Cognito quotes a trigger's error in its own text: `PreTokenGeneration failed with error no_grant.`
 * @param {unknown} text
 * @param {string} message
 * @param {unknown} [cause]
 */
export function refused(text, message, cause) {
  const reason = /\berror:? ([a-z][a-z0-9_]{2,63})\b\.?/.exec(String(text ?? ""))?.[1];
  return new StepUpError("refused", message, { reason, cause });
}
