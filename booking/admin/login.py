"""Signing in to the admin, with rate limits."""

from typing import Any, cast

from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse

from booking import services
from booking.throttling import address_of, set_limit_headers


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


def show_limit(response: HttpResponse) -> HttpResponse:
    """Adds the state of the limit to the headers of the sign-in page, and status 429 if it is exceeded."""
    form = (getattr(response, "context_data", None) or {}).get("form")
    if form is not None and form.limit_state is not None:
        set_limit_headers(response.headers, form.limit_state)
        if form.limit_state.is_exceeded:
            response.status_code = 429
            response["Retry-After"] = str(form.limit_state.seconds_left)
    return response
