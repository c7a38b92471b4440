// A program against the types that are generated from the API document: that it compiles is the test. What must not
// compile is marked, and is an error if it does.
import type { components, operations, paths } from "./stepgate.js";

type Tenant = components["schemas"]["Tenant"];
type Operation = components["schemas"]["Operation"];
type Problem = components["schemas"]["Problem"];

export const body: operations["createTenant"]["requestBody"]["content"]["application/json"] = {
  name: "Acme customers",
  blockid: { tenant_dns: "acme.1kosmos.net", community: "default", client_id: "acme-portal", client_secret: "s" },
  pool: { sign_in_with: "email", tier: "essentials" },
};

type Accepted = paths["/v1/tenants"]["post"]["responses"][202]["content"]["application/json"];
export const toWatch = (accepted: Accepted): string => `/v1/operations/${accepted.operation.id}/events`;

export function ended(operation: Operation): boolean {
  switch (operation.state) {
    case "succeeded":
    case "failed":
    case "cancelled":
      return true;
    case "pending":
    case "running":
      return false;
  }
}

export const pool = (tenant: Tenant): string => tenant.user_pool_id ?? "none yet";
export const why = (problem: Problem): string[] => problem.errors.map((field) => `${field.pointer}: ${field.detail}`);

// @ts-expect-error There is no such way to sign in.
export const wrong: components["schemas"]["SignInWith"] = "phone";
