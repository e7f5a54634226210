"""Files that staff upload."""

from django.db import models

from booking.models.accounts import User


class MovieUpload(models.Model):
    """A CSV file of movies between its upload and its import, and the result of the import."""

    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    name = models.CharField(max_length=100)
    # Compressed by zlib.
    content = models.BinaryField()
    created_at = models.DateTimeField()
    outcome = models.JSONField(null=True)

    def __str__(self) -> str:
        return self.name
