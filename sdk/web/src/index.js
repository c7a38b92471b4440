/**
 * Step-ups at BlockID for apps on Amazon Cognito.
 *
 * @module @stepgate/web
 */
export { StepUpError } from "./errors.js";
export { isStepUp } from "./challenge.js";
export { stepUp } from "./step-up.js";
export { finishRedirect, isRedirectReturn, startRedirect } from "./redirect.js";
export { actionRef, stepUpRequired } from "./rfc9470.js";
export { claimsOf, fetchWithStepUp, stepUpForAction } from "./action.js";

/** @typedef {import("./errors.js").StepUpErrorCode} StepUpErrorCode */
/** @typedef {import("./challenge.js").ChallengeParameters} ChallengeParameters */
/** @typedef {import("./step-up.js").StepUpAnswer} StepUpAnswer */
/** @typedef {import("./step-up.js").StepUpEvent} StepUpEvent */
/** @typedef {import("./step-up.js").StepUpOptions} StepUpOptions */
/** @typedef {import("./rfc9470.js").StepUpRequired} StepUpRequired */
/** @typedef {import("./cognito.js").CognitoSettings} CognitoSettings */
/** @typedef {import("./action.js").ActionTokens} ActionTokens */
