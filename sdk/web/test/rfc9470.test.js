import assert from "node:assert/strict";
import { test } from "node:test";
import { actionRef, stepUpRequired } from "../src/index.js";

const WANTED =
  'Bearer error="insufficient_user_authentication", error_description="A step-up is required", acr_values="liveID%20push otp", max_age="120", ' +
  'stepup_action="transfer", action_ref="xcrfel8ixYpftSqjoe7feGG_-OjdMXpqAURF2ylOEaw"';

test("the resource server's answer is read", () => {
  const expected = { acrValues: ["liveID push", "otp"], maxAgeS: 120, action: "transfer", actionRef: "xcrfel8ixYpftSqjoe7feGG_-OjdMXpqAURF2ylOEaw" };
  assert.deepEqual(stepUpRequired(WANTED), expected);
  assert.deepEqual(stepUpRequired(new Response("", { status: 401, headers: { "www-authenticate": WANTED } })), expected);
  assert.deepEqual(stepUpRequired(new Headers({ "www-authenticate": WANTED })), expected);
});

test("without action, age or methods it is a plain RFC 9470 answer", () => {
  assert.deepEqual(stepUpRequired('Bearer error="insufficient_user_authentication"'), {
    acrValues: [],
    maxAgeS: undefined,
    action: undefined,
    actionRef: undefined,
  });
});

test("other answers ask for no step-up", () => {
  const others = [null, "", "Bearer", 'Bearer error="invalid_token"', 'Basic realm="insufficient_user_authentication"', "error=insufficient_user_authentication"];
  for (const other of others) assert.equal(stepUpRequired(other), undefined, String(other));
  assert.equal(stepUpRequired(new Response("")), undefined);
});

test("several challenges, odd spacing, quoted pairs and unquoted values are read", () => {
  const text = 'Basic realm="a, Bearer error=\\"x\\"",  bearer  realm="\\"q\\"" , error=insufficient_user_authentication ,max_age=5';
  assert.equal(stepUpRequired(text).maxAgeS, 5);
  const two = 'Bearer error="invalid_token", DPoP algs="ES256", Bearer error="insufficient_user_authentication", stepup_action="a"';
  assert.equal(stepUpRequired(two).action, "a");
});

test("what is not well-formed does no harm", () => {
  const wanted = stepUpRequired('Bearer error="insufficient_user_authentication", max_age="-1", acr_values="%zz a", stepup_action="%');
  assert.deepEqual([wanted.maxAgeS, wanted.acrValues], [undefined, ["%zz", "a"]]);
  const begin = performance.now();
  stepUpRequired(`Bearer ${"a=\"\\".repeat(20_000)}`);
  stepUpRequired(`${" ,".repeat(50_000)}x`);
  assert.ok(performance.now() - begin < 2000, "linear enough");
});

test("the hash of a transaction is the resource server's", async () => {
  assert.equal(await actionRef({ to: "DE02 1203", amount: "12.50", currency: "EUR" }), "xcrfel8ixYpftSqjoe7feGG_-OjdMXpqAURF2ylOEaw");
  assert.equal(await actionRef({}), "RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o");
});
