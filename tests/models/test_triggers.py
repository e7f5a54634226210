"""The triggers that count changes of the catalogue."""

import pytest
from django.core.management import call_command
from django.db import connection, models

from booking.infrastructure.catalogue_cache import catalogue_version
from booking.infrastructure.triggers import drop_guards
from booking.models import Show
from tests.factories import make_show

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL keeps triggers when a table changes"),
]


def test_a_table_that_sqlite_replaced_has_its_triggers():
    show = make_show()
    field = models.CharField(max_length=20, default="")
    field.set_attributes_from_name("added_column")
    drop_guards(connection.alias)
    with connection.schema_editor() as editor:
        editor.add_field(Show, field)
        editor.remove_field(Show, field)
    call_command("migrate", verbosity=0)
    before = catalogue_version()
    Show.objects.filter(pk=show.pk).update(total_seats=5)
    assert catalogue_version() > before
