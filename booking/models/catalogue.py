"""The versions of the catalogue, for caches."""

from django.db import models


class CatalogueVersion(models.Model):
    """The number of changes of movies, screens, shows and ticket types, a row for each table, counted by triggers.

    The trigger runs in the transaction of the change, so both become visible together.
    """

    table = models.CharField(primary_key=True, max_length=20)
    number = models.PositiveBigIntegerField()

    def __str__(self) -> str:
        return f"{self.table} {self.number}"
