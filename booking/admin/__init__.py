"""The admin for cinema staff. All changes of shows and bookings go through the services."""

from django.contrib import admin
from rest_framework_simplejwt.token_blacklist import admin as token_admin

from booking.admin import (
    bookings,
    catalogue,
    orders,
    payments,
    prices,
    refunds,
    shows,
    tasks,
    tills,
)

__all__ = [
    "bookings",
    "catalogue",
    "orders",
    "payments",
    "prices",
    "refunds",
    "shows",
    "tasks",
    "tills",
]

# SimpleJWT registers these on import; they would show the refresh tokens of customers.
admin.site.unregister([token_admin.BlacklistedToken, token_admin.OutstandingToken])  # type: ignore[attr-defined]
