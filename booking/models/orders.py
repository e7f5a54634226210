"""Orders: seats that were booked together."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Value
from django.db.models.functions import Replace
from django.db.models.lookups import Contains

from booking.models.accounts import User
from booking.models.bookings import REFERENCE_LENGTH, Booking, new_reference
from booking.models.folding import FoldedField, Folding, FoldingQuerySet, in_folded
from booking.models.loading import LoadsQuickly
from booking.models.movies import Movie
from booking.models.payments import Payment
from booking.models.shows import Show

# Characters that people write between the digits of a phone number.
PUNCTUATION = " -/.()"
# A letter can be folded to several.
MAX_NAME_LENGTH = 300


def _with_phone(word: str) -> Q:
    """Return the condition that the word is part of the phone number."""
    digits = word.translate(str.maketrans("", "", PUNCTUATION))
    if not digits:
        return Q(phone__contains=word)
    phone: F | Replace = F("phone")
    for character in PUNCTUATION:
        phone = Replace(phone, Value(character))
    return Q(Contains(phone, digits))


def _with_contact(word: str) -> Q:
    """Return the condition that the word is part of the name, e-mail address or phone number of the order."""
    return in_folded(Order, word) | Q(email__icontains=word) | _with_phone(word)


def of_outer_order(rows: Any) -> Any:
    """Return those of the rows, in a subquery, that have the show and the reference of the outer query's row."""
    return rows.order_by().filter(show=OuterRef("show"), reference=OuterRef("reference"))


def _has(rows: Any) -> Q:
    """Return the condition that some of the rows are of the order."""
    return Q(Exists(of_outer_order(rows)))


def _has_payments() -> Q:
    # With refunds: they are of a payment of the same order.
    return _has(Payment.objects.all())


class OrderQuerySet(FoldingQuerySet["Order"]):
    def with_content(self) -> OrderQuerySet:
        """Return orders that have a booking, cancelled ones included, or a payment."""
        return self.filter(_has(Booking.objects.all()) | _has_payments())

    def without_content(self) -> OrderQuerySet:
        """Return orders that have neither, which nobody needs."""
        return self.filter(~_has(Booking.objects.all()), ~_has_payments())

    def shown_to_staff(self, now: datetime) -> OrderQuerySet:
        """Return orders with a payment, or with bookings other than holds that were cancelled or expired by `now`."""
        # Money may arrive after the hold has ended, and goes back then; staff answer for it.
        return self.filter(_has(Booking.objects.without_ended_holds(now)) | _has_payments())

    def for_mail(self) -> OrderQuerySet:
        """Load the objects that mail about the orders needs: the customer, the show, its movie and its screen."""
        return self.select_related("user", "show__movie", "show__screen")

    def with_contact(self, word: str) -> OrderQuerySet:
        """Return orders without an account, with the word in name, e-mail address or phone number."""
        return self.filter(_with_contact(word), user=None)

    def matching(self, text: str) -> OrderQuerySet:
        """Return orders in which each word of the text is part of the reference, the contact, or the customer's
        username, name or e-mail address, or else a seat's label or a part of the movie's or screen's name.

        Accents in names don't matter, nor do blanks and punctuation in phone numbers.
        """
        found = self
        for word in text.split():
            # Customers and shows are searched in their own tables, not for each order.
            movies = Movie.objects.matching(word).order_by()
            shows = Show.objects.filter(Q(movie__in=movies) | Q(screen__name__icontains=word)).order_by()
            seats = Booking.objects.filter(seat_label__iexact=word, show=OuterRef("show"))
            found = found.filter(
                Q(reference__icontains=word)
                | _with_contact(word)
                | Q(user__in=User.objects.matching(word).order_by())
                | Q(show__in=shows)
                | Q(Exists(seats.filter(reference=OuterRef("reference")).order_by()))
            )
        return found


class Order(Folding, LoadsQuickly):
    """The customer of the bookings with this reference in this show.

    Bookings refer to their order by show and reference, so that the tables can be sharded by show.
    """

    reference = models.CharField(max_length=REFERENCE_LENGTH, default=new_reference, editable=False)
    show = models.ForeignKey(Show, models.PROTECT, related_name="+", db_index=False)
    # Null for customers without an account.
    user = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False, null=True, blank=True)
    name = models.CharField(max_length=150, blank=True, default="", db_default="")
    email = models.EmailField("e-mail", max_length=254, blank=True, default="", db_default="")
    phone = models.CharField(max_length=40, blank=True, default="", db_default="")
    created_at = models.DateTimeField(editable=False)
    # Without an index: it is searched for any part.
    folded_name = FoldedField("name", max_length=MAX_NAME_LENGTH)

    objects = OrderQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["user", "-created_at", "-id"], name="order_by_user_newest_first")]
        constraints = [
            models.UniqueConstraint(fields=["show", "reference"], name="one_order_per_show_and_reference"),
        ]

    def __str__(self) -> str:
        return self.reference
