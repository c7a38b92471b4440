// *create*, as a team would write it in Node.js with AWS's SDK: settings while starting, the app's policy with the first
// event, then the challenge. The job is that of crates/triggers/src/create.rs for a sign-in after the password.
import { createHash, createHmac, randomBytes } from "node:crypto";
import { DynamoDBClient, GetItemCommand } from "@aws-sdk/client-dynamodb";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { serve } from "./runtime.mjs";

const environment = process.env;
const dynamodb = new DynamoDBClient({});
const secrets = new SecretsManagerClient({});
const secret = await secrets.send(new GetSecretValueCommand({ SecretId: environment.STEPGATE_SETTINGS_SECRET_ARN }));
const settings = JSON.parse(secret.SecretString);
const items = new Map();

async function item(clientId) {
  if (!items.has(clientId)) {
    const key = { pk: { S: clientId } };
    const read = new GetItemCommand({ TableName: environment.STEPGATE_POLICIES_TABLE, Key: key, ConsistentRead: true });
    items.set(clientId, JSON.parse((await dynamodb.send(read)).Item.document.S));
  }
  return items.get(clientId);
}

function holds(when, attributes) {
  const [[kind, of]] = Object.entries(when);
  switch (kind) {
    case "all": return of.every((inner) => holds(inner, attributes));
    case "any": return of.some((inner) => holds(inner, attributes));
    case "not": return !holds(of, attributes);
    case "email_verified": return (attributes.email_verified === "true") === of;
    case "attribute": {
      const value = attributes[of.name];
      if (of.exists !== undefined) return (value !== undefined) === of.exists;
      if (value === undefined) return false;
      if (of.equals !== undefined) return value === of.equals;
      if (of.in !== undefined) return of.in.includes(value);
      if (of.prefix !== undefined) return value.startsWith(of.prefix);
      return of.email_domain.includes(value.slice(value.lastIndexOf("@") + 1).toLowerCase());
    }
    default: return false;
  }
}

const token = () => randomBytes(32).toString("base64url");

function event(type, journey, app, attributes, begun) {
  const key = Buffer.from(settings.event_hash_key, "base64");
  console.log(JSON.stringify({
    stepgate_event: 1, event_id: `evt_${createHash("sha256").update(`${journey}${type}`).digest("hex").slice(0, 32)}`,
    at_unix_ms: Date.now(), type, tenant_id: settings.tenant_id, app_id: app.app_id, journey_id: journey,
    user_hash: createHmac("sha256", key).update(attributes.sub).digest("hex"), policy_version: app.policy_version,
    duration_ms: Date.now() - begun,
  }));
}

await serve(async (received) => {
  const begun = Date.now();
  if (received.userPoolId !== settings.user_pool_id) throw new Error("foreign_pool");
  const attributes = received.request.userAttributes;
  const app = await item(received.callerContext.clientId);
  const rule = (app.policy.rules ?? []).find((candidate) => holds(candidate.when, attributes));
  const asked = rule?.then ?? app.policy.default;
  if (received.triggerSource !== "CreateAuthChallenge_Authentication" || asked.step_up !== "required") {
    throw new Error("policy_changed");
  }
  const now = Math.floor(Date.now() / 1000);
  const journey = `jrn_${randomBytes(13).toString("hex")}`;
  const [state, nonce, verifier] = [token(), token(), token()];
  const { provider, connection } = settings;
  const url = new URL(provider.authorization_endpoint);
  url.search = new URLSearchParams({
    response_type: "code", scope: "openid email profile", client_id: connection.client_id, redirect_uri: provider.redirect_uri,
    state, nonce, acr_values: asked.methods.join(" "), login_hint: received.userName, prompt: "login", max_age: "0",
    code_challenge: createHash("sha256").update(verifier).digest("base64url"), code_challenge_method: "S256",
  });
  const common = { v: 1, kind: "step_up", journey, policy_version: app.policy_version, attempts: asked.attempts ?? 2 };
  const challenge = {
    ...common, round: 1, user_sub: attributes.sub, app_id: app.app_id, client_id: app.client_id, rule: rule?.id ?? "default",
    state, nonce, pkce_verifier: verifier, methods: asked.methods, asserted_username: received.userName,
    issued_at_unix_s: now, expires_at_unix_s: now + app.session_validity_s,
  };
  received.response = {
    publicChallengeParameters: {
      tenant: connection.tenant_dns, community: connection.community, kosmos_clientId: connection.client_id,
      acr: asked.methods.map((method) => `'${method}'`).join(","), state, username: received.userName,
      authorize_url: url.href, methods: JSON.stringify(asked.methods), journey_id: journey,
      expires_at: String(challenge.expires_at_unix_s),
    },
    privateChallengeParameters: { stepgate: JSON.stringify(challenge) },
    challengeMetadata: JSON.stringify(common),
  };
  event("started", journey, app, attributes, begun);
  event("offered", journey, app, attributes, begun);
  return received;
});
