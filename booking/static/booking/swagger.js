// Signs this page in and out, refreshes its access token, and fills in the id of the last booking.
// drf-yasg defines swaggerUiConfig, which it reads when the page has loaded, and window.ui after that.

const SCHEME = "Bearer";
const KEY = "sign-in";
// Refresh the access token this long before it expires, because the request takes time.
const MARGIN_MS = 10_000;
// A reloaded page waits at most this long until its previous instance has released the lock.
const LOCK_MS = 2_000;

const bar = document.getElementById("sign-in");
const line = bar.querySelector("p");
const button = bar.querySelector("button");
const paths = bar.dataset;

// --- The session -----------------------------------------------------------------------------

// The session storage survives a reload, ends with the tab, and is not shared with other tabs.
const read = () => JSON.parse(sessionStorage.getItem(KEY));

function show(text, isSignedIn) {
  line.textContent = text;
  button.hidden = !isSignedIn;
}

function begin({ access, refresh }) {
  acquireLock(refresh);
  sessionStorage.setItem(KEY, JSON.stringify({ access, refresh, renewAt: Date.now() + lifetime(access) - MARGIN_MS }));
  show("Signed in.", true);
  if (refresh) fillRefreshToken(refresh);
  ui.preauthorizeApiKey(SCHEME, `Bearer ${access}`);
}

function end(text) {
  sessionStorage.removeItem(KEY);
  releaseLock();
  show(text, false);
  ui.authActions.logout([SCHEME]);
}

function claims(token) {
  try {
    return JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
  } catch {
    return { iat: 0, exp: 0 };
  }
}

// The lifetime in the token, because this machine's clock may be wrong.
function lifetime(token) {
  const { iat, exp } = claims(token);
  return (exp - iat) * 1000;
}

// A duplicated tab begins with a copy of the tokens. Only one tab may use them, because a refresh token that is used
// again after REFRESH_GRACE_SECONDS ends the session in both tabs. So the first tab holds a lock as long as it is open.
let lock = null;

// Returns a promise of whether this tab has the lock.
function acquireLock(refresh) {
  const name = refresh && `${KEY} ${claims(refresh).sid}`;
  if (lock && lock.name === name) return lock.succeeds;
  releaseLock();
  // Browsers have no locks on pages without TLS.
  if (!name || !navigator.locks) return Promise.resolve(true);
  lock = { name };
  const held = new Promise((done) => (lock.release = done));
  lock.succeeds = new Promise((resolve) => {
    const hold = () => (resolve(true), held);
    navigator.locks.request(name, { signal: AbortSignal.timeout(LOCK_MS) }, hold).catch(() => resolve(false));
  });
  return lock.succeeds;
}

function releaseLock() {
  lock?.release();
  lock = null;
}

async function ask(path, options) {
  try {
    const response = await fetch(path, options);
    return { status: response.status, body: await response.json() };
  } catch {
    return { status: 0 };
  }
}

const post = (path, body) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

async function showUsername() {
  const access = await freshAccess();
  if (!access) return;
  const { status, body } = await ask(paths.me, { headers: { Authorization: `Bearer ${access}` } });
  if (read()?.access !== access) return;
  if (status === 200) show(`Signed in as ${body.username}.`, true);
  else if (status === 401) end("This token is invalid or has expired. Sign in again.");
}

async function signOut() {
  await renewal;
  const tokens = read();
  if (!tokens) return;
  end("Signed out.");
  if (!tokens.refresh) return;
  const { status } = await post(paths.blacklist, { refresh: tokens.refresh });
  if (status !== 200 && status !== 401) show("Signed out here, but the service could not be reached.", false);
}

// --- Renewal ---------------------------------------------------------------------------------

let renewal = null;

// Simultaneous requests share one refresh.
async function freshAccess() {
  const tokens = read();
  if (tokens?.refresh && Date.now() >= tokens.renewAt) {
    renewal ??= renew(tokens.refresh).finally(() => (renewal = null));
    await renewal;
  }
  return read()?.access;
}

