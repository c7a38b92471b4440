/**
 * As much of a browser's page as the SDK touches, so that it runs under Node. What only a browser can show is in `sdk/web/e2e/`.
 */

/** One page with one container. */
export class Page extends EventTarget {
  constructor() {
    super();
    this.observers = new Set();
    const page = this;
    this.document = Object.assign(new EventTarget(), {
      defaultView: page,
      createElement: () => new Frame(page),
    });
    this.container = {
      ownerDocument: this.document,
      frames: /** @type {Frame[]} */ ([]),
      getRootNode: () => this.document,
      append(frame) {
        this.frames.push(frame);
        frame.isConnected = !page.detached;
      },
    };
    this.detached = false;
    this.MutationObserver = class {
      constructor(callback) {
        this.callback = callback;
      }
      observe() {
        page.observers.add(this);
      }
      disconnect() {
        page.observers.delete(this);
      }
    };
    this.listeners = 0;
  }

  addEventListener(...all) {
    this.listeners += 1;
    super.addEventListener(...all);
  }

  removeEventListener(...all) {
    this.listeners -= 1;
    super.removeEventListener(...all);
  }

  get frame() {
    return this.container.frames.at(-1);
  }

  /** A message as a frame would post it. */
  post(data, { origin = "https://acme.example", source = this.frame?.contentWindow } = {}) {
    this.dispatchEvent(Object.assign(new Event("message"), { data, origin, source }));
  }

  /** What the app may do to the page behind the SDK's back. */
  removeFrame() {
    this.frame.isConnected = false;
    for (const observer of this.observers) observer.callback();
  }

  violate(effectiveDirective, blockedURI) {
    this.document.dispatchEvent(Object.assign(new Event("securitypolicyviolation"), { effectiveDirective, blockedURI, disposition: "enforce" }));
  }

  /** Nothing is left behind. */
  get isClean() {
    return this.listeners === 0 && this.observers.size === 0 && !this.frame?.isConnected;
  }
}

class Frame extends EventTarget {
  constructor(page) {
    super();
    this.page = page;
    this.contentWindow = { frame: this };
    this.isConnected = false;
  }

  remove() {
    this.isConnected = false;
    this.contentWindow = null;
  }
}

/** A challenge as the triggers make it. */
export function challengeOf(changes = {}) {
  const claims = { id_token: { username: "ada", acr: { essential: true, values: ["liveID push", "otp"] } } };
  const query = {
    response_type: "code",
    client_id: "acme-portal",
    redirect_uri: "https://acme.example/admin/default/post_stepup",
    scope: "openid email profile",
    state: "state-1",
    nonce: "nonce-1",
    claims: JSON.stringify(claims),
    prompt: "login",
    max_age: "0",
  };
  const encoded = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return {
    kind: "step_up",
    tenant: "acme.example",
    community: "default",
    kosmos_clientId: "acme-portal",
    acr: "'liveID push','otp'",
    state: "state-1",
    username: "ada",
    authorize_url: `https://acme.example/oauth2/community/default/v1/authorize?${encoded.join("&")}`,
    methods: JSON.stringify(["liveID push", "otp"]),
    journey_id: "jrn_1",
    expires_at: String(Math.floor(Date.now() / 1000) + 180),
    ...changes,
  };
}

/** `sessionStorage` in memory. */
export class MemoryStorage {
  #items = new Map();
  get length() {
    return this.#items.size;
  }
  key(index) {
    return [...this.#items.keys()][index] ?? null;
  }
  getItem(key) {
    return this.#items.get(key) ?? null;
  }
  setItem(key, value) {
    this.#items.set(key, String(value));
  }
  removeItem(key) {
    this.#items.delete(key);
  }
}
