/** What the page says about errors, events and methods. */

const METHODS = { "liveID push": "LiveID push", "otp sms": "text message", "otp email": "e-mail code", otp: "authenticator app" };

/** An ACR value for people. */
export const methodName = (acr) => METHODS[acr] ?? acr;

const ERRORS = {
  cancelled: "You cancelled. Nothing was changed.",
  denied: "The step-up was not completed at BlockID. You can try again.",
  provider_error: "BlockID reported a problem. Please try again.",
  expired: "That took too long, and the challenge closed. Please sign in again.",
  frame_closed: "The BlockID frame was closed. Please sign in again.",
  frame_blocked: "Your browser did not show BlockID’s page. Please try again on a full page.",
  state_mismatch: "The answer did not belong to this sign-in. Please sign in again.",
  redirect_unknown: "This return from BlockID does not belong to a sign-in in this tab. Please sign in again.",
  transaction_mismatch: "The bank asked to confirm another transfer than the one you see. Nothing was sent.",
  sign_in_required: "The bank wants a newer or stronger sign-in. Please sign in again.",
  network: "There was no answer. Is the demonstration still running?",
};
const REASONS = {
  evidence_expired: "Your step-up is too old to renew the session. Please sign in again.",
  no_grant: "There is no step-up for this sign-in, so there are no tokens.",
  first_password_set: "Your password is set. Please sign in with it.",
  suspended: "Sign-in is suspended.",
};

/** What to tell the user about an error. */
export function explain(error) {
  if (error.reason && REASONS[error.reason]) return REASONS[error.reason];
  if (error.code === "refused" && /incorrect username or password/i.test(error.cause?.message ?? "")) return "User name or password is not right.";
  if (error.code === "refused") return "The sign-in was refused. Please try again.";
  return ERRORS[error.code] ?? error.message ?? "Something went wrong.";
}

/** A trigger's event as lane, name and sentence. */
export function tell(event) {
  const action = event.action ? ` for the action “${event.action}”` : "";
  const how = methodName(event.method ?? event.acr ?? "");
  switch (event.type) {
    case "started":
      return ["define", `Password proven. The policy asks for a step-up${action}.`];
    case "offered":
      return ["create", `Makes a challenge${action}: fresh state, nonce and PKCE. What must be compared stays with Cognito.`];
    case "succeeded":
      return ["verify", `Exchanged the code, checked BlockID’s signed token, the person, and the method${how ? `: ${how}` : ""}. Leaves a one-minute grant.`];
    case "failed":
      return ["verify", `Refused: ${event.reason}.`];
    case "linked":
      return ["verify", "Links this BlockID to this user: from now on no other will do."];
    case "skipped":
      return ["define", "The policy asks for no step-up."];
    case "exempted":
      return ["gate", "An exemption stands in for the step-up."];
    case "tokens":
      return event.source === "TokenGeneration_RefreshTokens"
        ? ["gate", "The step-up on record is young and strong enough: tokens are renewed."]
        : ["gate", `Found the grant and used it up: tokens may be made${action}.`];
    case "refused_tokens":
      return ["gate", `No tokens: ${event.reason}.`];
    default:
      return ["trigger", event.type];
  }
}

/** What an event tells besides. */
export function details(event) {
  const parts = [];
  if (event.aal) parts.push(`AAL${event.aal}`);
  if (event.amr?.length) parts.push(`amr ${event.amr.join(", ")}`);
  if (event.policy_version) parts.push(`policy v${event.policy_version}, ${event.rule === "default" || !event.rule ? "default" : `rule ${event.rule}`}`);
  if (event.duration_ms !== undefined) parts.push(`${event.duration_ms} ms`);
  if (event.cold_start) parts.push("cold start");
  return parts.join(" · ");
}
