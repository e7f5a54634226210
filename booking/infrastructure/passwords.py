"""The password hasher, and a validator in addition to Django's."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.exceptions import ValidationError

MAX_LENGTH = 128


class MaximumLengthValidator:
    """Refuses passwords longer than MAX_LENGTH, which the sign-in form would refuse too."""

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        """Raises ValidationError."""
        if len(password) > MAX_LENGTH:
            message = f"This password is too long. It must contain at most {MAX_LENGTH} characters."
            raise ValidationError(message, code="password_too_long")

    def get_help_text(self) -> str:
        return f"Your password must contain at most {MAX_LENGTH} characters."


class Argon2Hasher(Argon2PasswordHasher):
    """Django's hasher with the parameters of OWASP's Password Storage Cheat Sheet: 19 MiB, 2 passes, 1 lane.

    Django's defaults need 100 MiB and 8 threads for each sign-in, too much for several sign-ins at the same time.
    """

    memory_cost = 19 * 1024
    time_cost = 2
    parallelism = 1
