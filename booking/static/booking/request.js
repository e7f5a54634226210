// Requests of the staff's pages to the admin.

// Returns the JSON of the response with `ok` and `etag`, or null if it hasn't changed. Throws Error with a sentence.
export async function ask(url, { headers, ...options } = {}) {
  let response;
  try {
    response = await fetch(url, { ...options, headers: { Accept: "application/json", ...headers } });
  } catch {
    // The browsers' own messages differ.
    throw new Error("The service can't be reached. Try again.");
  }
  if (response.status === 304) return null;
  if (!response.headers.get("Content-Type")?.includes("json")) {
    throw new Error("You are signed out, or the service has stopped. Reload the page.");
  }
  return { ok: response.ok, etag: response.headers.get("ETag"), ...(await response.json()) };
}
