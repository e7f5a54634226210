"""What a password has to be, besides Django's own rules."""

from django.core.exceptions import ValidationError

from booking.models import User

MAX_LENGTH = 128


class MaximumLengthValidator:
    """Nobody gets a password that signing in takes for too long."""

    def validate(self, password: str, user: User | None = None) -> None:
        """Raises ValidationError."""
        if len(password) > MAX_LENGTH:
            message = f"This password is too long. It must contain at most {MAX_LENGTH} characters."
            raise ValidationError(message, code="password_too_long")

    def get_help_text(self) -> str:
        return f"Your password must contain at most {MAX_LENGTH} characters."
