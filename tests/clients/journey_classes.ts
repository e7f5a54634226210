// A customer's journey with the class that swagger-typescript-api generates; it makes what can be null optional too.
import { Api } from "./api.js";

declare const process: { argv: string[] };

const [, , baseUrl = "", username = ""] = process.argv;
const password = "red-velvet-seats";
const client = new Api<string>({
  baseUrl,
  securityWorker: (token) => (token ? { headers: { Authorization: `Bearer ${token}` } } : {}),
});

function check(condition: boolean, text: string): asserts condition {
  if (!condition) throw new Error(text);
}

const account = await client.signup.signUp({ username, password });
check(account.ok && account.data.username === username, "signed up");
const tokens = await client.token.signIn({ username, password });
client.setSecurityData(tokens.data.access);

const movies = await client.movies.listMovies({ page: 1, page_size: 5 });
const next: string | null = movies.data.next ?? null;
const [movie] = movies.data.results;
check(movie !== undefined && next === null, "a movie");
const shows = await client.movies.listMovieShows(movie.id, {});
const [show] = shows.data.results;
check(show !== undefined && (movie.duration_minutes ?? 0) > 0, "a show");
const map = await client.shows.getSeatMap(show.id);
check(map.data.unavailable.every((seat) => seat.mine !== true), "no seat of one's own");

const hold = await client.shows.holdSeats(show.id, { count: 1 });
const [held] = hold.data.bookings;
check(held !== undefined && held.status === "held" && typeof held.expires_at === "string", "a hold");
const booked = await client.shows.bookSeat(show.id, { seat_number: held.seat_number });
check(booked.data.status === "booked" && booked.data.expires_at === null, "the held seat booked");
check(booked.headers.get("Location") === `/api/bookings/${booked.data.id}/`, "its location");
const group = await client.shows.bookSeats(show.id, { count: 2 });
check(group.data.bookings.length === 2, "two seats booked");

const refused = await client.shows.bookSeat(show.id, { seat_number: held.seat_number });
check(refused.status === 409 && refused.error.code === "seat_taken", "a taken seat");
const invalid = await client.shows.bookSeats(show.id, {});
check(invalid.error.code === "invalid" && invalid.error.errors?.[0]?.field === "seat_numbers", "a field with an error");

const list = await client.myBookings.listBookings({ status: "booked" });
check(list.data.count === 3, "three bookings");
const free = (await client.shows.holdSeats(show.id, { count: 1 })).data.bookings[0];
check(free !== undefined, "another seat");
const moved = await client.bookings.moveBooking(booked.data.id, { seat_number: free.seat_number });
check(moved.data.seat_number === free.seat_number, "moved");
const cancelled = await client.bookings.cancelBooking(booked.data.id);
check(cancelled.data.status === "cancelled" && cancelled.data.cancelled_by === "customer", "cancelled");
const order = await client.orders.cancelOrder(group.data.reference);
check(order.data.bookings.every((booking) => typeof booking.cancelled_at === "string"), "all cancelled");
console.log("The journey is complete.");
