"""DRF throttles; services/accounts/limits.py counts the attempts."""

from abc import abstractmethod
from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from booking import services
from movieticket.addresses import client_address


def address_of(request: Request | HttpRequest) -> str:
    """Return the client's address; X-Forwarded-For is used only from TRUSTED_PROXIES."""
    meta = request.META
    return client_address(meta.get("REMOTE_ADDR", ""), meta.get("HTTP_X_FORWARDED_FOR", ""), settings.TRUSTED_PROXIES)


def body_field(request: Request, name: str) -> str:
    """Return a field of the body as text, whatever its type is."""
    return str(request.data.get(name)) if isinstance(request.data, dict) else ""


def set_limit_headers(headers: Any, state: services.LimitState) -> None:
    """Tells the client how many attempts are left and for how many seconds."""
    headers["RateLimit-Limit"] = str(state.limit)
    headers["RateLimit-Remaining"] = str(state.remaining)
    headers["RateLimit-Reset"] = str(state.seconds_left)


class Throttle(BaseThrottle):
    """The base class; subclasses implement `count`."""

    _seconds: int | None = None

    def allow_request(self, request: Request, view: APIView) -> bool:
        state = self.count(request)
        # DRF adds these to every response of the view, an error's too.
        set_limit_headers(view.headers, state)
        self._seconds = state.seconds_to_wait
        return not state.is_exceeded

    def wait(self) -> float | None:
        return self._seconds

    @abstractmethod
    def count(self, request: Request) -> services.LimitState:
        """Count the attempt."""


class AddressThrottle(Throttle):
    """Counts requests by the client's address."""

    limit: ClassVar[str]

    def count(self, request: Request) -> services.LimitState:
        return services.count_attempt(limit=self.limit, key=address_of(request))


class SignupThrottle(AddressThrottle):
    limit = "signup"


class RefreshThrottle(AddressThrottle):
    limit = "refresh"


class PasswordResetConfirmThrottle(AddressThrottle):
    limit = "password_reset_confirm"


class TokenThrottle(Throttle):
    """Counts sign-in attempts."""

    def count(self, request: Request) -> services.LimitState:
        return services.count_sign_in(username=body_field(request, "username"), address=address_of(request))


class PasswordResetThrottle(Throttle):
    """Counts requests by the e-mail address in the body, then by the client's address."""

    def count(self, request: Request) -> services.LimitState:
        return services.count_password_reset(email=body_field(request, "email"), address=address_of(request))


class BookingThrottle(Throttle):
    """Reads the result of BookingAuthentication; counts requests that were authenticated in another way."""

    def count(self, request: Request) -> services.LimitState:
        if not hasattr(request.user, "limit_state"):
            return services.count_attempt(limit="booking", key=str(request.user.pk))
        state: services.LimitState = request.user.limit_state
        return state


class UserThrottle(Throttle):
    """Counts requests by user."""

    limit: ClassVar[str]

    def count(self, request: Request) -> services.LimitState:
        return services.count_attempt(limit=self.limit, key=str(request.user.pk))


class PasswordThrottle(UserThrottle):
    limit = "password"


class DoorThrottle(Throttle):
    """Counts requests by user and device, so that several doors can share an account."""

    def count(self, request: Request) -> services.LimitState:
        return services.count_attempt(limit="door", key=f"{request.user.pk} {body_field(request, 'device')}")


class TicketThrottle(UserThrottle):
    limit = "ticket"


class ExportThrottle(UserThrottle):
    limit = "export"
