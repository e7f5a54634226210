// A customer's journey with the types that openapi-typescript generates, by openapi-fetch.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

declare const process: { argv: string[] };

type Booking = components["schemas"]["Booking"];

const [, , baseUrl = "", username = ""] = process.argv;
const password = "red-velvet-seats";
const client = createClient<paths>({ baseUrl });

function check(condition: boolean, text: string): asserts condition {
  if (!condition) throw new Error(text);
}

function first<T>(rows: T[]): T {
  const [row] = rows;
  if (row === undefined) throw new Error("no row");
  return row;
}

function data<T>({ data, error }: { data?: T; error?: { code: string; detail: string } }): T {
  if (data === undefined) throw new Error(error?.detail ?? "no answer");
  return data;
}

const account = data(await client.POST("/signup/", { body: { username, password } }));
check(account.username === username, "signed up");
const tokens = data(await client.POST("/token/", { body: { username, password } }));
client.use({
  onRequest({ request }) {
    request.headers.set("Authorization", `Bearer ${tokens.access}`);
    return request;
  },
});

const movies = data(await client.GET("/movies/", { params: { query: { page: 1, page_size: 5, ordering: ["title", "-release_date"] } } }));
const next: string | null = movies.next;
const movie = first(movies.results);
const minutes: number | null = movie.duration_minutes;
check(next === null && (minutes ?? 0) > 0, "a movie");
const shows = data(await client.GET("/movies/{id}/shows/", { params: { path: { id: movie.id } } }));
const show = { path: { id: first(shows.results).id } };
const map = data(await client.GET("/shows/{id}/seats/", { params: show }));
check(
  map.unavailable.every((seat) => seat.mine !== true),
  "no seat of one's own",
);

const hold = data(await client.POST("/shows/{id}/hold/", { params: show, body: { count: 1 } }));
const held: Booking = first(hold.bookings);
check(held.status === "held" && held.expires_at !== null, "a hold");
const body = { seat_number: held.seat_number };
const key = { header: { "Idempotency-Key": username } };
const answer = await client.POST("/shows/{id}/book/", { params: { ...show, ...key }, body });
const booked = data(answer);
check(booked.status === "booked" && booked.expires_at === null, "the held seat booked");
check(answer.response.headers.get("Location") === `/api/bookings/${booked.id}/`, "its location");
const again = await client.POST("/shows/{id}/book/", { params: { ...show, ...key }, body });
check(again.response.headers.get("Idempotency-Replayed") === "true", "the same answer");
const group = data(await client.POST("/shows/{id}/book-seats/", { params: show, body: { count: 2 } }));
check(group.bookings.length === 2, "two seats booked");

const refused = await client.POST("/shows/{id}/book/", { params: show, body });
check(refused.error?.code === "seat_taken" && refused.error.mine === true, "a seat of one's own");
const invalid = await client.POST("/shows/{id}/book-seats/", { params: show, body: {} });
check(invalid.error?.code === "invalid" && invalid.error.errors?.[0]?.field === "seat_numbers", "a field with an error");

const list = data(await client.GET("/my-bookings/", { params: { query: { status: "booked" } } }));
check(list.count === 3, "three bookings");
const free = first(data(await client.POST("/shows/{id}/hold/", { params: show, body: { count: 1 } })).bookings);
const own = { path: { id: booked.id } };
const seat = { seat_number: free.seat_number };
const moved = data(await client.POST("/bookings/{id}/move/", { params: own, body: seat }));
check(moved.seat_number === free.seat_number, "moved");
const cancelled = data(await client.POST("/bookings/{id}/cancel/", { params: own }));
check(cancelled.status === "cancelled" && cancelled.cancelled_by === "customer", "cancelled");
const { reference } = group;
const all = data(await client.POST("/orders/{reference}/cancel/", { params: { path: { reference } } }));
check(
  all.bookings.every((booking) => booking.cancelled_at !== null),
  "all cancelled",
);
console.log("The journey is complete.");
