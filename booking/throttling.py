"""DRF throttles; services/limits.py counts the attempts."""

from abc import abstractmethod
from typing import ClassVar

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


class Throttle(BaseThrottle):
    """The base class; subclasses implement `seconds_to_wait`."""

    _seconds: int | None = None

    def allow_request(self, request: Request, view: APIView) -> bool:
        self._seconds = self.seconds_to_wait(request)
        return self._seconds is None

    def wait(self) -> float | None:
        return self._seconds

    @abstractmethod
    def seconds_to_wait(self, request: Request) -> int | None:
        """Count the attempt; return None, or the seconds to wait if it exceeds the limit."""


class AddressThrottle(Throttle):
    """Counts requests by the client's address."""

    limit: ClassVar[str]

    def seconds_to_wait(self, request: Request) -> int | None:
        return services.count_attempt(limit=self.limit, key=address_of(request))


class SignupThrottle(AddressThrottle):
    limit = "signup"


class RefreshThrottle(AddressThrottle):
    limit = "refresh"


class PasswordResetConfirmThrottle(AddressThrottle):
    limit = "password_reset_confirm"


class TokenThrottle(Throttle):
    """Counts sign-in attempts."""

    def seconds_to_wait(self, request: Request) -> int | None:
        return services.count_sign_in(username=body_field(request, "username"), address=address_of(request))


class PasswordResetThrottle(Throttle):
    """Counts requests by the e-mail address in the body, then by the client's address."""

    def seconds_to_wait(self, request: Request) -> int | None:
        return services.count_password_reset(email=body_field(request, "email"), address=address_of(request))


class BookingThrottle(Throttle):
    """Reads the result of BookingAuthentication; counts requests that were authenticated in another way."""

    def seconds_to_wait(self, request: Request) -> int | None:
        if not hasattr(request.user, "seconds_to_wait"):
            return services.count_attempt(limit="booking", key=str(request.user.pk))
        seconds: int | None = request.user.seconds_to_wait
        return seconds


class PasswordThrottle(Throttle):
    """Counts requests by user."""

    def seconds_to_wait(self, request: Request) -> int | None:
        return services.count_attempt(limit="password", key=str(request.user.pk))
