/**
 * Sign-in with AWS Amplify 6. Amplify's functions are handed in, so that this package depends on no version of it.
 *
 * ```js
 * import * as auth from "aws-amplify/auth";
 * await signIn({ auth, username, password, container });
 * ```
 *
 * @module @stepgate/web/amplify
 */
import { isStepUp } from "../challenge.js";
import { refused } from "../cognito.js";
import { StepUpError } from "../errors.js";
import { stepUp } from "../step-up.js";

/** @typedef {Omit<import("../step-up.js").StepUpOptions, "challenge">} FrameOptions */

/**
 * What is used of `aws-amplify/auth`.
 * @typedef {object} AmplifyAuth
 * @property {(input: any) => Promise<any>} signIn
 * @property {(input: any) => Promise<any>} confirmSignIn
 */

/**
 * Signs in: password, then step-up, as often as the policy lets the user try. Afterwards Amplify holds the session as always.
 *
 * A user whom an administrator invited must set a password first. Stepgate refuses the tokens that Cognito would issue for that alone
 * (`first_password_set`), so a normal sign-in with the new password follows by itself.
 *
 * @param {FrameOptions & {
 *   auth: AmplifyAuth,
 *   username: string,
 *   password: string,
 *   newPassword?: () => string | Promise<string>,
 * }} options
 * @returns {Promise<void>} Rejects with {@link StepUpError}.
 */
export async function signIn(options) {
  const { auth, username, newPassword } = options;
  const begin = (/** @type {string} */ password) =>
    ask(() => auth.signIn({ username, password, options: { authFlowType: "CUSTOM_WITH_SRP" } }));
  let step = await begin(options.password);
  if (step.signInStep === "CONFIRM_SIGN_IN_WITH_NEW_PASSWORD_REQUIRED") {
    if (!newPassword) throw new StepUpError("new_password_required", "the user must set a password");
    const password = await newPassword();
    try {
      step = await ask(() => auth.confirmSignIn({ challengeResponse: password }));
    } catch (error) {
      if (!(error instanceof StepUpError) || error.reason !== "first_password_set") throw error;
      step = await begin(password);
    }
  }
  while (step.signInStep !== "DONE") {
    const challenge = step.additionalInfo;
    if (step.signInStep !== "CONFIRM_SIGN_IN_WITH_CUSTOM_CHALLENGE" || !isStepUp(challenge)) {
      throw new StepUpError("challenge_invalid", `Cognito asks for something that is not a step-up: ${step.signInStep}`);
    }
    const done = await stepUp({ ...options, challenge });
    step = await ask(() => auth.confirmSignIn({ challengeResponse: done.answer, options: { clientMetadata: done.clientMetadata } }));
  }
}

/**
 * @param {() => Promise<any>} call
 * @returns {Promise<{ signInStep: string, additionalInfo?: any }>}
 */
async function ask(call) {
  let output;
  try {
    output = await call();
  } catch (error) {
    const { name, message } = /** @type {Error} */ (error);
    if (name === "NetworkError") throw new StepUpError("network", "Cognito gave no answer", { cause: error });
    throw refused(message, "Cognito refused the sign-in", error);
  }
  return output.nextStep;
}
