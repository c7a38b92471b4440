/** Tells what Node's test runner does in the lines of Rust's test harness, so that xtask counts both alike. */

const line = (event) => `{ "type": "test", ${JSON.stringify(event).slice(1)}\n`;

export default async function* report(source) {
  for await (const { type, data } of source) {
    // A file or a suite is no test of its own, unless it failed by itself.
    if (data?.details?.type === "suite") continue;
    const file = data?.file?.split("/").slice(-2).join("/") ?? "";
    const name = data?.name?.includes("/") ? data.name : `${file}: ${data?.name}`;
    if (type === "test:start") yield line({ event: "started", name });
    else if (type === "test:pass" && (data.skip !== undefined || data.todo !== undefined)) yield line({ event: "ignored", name });
    else if (type === "test:pass") yield line({ event: "ok", name, exec_time: data.details.duration_ms / 1000 });
    else if (type === "test:fail") {
      const cause = data.details.error?.cause ?? data.details.error;
      yield line({ event: "failed", name, exec_time: data.details.duration_ms / 1000, stdout: `${cause?.stack ?? cause}\n` });
    }
  }
}
