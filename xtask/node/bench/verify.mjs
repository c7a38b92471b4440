// *verify*, as a team would write it in Node.js with AWS's SDK and a JOSE library: both secrets while starting; then the round
// is claimed, the code exchanged, the id_token checked, the link looked up, the success stored. The job and the calls are
// those of crates/triggers/src/verify/ for a right answer by a user without a link.
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { DynamoDBClient, GetItemCommand, TransactWriteItemsCommand } from "@aws-sdk/client-dynamodb";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { createLocalJWKSet, jwtVerify } from "jose";
import { serve } from "./runtime.mjs";

const environment = process.env;
const dynamodb = new DynamoDBClient({});
const secrets = new SecretsManagerClient({});
const read = async (arn) => JSON.parse((await secrets.send(new GetSecretValueCommand({ SecretId: arn }))).SecretString);
const [settings, credentials] = await Promise.all([
  read(environment.STEPGATE_SETTINGS_SECRET_ARN),
  read(environment.STEPGATE_CREDENTIALS_SECRET_ARN),
]);
const keys = createLocalJWKSet(settings.provider.jwks);
const table = environment.STEPGATE_RECORDS_TABLE;

const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const s = (value) => ({ S: value });
const n = (value) => ({ N: String(value) });
const put = (item) => ({ Put: { TableName: table, Item: item, ConditionExpression: "attribute_not_exists(pk)" } });
const update = (pk, sk, expression, condition, values) => ({
  Update: {
    TableName: table, Key: { pk: s(pk), sk: s(sk) }, UpdateExpression: expression, ConditionExpression: condition,
    ExpressionAttributeValues: values,
  },
});
const count = (pk, sk, limit, expires) =>
  update(pk, sk, "ADD attempts :one SET expires_at_unix_s = :expires", "attribute_not_exists(attempts) OR attempts < :limit", {
    ":one": n(1), ":limit": n(limit), ":expires": n(expires),
  });
const refund = (pk, sk) => update(pk, sk, "ADD attempts :minus", undefined, { ":minus": n(-1) });
const transact = (items) => dynamodb.send(new TransactWriteItemsCommand({ TransactItems: items }));
const look = async (pk, sk) =>
  (await dynamodb.send(new GetItemCommand({ TableName: table, Key: { pk: s(pk), sk: s(sk) }, ConsistentRead: true }))).Item;
const same = (one, other) => one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));

async function exchange(code, verifier) {
  const { provider } = settings;
  const basic = Buffer.from(`${credentials.client_id}:${credentials.client_secret}`).toString("base64");
  const answer = await fetch(provider.token_endpoint, {
    method: "POST", redirect: "error", signal: AbortSignal.timeout(2800), headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams({
      grant_type: "authorization_code", code, redirect_uri: provider.redirect_uri, code_verifier: verifier,
    }),
  });
  if (!answer.ok) throw new Error("code_rejected");
  return (await answer.json()).id_token;
}

async function judge(received, begun) {
  const challenge = JSON.parse(received.request.privateChallengeParameters.stepgate);
  const { code, state } = JSON.parse(received.request.challengeAnswer);
  const now = Math.floor(begun / 1000);
  const sub = received.request.userAttributes.sub;
  if (received.userPoolId !== settings.user_pool_id || challenge.user_sub !== sub || now >= challenge.expires_at_unix_s) return false;
  const [user, journey] = [`user#${sub}`, `journey#${challenge.journey}`];
  const [hour, day] = [`attempts#h${Math.floor(now / 3600)}`, `attempts#d${Math.floor(now / 86400)}`];
  await transact([
    put({
      pk: s(journey), sk: s(`round#${challenge.round}`), answer_hash: s(sha256(received.request.challengeAnswer)),
      claimed_at_unix_ms: n(begun), expires_at_unix_s: n(now + 3600),
    }),
    count(journey, "attempts", challenge.attempts, now + 3600),
    count(user, hour, 10, now + 7200),
    count(user, day, 20, now + 90000),
  ]);
  if (!same(state, challenge.state)) return false;
  const { provider, connection } = settings;
  const { payload } = await jwtVerify(await exchange(code, challenge.pkce_verifier), keys, {
    issuer: provider.issuer, audience: connection.client_id, algorithms: provider.id_token_signing_algorithms,
    requiredClaims: ["sub", "iat", "exp"],
  });
  if (payload.nonce !== challenge.nonce || payload.iat < challenge.issued_at_unix_s - 60) return false;
  const [link, back] = [`link#${sha256(provider.issuer)}`, `subject#${sha256(`${provider.issuer}\0${payload.sub}`)}`];
  const [ofUser, ofSubject] = await Promise.all([look(user, link), look(back, "link")]);
  if (ofUser !== undefined || ofSubject !== undefined) return false;
  if (payload.username?.trim().toLowerCase() !== challenge.asserted_username.trim().toLowerCase()) return false;
  if (!challenge.methods.includes(payload.acr)) return false;
  const made = {
    user_sub: s(sub), issuer: s(provider.issuer), subject: s(payload.sub), community: s(connection.community),
    made_by: s("username"), made_at_unix_s: n(now),
  };
  const achieved = {
    journey: s(challenge.journey), client_id: s(challenge.client_id), issuer: s(provider.issuer),
    community: s(connection.community), acr: s(payload.acr), amr: { L: payload.amr.map(s) }, at_unix_s: n(now),
    policy_version: n(challenge.policy_version),
  };
  await transact([
    put({ pk: s(user), sk: s(link), ...made }),
    put({ pk: s(back), sk: s("link"), ...made }),
    put({ pk: s(user), sk: s(`grant#${challenge.journey}`), ...achieved, round: n(challenge.round), expires_at_unix_s: n(now + 60) }),
    put({
      pk: s(user), sk: s(`evidence#${challenge.client_id}#${challenge.journey}`), ...achieved,
      expires_at_unix_s: n(now + challenge.max_age_s + 120),
    }),
    update(journey, `round#${challenge.round}`, "SET outcome = :outcome", "attribute_exists(pk)", { ":outcome": s("passed") }),
    refund(user, hour),
    refund(user, day),
  ]);
  const key = Buffer.from(settings.event_hash_key, "base64");
  for (const type of ["linked", "succeeded"]) {
    console.log(JSON.stringify({
      stepgate_event: 1, event_id: `evt_${sha256(`${challenge.journey}${type}`).slice(0, 32)}`, at_unix_ms: Date.now(), type,
      tenant_id: settings.tenant_id, app_id: challenge.app_id, journey_id: challenge.journey, round: challenge.round,
      user_hash: createHmac("sha256", key).update(sub).digest("hex"), acr: payload.acr, amr: payload.amr,
      policy_version: challenge.policy_version, duration_ms: Date.now() - begun,
    }));
  }
  return true;
}

await serve(async (received) => {
  received.response = { answerCorrect: await judge(received, Date.now()) };
  return received;
});
