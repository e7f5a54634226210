"""Stored responses to requests with an Idempotency-Key."""

from django.db import models
from django.utils import timezone

from booking.models.accounts import User
from booking.models.shows import Show


class IdempotencyKey(models.Model):
    """The stored response to a request with an Idempotency-Key."""

    user = models.ForeignKey(User, models.CASCADE, related_name="+", db_index=False)
    show = models.ForeignKey(Show, models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=255)
    request = models.CharField(max_length=64)
    # The column keeps the name that the previous version reads.
    response = models.TextField(db_column="answer")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["user"], name="idempotency_key_by_user"),
            models.Index(fields=["created_at"], name="idempotency_key_by_creation"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["show", "user", "key"], name="one_answer_per_show_user_and_idempotency_key")
        ]

    def __str__(self) -> str:
        return self.key
