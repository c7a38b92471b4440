/**
 * What can go wrong, with a code to act on. Codes never change their meaning.
 *
 * | code | what happened | what an app does |
 * | --- | --- | --- |
 * | `challenge_invalid` | the challenge parameters are not those of a step-up | a bug, or a foreign challenge: start again |
 * | `cancelled` | the app aborted by its `signal` | nothing |
 * | `denied` | the user cancelled at BlockID, or BlockID refused | offer to try again |
 * | `provider_error` | BlockID reported another error (`reason` has it) | offer to try again |
 * | `expired` | the challenge closed before it was answered | sign in again |
 * | `frame_closed` | the frame was taken out of the page | as `cancelled` |
 * | `frame_blocked` | the browser did not let the frame load | `startRedirect`, or loosen the app's CSP |
 * | `state_mismatch` | the answer belongs to another challenge | sign in again |
 * | `redirect_unavailable` | the app has no return address | register one, or use the frame |
 * | `redirect_unknown` | nobody in this tab waits for this return | show the sign-in |
 * | `transaction_mismatch` | the API wants another transaction confirmed than the user was shown | stop; report it |
 * | `sign_in_required` | the API wants a newer or stronger sign-in | a normal sign-in |
 * | `new_password_required` | an administrator invited the user and nobody gave a new password | ask for one |
 * | `refused` | Cognito refused (`reason` has Stepgate's reason code, if one was told) | see the reason codes |
 * | `network` | no answer | offer to try again |
 *
 * @typedef {"challenge_invalid" | "cancelled" | "denied" | "provider_error" | "expired" | "frame_closed"
 *   | "frame_blocked" | "state_mismatch" | "redirect_unavailable" | "redirect_unknown" | "transaction_mismatch"
 *   | "sign_in_required" | "new_password_required" | "refused" | "network"} StepUpErrorCode
 */

/** An error of this package. Its message is for developers and holds no code, token or state. */
export class StepUpError extends Error {
  /**
   * @param {StepUpErrorCode} code
   * @param {string} message
   * @param {{ reason?: string, cause?: unknown }} [more]
   */
  constructor(code, message, { reason, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "StepUpError";
    /** @type {StepUpErrorCode} */
    this.code = code;
    /** @type {string | undefined} What BlockID or Stepgate gave as reason. */
    this.reason = reason;
  }
}
