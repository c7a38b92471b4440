import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { require, root, tools } from "./tools.js";

/** What a page loads at most, adapters excluded. */
const MAX_GZIPPED_BYTES = 8_000;

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
let folder;
let installed;

function run(script, args, options = {}) {
  try {
    return execFileSync(process.execPath, [script, ...args], { encoding: "utf8", stdio: "pipe", ...options });
  } catch (error) {
    assert.fail(`${args.join(" ")}:\n${error.stdout}\n${error.stderr}`);
  }
}
const tsc = (args, options) => run(require.resolve("typescript/bin/tsc"), args, options);

/** The package as npm would install it, built into a folder of its own. */
before(() => {
  folder = mkdtempSync(join(tmpdir(), "stepgate-web-"));
  installed = join(folder, "node_modules/@stepgate/web");
  mkdirSync(installed, { recursive: true });
  tsc(["-p", join(root, "tsconfig.build.json"), "--outDir", join(installed, "dist")]);
  tsc(["-p", join(root, "tsconfig.types.json"), "--outDir", join(installed, "types")]);
  for (const file of ["package.json", "README.md"]) cpSync(join(root, file), join(installed, file));
});
after(() => rmSync(folder, { recursive: true, force: true }));

function modules(path, below = "") {
  return readdirSync(join(path, below), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? modules(path, join(below, entry.name)) : [join(below, entry.name)],
  );
}

test("what is shipped stays under 8 kB gzipped", (context) => {
  const core = modules(join(installed, "dist")).filter((name) => !name.startsWith("adapters"));
  assert.ok(core.includes("index.js") && core.includes("step-up.js"));
  const bytes = core.map((name) => gzipSync(readFileSync(join(installed, "dist", name)), { level: 9 }).length).reduce((a, b) => a + b);
  context.diagnostic(`${bytes} bytes in ${core.length} modules, each gzipped by itself`);
  assert.ok(bytes < MAX_GZIPPED_BYTES, `${bytes} bytes`);
});

test("the types hold for an app in strict TypeScript", () => {
  writeFileSync(
    join(folder, "app.ts"),
    `import { stepUp, StepUpError, startRedirect, finishRedirect, stepUpRequired, fetchWithStepUp, type StepUpEvent, type StepUpErrorCode } from "@stepgate/web";
     import { signIn } from "@stepgate/web/amplify";
     import { signIn as other, resumeSignIn } from "@stepgate/web/amazon-cognito-identity-js";
     export async function app(container: HTMLElement, challenge: Record<string, string>): Promise<StepUpErrorCode | string> {
       try {
         const { answer, clientMetadata } = await stepUp({ challenge, container, onEvent: (event: StepUpEvent) => console.log(event.type) });
         startRedirect({ challenge, resume: { session: "s" } });
         const back: string = finishRedirect().answer;
         const wanted = stepUpRequired(new Response());
         await fetchWithStepUp("/transfers", { method: "POST" }, { cognito: { clientId: "c", region: "eu-central-1" }, accessToken: "t", container });
         await resumeSignIn({ userOf: () => { throw new Error(); } });
         return answer + clientMetadata.journey_id + back + wanted?.action + String(signIn) + String(other);
       } catch (error) {
         if (error instanceof StepUpError) return error.code;
         throw error;
       }
     }
     // @ts-expect-error: a container is needed
     void stepUp({ challenge: {} });
     // @ts-expect-error: no such code
     const code: StepUpErrorCode = "nonsense";
     void code;`,
  );
  const options = ["--strict", "--noEmit", "--target", "ES2022", "--lib", "ES2022,DOM", "--module", "nodenext", "--moduleResolution", "nodenext"];
  tsc([...options, "app.ts"], { cwd: folder });
});

test("the sources are sound for the type checker", () => {
  tsc(["-p", root]);
});

test("every way into the package leads somewhere, and loads without a browser", async () => {
  for (const [name, target] of Object.entries(manifest.exports)) {
    if (typeof target === "string") continue;
    for (const path of Object.values(target)) assert.ok(existsSync(join(installed, path)), `${name}: ${path}`);
    const loaded = await import(pathToFileURL(join(installed, target.default)).href);
    assert.ok(Object.keys(loaded).length > 0, name);
  }
});

test("it needs nothing at run time, and nothing is left out of the package", () => {
  for (const kind of ["dependencies", "peerDependencies", "optionalDependencies", "bundledDependencies"]) assert.equal(manifest[kind], undefined, kind);
  for (const name of modules(join(installed, "dist"))) {
    const text = readFileSync(join(installed, "dist", name), "utf8");
    for (const [, from] of text.matchAll(/(?:from|import)\s*\(?["']([^"']+)["']/g)) assert.ok(from.startsWith("."), `${name} imports ${from}`);
  }
  assert.equal(manifest.sideEffects, false);
  assert.equal(manifest.license, "Apache-2.0");
});

test("what is published is code, types and a page to read", () => {
  const npm = join(process.execPath, "../../lib/node_modules/npm/bin/npm-cli.js");
  const at = [npm, "/usr/share/nodejs/npm/bin/npm-cli.js"].find((path) => existsSync(path));
  // Where npm is kept elsewhere, the list in the manifest is what npm packs.
  const packed = at
    ? JSON.parse(run(at, ["pack", "--dry-run", "--json", "--ignore-scripts", "--offline"], { cwd: installed }))[0].files.map((file) => file.path)
    : modules(installed);
  for (const path of packed) assert.match(path, /^(dist\/.+\.js|types\/.+\.d\.ts|package\.json|README\.md)$/);
  assert.ok(packed.includes("dist/index.js") && packed.includes("types/index.d.ts"));
});

test("pinned tools name no registry", () => {
  for (const lock of [join(root, "package-lock.json"), join(root, "../../crates/demo-app/page/package-lock.json")]) {
    const text = readFileSync(lock, "utf8");
    assert.ok(!text.includes('"resolved"'), lock);
    const { packages } = JSON.parse(text);
    for (const [name, entry] of Object.entries(packages)) assert.ok(name === "" || entry.integrity || entry.inBundle, `${name} has no hash`);
  }
  for (const [name, version] of Object.entries(manifest.devDependencies)) assert.match(version, /^\d+\.\d+\.\d+$/, `${name} is not pinned`);
  assert.ok(existsSync(join(tools, "node_modules")), "the tools are installed");
});

test("the error codes are documented, each once, and are those of the type", () => {
  const source = readFileSync(join(root, "src/errors.js"), "utf8");
  const rows = [...source.matchAll(/^ \* \| `(\w+)` \|/gm)].map((match) => match[1]);
  const union = [...source.slice(source.indexOf("@typedef"), source.indexOf("*/")).matchAll(/"(\w+)"/g)].map((match) => match[1]);
  assert.deepEqual(rows, [...new Set(union)]);
  const used = modules(join(root, "src")).flatMap((name) =>
    [...readFileSync(join(root, "src", name), "utf8").matchAll(/StepUpError\(\s*"(\w+)"/g)].map((match) => match[1]),
  );
  for (const code of used) assert.ok(rows.includes(code), code);
});
