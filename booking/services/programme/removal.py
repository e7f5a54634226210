"""Explains why an object of the admin can't be deleted, and what to do instead."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from booking.models import Booking, Movie, Price, PriceList, Screen, SeatCategory, Show, TicketType, User
from booking.services.accounts.deletion import has_history
from booking.services.programme.price_lists import was_sold_at


def why_not_deleted(*, obj: object, now: datetime, together: Iterable[Any] = ()) -> str:
    """Return a sentence, or an empty text if nothing refers to the object. `now` is UTC.

    `together` has the objects of the same model that are deleted with it.
    """
    if isinstance(obj, Show):
        return _of_show(obj, now)
    if isinstance(obj, Movie):
        return _of_movie(obj)
    if isinstance(obj, Screen):
        return _of_screen(obj)
    if isinstance(obj, PriceList):
        is_kept = was_sold_at(price_list=obj, deleted=[other.pk for other in together])
        return "Seats were sold at its prices, and what was sold stays explainable." if is_kept else ""
    if isinstance(obj, SeatCategory):
        return _of_category(obj)
    if isinstance(obj, TicketType):
        return _of_ticket_type(obj)
    return _of_user(obj) if isinstance(obj, User) else ""


def _of_show(show: Show, now: datetime) -> str:
    # Blocked seats and expired holds are deleted with the show.
    bookings = Booking.objects.filter(show=show).of_customers(now).count()
    if not bookings:
        return ""
    instead = (
        "It is already cancelled, so it can stay." if show.is_cancelled else "Cancel it instead, with its bookings."
    )
    return f"It has {_number(bookings, 'booking')}, which their customers can still see. {instead}"


def _of_movie(movie: Movie) -> str:
    if not (shows := movie.shows.count()):
        return ""
    return f"It has {_number(shows, 'show')}. Delete them first; a movie whose shows were booked has to stay."


def _of_screen(screen: Screen) -> str:
    if not (shows := screen.shows.count()):
        return ""
    return (
        f"It has {_number(shows, 'show')}. Delete them or move them to another screen first. A screen on which shows "
        "were booked has to stay; it can be renamed."
    )


def _of_category(category: SeatCategory) -> str:
    if category.is_used():
        return "A seat plan uses it, and what was sold on it stays explainable."
    if not (lists := _lists_with(Price.objects.filter(category=category))):
        return ""
    return f"It has prices in {lists}. Delete them first; a list at whose prices seats were sold has to stay."


def _of_ticket_type(ticket_type: TicketType) -> str:
    instead = "Clear “Active” on its page instead, so that it is not sold any more."
    if Booking.objects.filter(ticket_type=ticket_type).exists():
        return f"Seats were sold as it, and what was sold stays explainable. {instead}"
    if lists := _lists_with(Price.objects.filter(ticket_type=ticket_type)):
        return f"It has prices in {lists}. {instead}"
    return ""


def _lists_with(prices: QuerySet[Price]) -> str:
    count = prices.values("price_list").distinct().order_by().count()
    return _number(count, "price list") if count else ""


def _of_user(user: User) -> str:
    # Deleting the account would also delete its log entries, from which history pages are made.
    if has_history(account=user):
        return "The history of shows and bookings lists what they did. Clear “Active” on the account's page instead."
    if not (bookings := user.bookings.count()):
        return ""
    return (
        f"They have {_number(bookings, 'booking')}. Clear “Active” on the account's page instead. Only customers "
        "themselves can delete an account with bookings, with their password."
    )


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
