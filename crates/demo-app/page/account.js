/** The user's account: `amazon-cognito-identity-js`, with the SDK's adapter for the step-up. Tokens stay in this tab. */
import { StepUpError, claimsOf } from "/sdk/index.js";
import { resumeSignIn, signIn } from "/sdk/adapters/amazon-cognito-identity-js.js";

export class Account {
  constructor(settings) {
    this.settings = settings;
    this.library = globalThis.AmazonCognitoIdentity;
    const { userPoolId: UserPoolId, clientId: ClientId, endpoint } = settings;
    this.pool = new this.library.CognitoUserPool({ UserPoolId, ClientId, endpoint, Storage: sessionStorage });
    this.user = null;
    this.session = null;
  }

  #userOf(Username) {
    return once(new this.library.CognitoUser({ Username, Pool: this.pool, Storage: sessionStorage }));
  }

  /** Takes up a session that this tab has already. */
  async restore() {
    this.user = this.pool.getCurrentUser();
    if (!this.user) return false;
    once(this.user);
    try {
      this.session = await promised((done) => this.user.getSession(done));
    } catch {
      this.session = null;
    }
    return this.session !== null;
  }

  signUp(username, email, password) {
    const attribute = new this.library.CognitoUserAttribute({ Name: "email", Value: email });
    return promised((done) => this.pool.signUp(username, password, [attribute], null, done));
  }

  confirm(username, code) {
    return promised((done) => this.#userOf(username).confirmRegistration(code, false, done));
  }

  /** Signs in; `frame` is what the SDK's `stepUp` takes. */
  async signIn(username, password, frame) {
    this.user = this.#userOf(username);
    const detailsOf = (Password) => new this.library.AuthenticationDetails({ Username: username, Password });
    this.session = await signIn({ ...frame, user: this.user, details: detailsOf(password), detailsOf });
  }

  /** Goes on after a full-page step-up. */
  async resume() {
    this.session = await resumeSignIn({ userOf: (username) => (this.user = this.#userOf(username)) });
  }

  async renew() {
    try {
      this.session = await promised((done) => this.user.refreshSession(this.session.getRefreshToken(), done));
    } catch (cause) {
      const reason = /error:? ([a-z_]+)/.exec(cause.message ?? "")?.[1];
      throw new StepUpError("refused", "Cognito did not renew the tokens", { reason, cause });
    }
  }

  signOut() {
    this.user?.signOut();
    this.user = null;
    this.session = null;
  }

  get accessToken() {
    return this.session.getAccessToken().getJwtToken();
  }

  get claims() {
    return { id: claimsOf(this.session.getIdToken().getJwtToken()), access: claimsOf(this.accessToken) };
  }
}

/** The library repeats a refused refresh for many seconds. A refusal by the gate is final, so it is told at once. */
function once(user) {
  user.client.requestWithRetry = user.client.request.bind(user.client);
  return user;
}

/** Node's callbacks as a promise. */
function promised(call) {
  return new Promise((resolve, reject) => call((error, result) => (error ? reject(error) : resolve(result))));
}
