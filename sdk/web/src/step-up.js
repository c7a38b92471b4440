/**
 * The step-up in a frame: opens BlockID's page inside the app's, waits for its one message, and takes the frame away again.
 */
import { readChallenge, withMethod } from "./challenge.js";
import { StepUpError } from "./errors.js";

/** @typedef {import("./challenge.js").ChallengeParameters} ChallengeParameters */

/**
 * What goes into `RespondToAuthChallenge`.
 * @typedef {object} StepUpAnswer
 * @property {string} answer `ANSWER` of the challenge responses.
 * @property {{ journey_id: string }} clientMetadata `ClientMetadata`, which names the journey to the gate.
 * @property {string} journeyId
 */

/**
 * What the step-up is doing, for whoever wants to show it.
 * @typedef {{ type: "opened", journeyId: string, origin: string, methods: string[] }
 *   | { type: "loaded" }
 *   | { type: "ignored", why: "origin" | "source" | "form", from: string }
 *   | { type: "answered" }
 *   | { type: "closed" }} StepUpEvent
 */

/**
 * @typedef {object} StepUpOptions
 * @property {ChallengeParameters} challenge Public challenge parameters, as Cognito gave them.
 * @property {Element} container Where the frame is put.
 * @property {AbortSignal} [signal] Cancels.
 * @property {(methods: string[]) => string | undefined | void | Promise<string | undefined | void>} [onMethod]
 *   Told the offered methods (ACR values); may return one of them, and BlockID then offers only that one.
 * @property {(event: StepUpEvent) => void} [onEvent] Told what happens.
 * @property {string} [title] Title of the frame, for screen readers.
 * @property {number} [loadWithinMs] How long BlockID's page may take until it counts as blocked.
 */

/** What BlockID's page may do inside the frame; each only on the origin that the frame was opened with. */
const ALLOW = "camera; publickey-credentials-get; otp-credentials";
const LOAD_WITHIN_MS = 30_000;

/**
 * Lets the user step up in a frame.
 *
 * Exactly one message is accepted: of the tenant's origin, from this very frame, in the form that BlockID's page posts, with this challenge's
 * state. Everything else is ignored. However it ends, frame, listeners and timers are gone.
 *
 * @param {StepUpOptions} options
 * @returns {Promise<StepUpAnswer>} Rejects with {@link StepUpError}.
 */
