"""Signing in to the admin, with rate limits."""

from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import logout
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from booking import services
from booking.models import User
from booking.throttling import address_of, set_limit_headers

_login = admin.site.login
_password_change = admin.site.password_change


class LimitedLoginForm(AdminAuthenticationForm):
    # The state of the limit, once the attempt is counted.
    limit_state: services.LimitState | None = None

    def clean(self) -> dict[str, Any]:
        """Checks the password only if no limit is exceeded."""
        client = {
            "username": self.cleaned_data.get("username", ""),
            "address": address_of(cast(HttpRequest, self.request)),
        }
        self.limit_state = services.count_sign_in(page="admin", **client)
        if self.limit_state.is_exceeded:
            wait = self.limit_state.seconds_left
            raise ValidationError(f"Too many attempts. Please try again in {wait} seconds.", code="throttled")
        data: dict[str, Any] = super().clean()
        # Django does not authenticate, and raises no error here, if a field is empty.
        if self.user_cache is not None:
            services.trust_address(**client)
        return data


def login(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """The admin's sign-in page, with status 429 if a limit is exceeded."""
    response = _login(request, extra_context)
    form = (getattr(response, "context_data", None) or {}).get("form")
    if form is not None and form.limit_state is not None:
        set_limit_headers(response.headers, form.limit_state)
        if form.limit_state.is_exceeded:
            response.status_code = 429
            response["Retry-After"] = str(form.limit_state.seconds_left)
    return response


def password_change(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """The admin's password page; it locks and reloads the account before saving."""
    with transaction.atomic():
        # Race: another request changes or deletes the account.
        account = services.lock_account(cast(User, request.user).pk) if request.method == "POST" else request.user
        if account is None:
            logout(request)
            return HttpResponseRedirect(reverse("admin:login"))
        request.user = account
        return _password_change(request, extra_context)


admin.site.login_form = LimitedLoginForm
admin.site.password_change = password_change  # type: ignore[method-assign, assignment]
admin.site.login = login  # type: ignore[method-assign]
