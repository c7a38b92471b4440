/**
 * Sign-in with `amazon-cognito-identity-js`.
 *
 * ```js
 * const user = new CognitoUser({ Username: name, Pool: pool });
 * const details = new AuthenticationDetails({ Username: name, Password: password });
 * const session = await signIn({ user, details, container });
 * ```
 *
 * @module @stepgate/web/amazon-cognito-identity-js
 */
import { isStepUp } from "../challenge.js";
import { refused } from "../cognito.js";
import { StepUpError } from "../errors.js";
import { finishRedirect, startRedirect } from "../redirect.js";
import { stepUp } from "../step-up.js";

/** @typedef {Omit<import("../step-up.js").StepUpOptions, "challenge">} FrameOptions */

/**
 * What is used of the library's `CognitoUser`.
 * @typedef {object} CognitoUserLike
 * @property {(type: string) => void} setAuthenticationFlowType
 * @property {(details: any, callbacks: any) => void} authenticateUser
 * @property {(answer: any, callbacks: any, clientMetadata?: any) => void} sendCustomChallengeAnswer
 * @property {(password: string, attributes: any, callbacks: any) => void} completeNewPasswordChallenge
 * @property {() => string} getUsername
 */

/**
 * @typedef {object} Outcome
 * @property {any} [session] The library's session, when there are tokens.
 * @property {Record<string, string>} [challenge] A custom challenge.
 * @property {true} [newPassword] An administrator invited the user, who must set a password.
 */

/**
 * Signs in: password, then step-up, as often as the policy lets the user try.
 *
 * A user whom an administrator invited must set a password first. Stepgate refuses the tokens that Cognito would issue for that alone
 * (`first_password_set`), so a normal sign-in with the new password follows by itself.
 *
 * @param {FrameOptions & {
 *   user: CognitoUserLike,
 *   details: any,
 *   newPassword?: () => string | Promise<string>,
 *   detailsOf?: (password: string) => any,
 *   redirect?: boolean,
 * }} options `details` are the library's `AuthenticationDetails`; `detailsOf` makes them for the password that `newPassword` returns; with
 *   `redirect` the step-up takes a page of its own, and {@link resumeSignIn} goes on after it.
 * @returns {Promise<any>} The library's `CognitoUserSession`. Rejects with {@link StepUpError}.
 */
export async function signIn(options) {
  const { user, newPassword, detailsOf } = options;
  user.setAuthenticationFlowType("CUSTOM_AUTH");
  let outcome = await ask((callbacks) => user.authenticateUser(options.details, callbacks));
  if (outcome.newPassword) {
    if (!newPassword || !detailsOf) throw new StepUpError("new_password_required", "the user must set a password");
    const password = await newPassword();
    try {
      outcome = await ask((callbacks) => user.completeNewPasswordChallenge(password, {}, callbacks));
    } catch (error) {
      if (!(error instanceof StepUpError) || error.reason !== "first_password_set") throw error;
      user.setAuthenticationFlowType("CUSTOM_AUTH");
      outcome = await ask((callbacks) => user.authenticateUser(detailsOf(password), callbacks));
    }
  }
  while (!outcome.session) {
    const challenge = outcome.challenge;
    if (!challenge || !isStepUp(challenge)) throw new StepUpError("challenge_invalid", "Cognito asks for something that is not a step-up");
    if (options.redirect) return leave(user, challenge);
    const done = await stepUp({ ...options, challenge });
    outcome = await ask((callbacks) => user.sendCustomChallengeAnswer(done.answer, callbacks, done.clientMetadata));
  }
  return outcome.session;
}

/**
 * Goes on after the return of a full-page step-up, see `isRedirectReturn`.
 * @param {{ userOf: (username: string) => CognitoUserLike }} options `userOf` makes the library's `CognitoUser` of a name.
 * @returns {Promise<any>} The library's `CognitoUserSession`.
 */
export async function resumeSignIn({ userOf }) {
  const { answer, clientMetadata, resume } = finishRedirect();
  const user = userOf(resume.username);
  // The library has no setter; it keeps Cognito's session here between two challenges.
  Object.assign(user, { Session: resume.session });
  const outcome = await ask((callbacks) => user.sendCustomChallengeAnswer(answer, callbacks, clientMetadata));
  if (!outcome.session) throw new StepUpError("refused", "the step-up was not accepted");
  return outcome.session;
}

/**
 * @param {CognitoUserLike} user
 * @param {Record<string, string>} challenge
 * @returns {Promise<never>} Never settles: the page is being left.
 */
function leave(user, challenge) {
  const { Session: session } = /** @type {{ Session?: string }} */ (/** @type {unknown} */ (user));
  startRedirect({ challenge, resume: { username: user.getUsername(), session } });
  return new Promise(() => {});
}

/**
 * The library's callbacks as one promise.
 * @param {(callbacks: object) => void} call
 * @returns {Promise<Outcome>}
 */
function ask(call) {
  return new Promise((resolve, reject) => {
    const other = () => reject(new StepUpError("challenge_invalid", "Cognito asks for something that is not a step-up"));
    call({
      onSuccess: (/** @type {any} */ session) => resolve({ session }),
      onFailure: (/** @type {any} */ error) => reject(failure(error)),
      customChallenge: (/** @type {Record<string, string>} */ challenge) => resolve({ challenge }),
      newPasswordRequired: () => resolve({ newPassword: true }),
      mfaRequired: other,
      totpRequired: other,
      mfaSetup: other,
      selectMFAType: other,
    });
  });
}

/** @param {any} error */
function failure(error) {
  if (error?.code === "NetworkError" || error?.name === "NetworkError") return new StepUpError("network", "Cognito gave no answer", { cause: error });
  return refused(error?.message, "Cognito refused the sign-in", error);
}
