"""Bookings from before 0003 get their members of staff from the log of the admin."""

from django.db import migrations

ADDITION = 1
CANCELLED = "Cancelled."


def read_log(apps, schema_editor):
    bookings = apps.get_model("booking", "Booking").objects
    log = apps.get_model("admin", "LogEntry").objects.filter(
        content_type__app_label="booking", content_type__model="booking"
    )
    # Each update is a transaction of its own and changes one row, so no request waits long.
    for entry in log.order_by("pk").iterator(chunk_size=1000):
        of_entry = bookings.filter(pk=entry.object_id)
        if entry.action_flag == ADDITION:
            of_entry.update(sold_by=entry.user_id)
        elif entry.change_message == CANCELLED:
            of_entry.filter(status="cancelled").update(cancelled_by=entry.user_id)
        else:
            # Moves by customers are in the log, too.
            of_entry.exclude(user=entry.user_id).update(moved_by=entry.user_id)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("booking", "0003_staff_on_bookings"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(read_log, migrations.RunPython.noop)]
