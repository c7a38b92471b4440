// Lambda's Runtime API for a function in Node.js: less than what AWS's own client does, so nothing is held against it.
import http from "node:http";

const [hostname, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const request = http.request({ hostname, port, path, method, agent, headers }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => resolve({ headers: response.headers, body: Buffer.concat(parts).toString() }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

export async function serve(handler) {
  for (;;) {
    const { headers, body } = await call("GET", "/2018-06-01/runtime/invocation/next");
    const id = headers["lambda-runtime-aws-request-id"];
    try {
      const answer = await handler(JSON.parse(body));
      await call("POST", `/2018-06-01/runtime/invocation/${id}/response`, JSON.stringify(answer));
    } catch (error) {
      const failure = { errorType: error.name, errorMessage: error.message };
      await call("POST", `/2018-06-01/runtime/invocation/${id}/error`, JSON.stringify(failure));
    }
  }
}
