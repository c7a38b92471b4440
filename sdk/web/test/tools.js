/**
 * Where the development tools are: `cargo xtask` installs them outside the source tree and names the folder; who works on the SDK alone may
 * have run `npm ci` here.
 */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** `sdk/web/`. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** The folder with `node_modules/`. */
export const tools = process.env.STEPGATE_WEB_TOOLS ?? root;
/** `require` that finds the tools. */
export const require = createRequire(join(tools, "package.json"));
