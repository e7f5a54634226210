"""After random requests of customers and staff, each seat belongs to the same customer as in a simple model."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from booking import services
from booking.models import Booking, User
from booking.services.audit import find_breaches
from booking.services.seats.holds import release_expired_holds
from tests.factories import NOW, PASSWORD, make_show, make_user
from tests.hostile import bounded

pytestmark = pytest.mark.fuzz

# So small that customers often request the same seats.
ROWS, WIDTH, LIMIT = 2, 4, 4
SEATS = ROWS * WIDTH
HOLD, LONGEST_HOLD = timedelta(minutes=10), timedelta(minutes=30)

SEAT = st.integers(0, SEATS + 1)
CHOICE = st.lists(SEAT, min_size=1, max_size=3, unique=True)
CUSTOMER = st.integers(0, 1)


@dataclass
class Place:
    """The holder of a seat; the customer of a blocked seat is None."""

    customer: int | None
    booking: int | None
    reference: str
    until: datetime | None = None


class Hall(RuleBasedStateMachine):
    """The model: seats by number, and when each customer first held each seat."""

    def __init__(self):
        super().__init__()
        self.now = NOW
        self.show = make_show(total_seats=SEATS, seats_per_row=WIDTH)
        self.customers = [make_user() for _ in range(2)]
        self.taken = {}
        self.first_held = {}
        self.gone = []

    # --- What the model says ------------------------------------------------------------------

    def active(self):
        return {seat: place for seat, place in self.taken.items() if place.until is None or place.until > self.now}

    def reasons(self, customer, seats, *, limited=True):
        """Return the codes with which a request may be refused; none if it must succeed."""
        live = self.active()
        reasons = set()
        if not all(1 <= seat <= SEATS for seat in seats):
            reasons.add("no_such_seat")
        own_holds = {seat for seat, place in live.items() if place.customer == customer and place.until}
        if set(seats) & (live.keys() - own_holds):
            reasons |= {"seat_taken", "sold_out"} if len(live) == SEATS else {"seat_taken"}
        has = {seat for seat, place in live.items() if place.customer == customer}
        if limited and len(has | set(seats)) > LIMIT:
            reasons.add("seat_limit_reached")
        return reasons

    def reasons_of_count(self, customer, count, *, split, avoid=()):
        live = self.active()
        free = [seat for seat in range(1, SEATS + 1) if seat not in live and seat not in avoid]
        reasons = set()
        if Counter(place.customer for place in live.values())[customer] + count > LIMIT:
            reasons.add("seat_limit_reached")
        if not free:
            reasons.add("sold_out")
        elif len(free) < count if split else not self.has_block(free, count):
            reasons.add("no_block")
        return reasons, set(free)

    @staticmethod
    def has_block(free, count):
        starts = (range(seat, seat + count) for seat in free if (seat - 1) % WIDTH + count <= WIDTH)
        return any(set(block) <= set(free) for block in starts)

    def hold_began_at(self, customer, seat):
        """When the customer began to hold the seat; a hold that expired for as long as a hold lasts has ended."""
        place = self.taken.get(seat)
        goes_on = place and place.customer == customer and place.until and place.until + HOLD > self.now
        return self.first_held[customer, seat] if goes_on else self.now

    def held_too_long(self, customer, seats):
        return [seat for seat in seats if self.hold_began_at(customer, seat) + LONGEST_HOLD <= self.now]

    def carried_out(self, reasons, service, **call):
        """Return the service's result, or None if it refuses for one of the reasons."""
        done, code = None, None
        try:
            done = service(**call)
        except services.Refusal as refusal:
            code = refusal.code
        assert code in (reasons or {None}), (code, reasons)
        return done

    def put(self, customer, bookings):
        for booking in bookings:
            self.taken[booking.seat_number] = Place(customer, booking.pk, booking.reference, booking.expires_at)

    def seat_request(self, customer, **seat_request):
        return {"user": self.customers[customer], "show_id": self.show.pk, "now": self.now, **seat_request}

    # --- What customers do --------------------------------------------------------------------

    @rule(customer=CUSTOMER, seats=CHOICE)
    def book(self, customer, seats):
        seat_request = self.seat_request(customer, seat_numbers=seats)
        if booked := self.carried_out(self.reasons(customer, seats), services.book_seats, **seat_request):
            assert {booking.seat_number for booking in booked} == set(seats)
            self.put(customer, booked)

    @rule(customer=CUSTOMER, seat=SEAT)
    def book_one(self, customer, seat):
        seat_request = self.seat_request(customer, seat_number=seat)
        if booked := self.carried_out(self.reasons(customer, [seat]), services.book_seat, **seat_request):
            self.put(customer, [booked])

    @rule(customer=CUSTOMER, count=st.integers(1, LIMIT + 1), split=st.booleans())
    def book_best(self, customer, count, split):
        reasons, free = self.reasons_of_count(customer, count, split=split)
        seat_request = self.seat_request(customer, count=count, split=split)
        if booked := self.carried_out(reasons, services.book_seats, **seat_request):
            seats = {booking.seat_number for booking in booked}
            assert (len(seats), seats <= free) == (count, True)
            self.put(customer, booked)

    @rule(customer=CUSTOMER, seats=CHOICE)
    def hold(self, customer, seats):
        reasons = self.reasons(customer, seats)
        if self.held_too_long(customer, seats):
            reasons.add("hold_limit_reached")
        seat_request = self.seat_request(customer, seat_numbers=seats)
        self.keep_hold(customer, self.carried_out(reasons, services.hold_seats, **seat_request))

    @rule(customer=CUSTOMER, count=st.integers(1, LIMIT))
    def hold_best(self, customer, count):
        avoid = self.held_too_long(customer, range(1, SEATS + 1))
        reasons, _ = self.reasons_of_count(customer, count, split=False, avoid=avoid)
        seat_request = self.seat_request(customer, count=count)
        self.keep_hold(customer, self.carried_out(reasons, services.hold_seats, **seat_request))

    def keep_hold(self, customer, holds):
        for hold in holds or ():
            first = self.hold_began_at(customer, hold.seat_number)
            self.first_held[customer, hold.seat_number] = first
            assert self.now < hold.expires_at <= min(self.now + HOLD, first + LONGEST_HOLD)
            self.put(customer, [hold])

    def choose(self, data, of=None):
        """Return the seat of a booking, if possible one of this customer."""
        return data.draw(st.sampled_from(sorted(seat for seat, place in self.taken.items() if place.booking)))

    @precondition(lambda self: any(place.booking for place in self.taken.values()))
    @rule(data=st.data(), customer=CUSTOMER, to=SEAT, own=st.booleans())
    def move(self, data, customer, to, own):
        seat = self.choose(data)
        place = self.taken[seat]
        customer = place.customer if own else customer
        call = {"user": self.customers[customer], "booking_id": place.booking, "seat_number": to, "now": self.now}
        moved = self.carried_out(self.reasons_of_move(seat, customer, to), services.move_booking, **call)
        if moved and to != seat:
            del self.taken[seat]
            self.put(customer, [moved])

    def reasons_of_move(self, seat, customer, to):
        place = self.active().get(seat)
        if self.taken[seat].customer != customer:
            return {"not_found"}
        if place is None:
            return {"already_cancelled"}
        if place.until:
            return {"not_booked"}
        return self.reasons(customer, [to], limited=False) if to != seat else set()

    @precondition(lambda self: any(place.booking for place in self.taken.values()))
    @rule(data=st.data(), customer=CUSTOMER, own=st.booleans())
    def cancel(self, data, customer, own):
        seat = self.choose(data)
        place = self.taken[seat]
        customer = place.customer if own else customer
        reasons = (
            {"not_found"} if place.customer != customer else set() if seat in self.active() else {"already_cancelled"}
        )
        call = {"user": self.customers[customer], "booking_id": place.booking, "now": self.now}
        if self.carried_out(reasons, services.cancel_booking, **call):
            self.gone.append(self.taken.pop(seat))

    @precondition(lambda self: any(place.booking for place in self.taken.values()))
    @rule(data=st.data())
    def cancel_order(self, data):
        place = self.taken[self.choose(data)]
        same = [seat for seat, other in self.active().items() if other.reference == place.reference]
        reasons = set() if same else {"already_cancelled"}
        call = {"user": self.customers[place.customer], "reference": place.reference, "now": self.now}
        cancelled = self.carried_out(reasons, services.cancel_order, **call) or ()
        assert sorted(booking.seat_number for booking in cancelled) == sorted(same)
        self.gone += [self.taken.pop(seat) for seat in same]

    @precondition(lambda self: self.gone)
    @rule(data=st.data())
    def cancel_again(self, data):
        place = data.draw(st.sampled_from(self.gone))
        call = {"user": self.customers[place.customer], "booking_id": place.booking, "now": self.now}
        assert self.carried_out({"already_cancelled"}, services.cancel_booking, **call) is None

    # --- What staff do, and time --------------------------------------------------------------

    @rule(seats=CHOICE)
    def block(self, seats):
        call = {"show_id": self.show.pk, "seat_numbers": seats, "reason": "House seats", "now": self.now}
        reasons = self.reasons(None, seats, limited=False)
        self.carried_out(reasons, services.block_seats, **call)
        if not reasons:
            self.taken |= {seat: Place(None, None, "") for seat in seats}

    @rule(data=st.data())
    def unblock(self, data):
        blocked = sorted(seat for seat, place in self.taken.items() if place.booking is None)
        if blocked:
            seats = data.draw(st.lists(st.sampled_from(blocked), min_size=1, unique=True))
            services.unblock_seats(show_id=self.show.pk, seat_numbers=seats)
            for seat in seats:
                del self.taken[seat]

    @rule(minutes=st.sampled_from([1, 5, 10, 31]))
    def wait(self, minutes):
        self.now += timedelta(minutes=minutes)

    @rule()
    def tidy_up(self):
        release_expired_holds(expired_by=self.now)

    @rule(customer=CUSTOMER)
    def delete(self, customer):
        services.delete_account(user=self.customers[customer], password=PASSWORD, now=self.now)
        self.taken = {seat: place for seat, place in self.taken.items() if place.customer != customer}
        self.gone = [place for place in self.gone if place.customer != customer]
        self.first_held = {key: since for key, since in self.first_held.items() if key[0] != customer}
        self.customers[customer] = make_user(username=f"heir{User.objects.latest('pk').pk}")

    # --- What must be so at any time ----------------------------------------------------------

    @invariant()
    def each_seat_has_who_the_model_says(self):
        rows = Booking.objects.active(self.now).filter(show=self.show).values_list("seat_number", "user", "pk")
        model = {
            (seat, None if place.customer is None else self.customers[place.customer].pk)
            for seat, place in self.active().items()
        }
        assert {row[:2] for row in rows} == model
        assert len(rows) == len(model)

    def teardown(self):
        assert list(find_breaches()) == []


@pytest.mark.django_db
def test_the_hall_equals_the_model_after_any_changes(settings):
    settings.MAX_SEATS_PER_USER = LIMIT
    run_state_machine_as_test(Hall, settings=bounded(15, stateful_step_count=30))
