"""The path of every request for seats: lock the show and read the facts, check the rules, write and commit.

This takes two round trips to the database: `lock_and_read`, and the statements of a Change with the COMMIT. A request
with an Idempotency-Key or a sale by staff takes one more, because its record contains the booking's id. A request for
a seat that is already taken is refused after the first round trip, without the show's lock.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError

from booking.infrastructure.statements import Call, Insert, Update, mark_saved, send
from booking.models import RELEASED, Booking
from booking.services.refusals import Busy
from booking.services.seats.facts import Facts, SeatRequest, SeatRow, lock_and_read
from booking.services.seats.rules import choose_seats, need_customer_lock
from booking.services.transactions import Interrupted, WriteTransaction, lock_customer, retried, write_transaction

insert_booking = Insert(Booking)
_release = Update(lambda p: (Booking.objects.filter(show=p.show_id, pk=p.booking_id), RELEASED))


@dataclass
class Change:
    """The statements for a request that the rules allow: `before`, then inserts of the bookings without an id."""

    # The service's result, in the order of the seats.
    bookings: list[Booking]
    before: list[Call]
    # Returns the statements that need the ids of the bookings.
    after: Callable[[], list[Call]] | None = None


# Makes the Change for the chosen seats. May raise a Refusal.
Write = Callable[[SeatRequest, Facts, list[int]], Change]


def release_expired(facts: Facts, seats: list[int], now: datetime) -> list[Call]:
    """Return the statements that cancel expired holds on the seats."""
    expired = [row.pk for row in facts.rows if row.seat_number in seats and row.has_expired(now)]
    return [_release.bind(show_id=facts.show.pk, booking_id=pk) for pk in expired]


class Sale:
    """Carries out a request for seats; it remembers its last attempt, to detect a commit whose response was lost."""

    def __init__(self, request: SeatRequest, write: Write) -> None:
        self._request = request
        self._write = write
        # The bookings of the last attempt.
        self._attempted: list[Booking] = []
        self._may_be_committed = False

    @retried
    def carry_out(self) -> list[Booking]:
        """Makes the change and returns the bookings, with show, movie and screen loaded.

        Raises the refusals of `choose_seats` and of the write, NotFound, IdempotencyKeyReused, Replay and Busy.
        """
        try:
            return self._carry_out()
        except Interrupted as interruption:
            self._may_be_committed = self._may_be_committed or interruption.committing
            # Running again is safe, because the next run first looks for this attempt's bookings.
            raise Interrupted from interruption

    def _carry_out(self) -> list[Booking]:
        try:
            return self._in_transaction()
        except IntegrityError:
            # A row was written without the show's lock; the second attempt reads it.
            pass
        try:
            return self._in_transaction()
        except IntegrityError as error:
            # The customer's account was deleted at the same time.
            raise Busy from error

    def _in_transaction(self) -> list[Booking]:
        # Race: two customers for one seat, one customer's last allowed seats, a change of the show by staff.
        with write_transaction() as transaction:
            facts = self._read_facts(wait=self._may_be_committed)
            if self._may_be_committed and (found := self._find_attempt(facts)):
                return found
            seats = choose_seats(facts, self._request)
            if not facts.is_locked:
                # The seats became free between the two statements of `lock_and_read`.
                facts = self._read_facts(wait=True)
                seats = choose_seats(facts, self._request)
            return self._save(self._write(self._request, facts, seats), facts, transaction)

    def _read_facts(self, *, wait: bool) -> Facts:
        """Raises Replay or IdempotencyKeyReused if the request's key has a record."""
        request = self._request
        facts = lock_and_read(request, wait=wait)
        if request.idempotency:
            if facts.records and not facts.is_locked:
                facts = lock_and_read(request, wait=True)
            request.idempotency.check(facts.records)
        if request.user and facts.is_locked and need_customer_lock(request):
            # Race: the same customer's requests for other shows.
            lock_customer(request.user)
        return facts

    def _find_attempt(self, facts: Facts) -> list[Booking]:
        """Return the last attempt's bookings, if they are stored with the same customer, seats, status and times."""
        stored = {_identity(row): row.pk for row in facts.rows}
        if not all(_identity(booking) in stored for booking in self._attempted):
            return []
        for booking in self._attempted:
            booking.show = facts.show
            mark_saved(booking, stored[_identity(booking)])
        return self._attempted

    def _save(self, change: Change, facts: Facts, transaction: WriteTransaction) -> list[Booking]:
        request, bookings = self._request, change.bookings
        self._attempted = bookings
        new = [booking for booking in bookings if booking.pk is None]
        calls = [*change.before, *map(insert_booking.of, new)]
        needs_ids = request.idempotency or change.after
        results = send(*calls) if needs_ids else transaction.send_and_commit(*calls)
        for booking, [(pk,)] in zip(new, results[len(change.before) :], strict=True):
            mark_saved(booking, pk)
        if needs_ids:
            records = change.after() if change.after else []
            if request.idempotency:
                records.append(request.idempotency.record(facts.show, bookings, request.now))
            transaction.send_and_commit(*records)
        return bookings


def _identity(row: Booking | SeatRow) -> tuple[object, ...]:
    return row.user_id, row.seat_number, row.status, row.reference, row.created_at, row.expires_at
