"""The admin's site: its names, its front page, its sign-in, and the guard around all of its pages.

Modules that register models can't be imported here: the first model that is registered creates the site.
"""

from functools import wraps
from typing import Any, cast

from django.contrib import admin
from django.contrib.auth import logout
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse

from booking import services
from booking.admin.door import sees_only_the_door
from booking.admin.front_page import read_figures
from booking.admin.login import LimitedLoginForm, show_limit
from booking.admin.query_guard import View, guarded
from booking.models import User


def _without_copies(view: View) -> View:
    """Return the view without “Save as new”: no page has the button, but Django adds a row if it is posted."""

    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST" and "_saveasnew" in request.POST:
            # Django's type for the data of a request is one that can't be changed.
            data: Any = request.POST.copy()
            del data["_saveasnew"]
            request.POST = data
        return view(request, *args, **kwargs)

    return wrapper


class CinemaSite(admin.AdminSite):
    site_header = "Cinema"
    site_title = "Cinema"
    index_title = "Box office and schedule"
    index_template = "admin/booking/front_page.html"
    login_form = LimitedLoginForm

    # The type stubs of these methods know only the pages that Django's own return.

    def admin_view(self, view: View, cacheable: bool = False) -> View:  # type: ignore[override]
        """Wraps each page of the admin. The permissions are checked before the guard."""
        return super().admin_view(guarded(_without_copies(view)), cacheable)

    def index(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Adds the day's figures; staff who see only the door get its list of shows."""
        if sees_only_the_door(request):
            return HttpResponseRedirect(reverse("admin:booking_show_doors"))
        return super().index(request, read_figures(request) | (extra_context or {}))

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Has status 429 if a limit is exceeded."""
        return show_limit(super().login(request, extra_context))

    def password_change(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Locks and reloads the account before saving."""
        with transaction.atomic():
            # Race: another request changes or deletes the account.
            user = cast(User, request.user)
            account = services.lock_account(user_id=user.pk) if request.method == "POST" else user
            if account is None:
                logout(request)
                return HttpResponseRedirect(reverse("admin:login"))
            request.user = account
            return super().password_change(request, extra_context)
