"""What cinema staff see. Whatever changes a show or a booking goes through the services."""

from django.contrib import admin
from rest_framework_simplejwt.token_blacklist import admin as token_admin

from booking.admin import bookings, catalogue, front_page, login, shows

__all__ = ["bookings", "catalogue", "front_page", "login", "shows"]

admin.site.site_header = "Cinema"
admin.site.site_title = "Cinema"
admin.site.index_title = "Box office and schedule"
# SimpleJWT's own pages would show staff the refresh tokens of customers; they are registered on import.
admin.site.unregister([token_admin.BlacklistedToken, token_admin.OutstandingToken])  # type: ignore[attr-defined]
