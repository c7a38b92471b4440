/**
 * What the SDK does with what an attacker sends, for the attack catalogue: challenges come in on standard input, trials go out on standard
 * output. `{"challenge", "genuine"}` tries messages on one challenge; `{"challenges": [{"name", "challenge"}]}` opens each.
 */
import { stepUp } from "../src/index.js";
import { Page } from "./page.js";

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const input = JSON.parse(Buffer.concat(chunks).toString("utf8"));
const trials = [];

/** Opens a challenge; hands back its page, what became of it, and the messages that were ignored. */
async function open(challenge, options = {}) {
  const page = new Page();
  const ignored = [];
  const ended = { code: undefined, answer: undefined };
  const onEvent = (event) => event.type === "ignored" && ignored.push(event.why);
  const done = stepUp({ challenge, container: page.container, onEvent, ...options }).then(
    ({ answer }) => (ended.answer = answer),
    (error) => (ended.code = error.code),
  );
  for (let turn = 0; turn < 20 && !page.frame; turn += 1) await Promise.resolve();
  const origin = new URL(new URL(challenge.authorize_url).searchParams.get("redirect_uri")).origin;
  return { page, ended, done, ignored, origin };
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

async function messages({ challenge, genuine }) {
  const foreign = [
    ["another origin", () => ({ origin: "https://evil.example" })],
    ["another port", (origin) => ({ origin: `${new URL(origin).protocol}//${new URL(origin).hostname}:1` })],
    ["another scheme", (origin) => ({ origin: origin.replace(/^https?/, (scheme) => (scheme === "http" ? "https" : "http")) })],
    ["opaque origin", () => ({ origin: "null" })],
    ["another frame", (origin) => ({ origin, source: {} })],
    ["no frame", (origin) => ({ origin, source: null })],
  ];
  for (const [what, from] of foreign) {
    const opened = await open(challenge);
    opened.page.post({ code: "theirs", state: challenge.state }, from(opened.origin));
    await settle();
    const stands = opened.ended.answer === undefined && opened.ended.code === undefined;
    trials.push({ what, refused: stands && opened.ignored.length === 1, reason: `ignored_${opened.ignored[0]}` });
    opened.page.removeFrame();
    await opened.done;
  }

  const wrong = await open(challenge);
  wrong.page.post({ code: genuine.code, state: "state123" }, { origin: wrong.origin });
  await wrong.done;
  trials.push({ what: "another state", refused: wrong.ended.code === "state_mismatch", reason: String(wrong.ended.code) });

  const early = await open(challenge, { signal: AbortSignal.abort() });
  await early.done;
  trials.push({ what: "after cancelling", refused: early.page.frame === undefined && early.ended.code === "cancelled", reason: String(early.ended.code) });

  const late = await open(challenge, { loadWithinMs: 1 });
  await late.done;
  late.page.post(genuine, { origin: late.origin, source: {} });
  await settle();
  trials.push({ what: "after the end", refused: late.ended.answer === undefined && late.page.isClean, reason: String(late.ended.code) });

  const twice = await open(challenge);
  twice.page.post(genuine, { origin: twice.origin });
  twice.page.post({ code: "second", state: challenge.state }, { origin: twice.origin });
  await twice.done;
  const first = JSON.parse(twice.ended.answer ?? "{}");
  trials.push({ what: "a second message", refused: first.code === genuine.code && twice.page.isClean, reason: "listener_gone" });
  return twice.ended.answer;
}

/** What the page opens for names that would break an address, with all methods and with one. */
async function names(challenges) {
  for (const { name, challenge } of challenges) {
    for (const chosen of [undefined, JSON.parse(challenge.methods)[0]]) {
      const opened = await open(challenge, { onMethod: () => chosen });
      const [asked, went] = [new URL(challenge.authorize_url), new URL(opened.page.frame?.src ?? "about:blank")];
      const claims = JSON.parse(went.searchParams.get("claims") ?? "{}");
      const same = (part) => asked[part] === went[part];
      const others = [...asked.searchParams].filter(([key]) => key !== "claims");
      const kept = others.every(([key, value]) => went.searchParams.get(key) === value) && [...went.searchParams].length === [...asked.searchParams].length;
      const refused = same("origin") && same("pathname") && went.hash === "" && kept && claims.id_token?.username === name;
      trials.push({ what: `page opened for ${JSON.stringify(name)}`, refused, reason: "encoded" });
      if (opened.page.frame) opened.page.removeFrame();
      await opened.done;
    }
  }
}

const answer = input.challenges ? await names(input.challenges) : await messages(input);
process.stdout.write(JSON.stringify({ trials, answer: answer ?? null }));