export async function stepUp(options) {
  const { container, signal, onMethod, onEvent = () => {} } = options;
  const challenge = readChallenge(options.challenge, Date.now());
  const deadline = Date.now() + challenge.openMs;
  throwIfAborted(signal);
  let url = challenge.url;
  const chosen = await onMethod?.([...challenge.methods]);
  throwIfAborted(signal);
  if (chosen !== undefined) {
    if (!challenge.methods.includes(chosen)) throw new StepUpError("challenge_invalid", "onMethod chose a method that is not offered");
    url = withMethod(url, chosen);
  }

  const document = container.ownerDocument;
  const window = /** @type {Window & typeof globalThis} */ (document.defaultView);
  const frame = document.createElement("iframe");
  frame.title = options.title ?? "Identity verification";
  frame.allow = ALLOW;
  frame.src = url.href;

  return new Promise((resolve, reject) => {
    const fail = (/** @type {StepUpError} */ error) => close(() => reject(error));
    /** @param {() => void} end */
    const close = (end) => {
      window.removeEventListener("message", onMessage);
      document.removeEventListener("securitypolicyviolation", onViolation);
      signal?.removeEventListener("abort", onAbort);
      observer.disconnect();
      clearTimeout(expiry);
      clearTimeout(loading);
      frame.remove();
      end();
      onEvent({ type: "closed" });
    };
    const onMessage = (/** @type {MessageEvent} */ event) => {
      const ignore = (/** @type {"origin" | "source" | "form"} */ why) => onEvent({ type: "ignored", why, from: event.origin });
      if (event.origin !== challenge.origin) return ignore("origin");
      if (event.source === null || event.source !== frame.contentWindow) return ignore("source");
      const posted = readMessage(event.data);
      if (!posted) return ignore("form");
      onEvent({ type: "answered" });
      try {
        const answer = answerOf(posted, challenge.state, challenge.journeyId);
        close(() => resolve(answer));
      } catch (error) {
        fail(/** @type {StepUpError} */ (error));
      }
    };
    const onViolation = (/** @type {SecurityPolicyViolationEvent} */ event) => {
      const frames = /^(frame|child|default)-src$/.test(event.effectiveDirective) && event.disposition === "enforce";
      if (frames && event.blockedURI.startsWith(url.origin)) {
        fail(new StepUpError("frame_blocked", `the page's Content-Security-Policy does not allow frames of ${url.origin}`));
      }
    };
    const onAbort = () => fail(aborted(signal));
    const expiry = setTimeout(() => fail(new StepUpError("expired", "the challenge closed before it was answered")), deadline - Date.now());
    const loading = setTimeout(
      () => fail(new StepUpError("frame_blocked", "BlockID's page did not load in the frame")),
      options.loadWithinMs ?? LOAD_WITHIN_MS,
    );
    frame.addEventListener("load", () => {
      clearTimeout(loading);
      onEvent({ type: "loaded" });
    });
    window.addEventListener("message", onMessage);
    document.addEventListener("securitypolicyviolation", onViolation);
    signal?.addEventListener("abort", onAbort);
    container.append(frame);
    const detached = () => fail(new StepUpError("frame_closed", "the frame is not in the page"));
    const observer = new window.MutationObserver(() => {
      if (!frame.isConnected) detached();
    });
    for (const root of new Set([document, container.getRootNode()])) observer.observe(root, { childList: true, subtree: true });
    if (!frame.isConnected) return detached();
    onEvent({ type: "opened", journeyId: challenge.journeyId, origin: challenge.origin, methods: challenge.methods });
  });
}

/** @param {AbortSignal | undefined} signal */
function aborted(signal) {
  return new StepUpError("cancelled", "the step-up was cancelled by the app", { cause: signal?.reason });
}

/** @param {AbortSignal | undefined} signal */
function throwIfAborted(signal) {
  if (signal?.aborted) throw aborted(signal);
}

/**
 * @typedef {object} Posted
 * @property {string} state
 * @property {string} [code]
 * @property {string} [error]
 */

/**
 * The message of BlockID's page: `{code, state}` or `{error, state}`, as an object or as its JSON text. Anything else is some other message.
 * @param {unknown} data
 * @returns {Posted | undefined}
 */
export function readMessage(data) {
  /** @type {any} */
  let posted = data;
  if (typeof data === "string" && data.length <= 8192) {
    try {
      posted = JSON.parse(data);
    } catch {
      return undefined;
    }
  }
  const text = (/** @type {unknown} */ value) => typeof value === "string" && value !== "";
  if (posted === null || typeof posted !== "object" || !text(posted.state)) return undefined;
  return text(posted.code) || text(posted.error) ? posted : undefined;
}

/**
 * @param {Posted} posted
 * @param {string} state
 * @param {string} journeyId
 * @param {{ stepgate_return?: true }} [more]
 * @returns {StepUpAnswer}
 */
export function answerOf(posted, state, journeyId, more = {}) {
  if (posted.state !== state) throw new StepUpError("state_mismatch", "the answer belongs to another challenge");
  if (!posted.code) {
    const code = posted.error === "access_denied" ? "denied" : "provider_error";
    throw new StepUpError(code, "BlockID did not complete the step-up", { reason: posted.error });
  }
  return {
    answer: JSON.stringify({ code: posted.code, state, ...more }),
    clientMetadata: { journey_id: journeyId },
    journeyId,
  };
}