async function renew(refresh) {
  const text = line.textContent;
  const { status, body } = await post(paths.refresh, { refresh });
  if (status === 200) {
    begin(body);
    show(text, true);
  } else if (status === 401) end("Your sign-in has expired. Sign in again.");
}

// --- Swagger UI's requests and responses -----------------------------------------------------

// Replaces drf-yasg's interceptor, which sends the admin's CSRF token.
swaggerUiConfig.requestInterceptor = async (request) => {
  if (request.headers?.Authorization) {
    const access = await freshAccess();
    if (access) request.headers.Authorization = `Bearer ${access}`;
    else delete request.headers.Authorization;
  }
  return request;
};

swaggerUiConfig.responseInterceptor = (response) => {
  const path = new URL(response.url, location).pathname.replace(/\/$/, "");
  const { status, body } = response;
  if ([paths.token, paths.refresh].includes(path)) {
    if (status === 200) {
      begin(body);
      showUsername();
    }
  } else if (path === paths.blacklist && status === 200) end("Signed out.");
  else if (path === paths.password && status === 204) end("Your password was changed. Sign in with the new password.");
  else if (path === paths.everywhere && status === 204) end("Signed out everywhere.");
  else if (path === paths.me && status === 204) end("Your account was deleted.");
  else if (status === 401 && read()) end("Your sign-in has expired. Sign in again.");
  else if (response.ok) fillBooking(body);
  return response;
};

const signInPlugin = () => ({
  statePlugins: {
    auth: {
      wrapActions: {
        // The input may lack the word Bearer or have extra spaces.
        authorize: (authorize) => (schemes) => {
          const token = schemes[SCHEME].value.trim().replace(/^Bearer\s+/i, "");
          authorize({ [SCHEME]: { ...schemes[SCHEME], value: `Bearer ${token}` } });
          if (read()?.access === token) return;
          begin({ access: token });
          showUsername();
        },
        logout: (logout) => (names) => {
          logout(names);
          signOut();
        },
      },
    },
  },
});

// --- Filling in parameters -------------------------------------------------------------------

function fill(path, method, place, name, value) {
  ui.specActions.changeParam([path, method], name, place, value, false);
  // For an operation that was opened before, Swagger UI also stores the value elsewhere.
  const parameters = ui.specSelectors.specJsonWithResolvedSubtrees().getIn(["paths", path, method, "parameters"]);
  const parameter = parameters?.find((each) => each.get("in") === place && each.get("name") === name);
  if (parameter) ui.specActions.changeParamByIdentity([path, method], parameter, value, false);
}

function fillRefreshToken(refresh) {
  const body = JSON.stringify({ refresh }, null, 2);
  for (const path of ["/token/refresh/", "/token/blacklist/"]) fill(path, "post", "body", "data", body);
}

function fillBooking(body) {
  const bookings = (body?.results ?? [body]).flatMap((each) => each?.bookings ?? each);
  const booking = bookings.find((each) => each?.reference && each.status !== "cancelled");
  if (!booking) return;
  for (const [path, operations] of Object.entries(ui.specSelectors.specJson().get("paths").toJS())) {
    for (const method of ["get", "post"].filter((each) => each in operations)) {
      if (path.startsWith("/bookings/{id}/")) fill(path, method, "path", "id", booking.id);
      if (path.startsWith("/orders/{reference}/")) fill(path, method, "path", "reference", booking.reference);
    }
  }
}

// --- Start -----------------------------------------------------------------------------------

show("Not signed in. Execute POST /token/ to sign in; the examples work as they stand.", false);
button.addEventListener("click", signOut);
swaggerUiConfig.plugins.push(signInPlugin);
swaggerUiConfig.tryItOutEnabled = true;
swaggerUiConfig.onComplete = async () => {
  const tokens = read();
  if (!tokens) return;
  if (tokens.refresh && !(await acquireLock(tokens.refresh))) {
    end("Not signed in. Another tab uses this session.");
    return;
  }
  show("Signed in.", true);
  if (tokens.refresh) fillRefreshToken(tokens.refresh);
  ui.preauthorizeApiKey(SCHEME, `Bearer ${tokens.access}`);
  showUsername();
};
