"""How passwords are hashed, and what they have to be besides Django's own rules."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.exceptions import ValidationError

MAX_LENGTH = 128


class MaximumLengthValidator:
    """Nobody gets a password that signing in takes for too long."""

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        """Raises ValidationError."""
        if len(password) > MAX_LENGTH:
            message = f"This password is too long. It must contain at most {MAX_LENGTH} characters."
            raise ValidationError(message, code="password_too_long")

    def get_help_text(self) -> str:
        return f"Your password must contain at most {MAX_LENGTH} characters."


class Argon2Hasher(Argon2PasswordHasher):
    """Django's, with the parameters of OWASP's Password Storage Cheat Sheet: 19 MiB, 2 passes, 1 lane.

    Django's own take 100 MiB and 8 threads for each sign-in, which a few sign-ins at once can't have.
    """

    memory_cost = 19 * 1024
    time_cost = 2
    parallelism = 1
