"""Box office staff take and refund payments; a new group admits at the door and does nothing else."""

from django.db import migrations

ADDED = {
    "Box office": [
        ("order", "view_order", "Can view order"),
        ("order", "change_order", "Can change order"),
        ("payment", "take_payment", "Can take payments"),
        ("payment", "refund_payment", "Can refund payments"),
        ("till", "close_till", "Can open and close tills"),
        ("checkin", "check_in", "Can admit at the door"),
    ],
    "Door": [("checkin", "check_in", "Can admit at the door")],
}


def add_permissions(apps, schema_editor):
    ContentType = apps.get_model("contenttypes", "ContentType")
    Permission = apps.get_model("auth", "Permission")
    for name, permissions in ADDED.items():
        group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=name)
        for model, codename, label in permissions:
            # Django makes permissions only after all migrations; it leaves those alone that are there.
            content_type, _ = ContentType.objects.get_or_create(app_label="booking", model=model)
            permission, _ = Permission.objects.get_or_create(
                content_type=content_type, codename=codename, defaults={"name": label}
            )
            group.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = [("booking", "0010_payments_and_check_ins"), ("contenttypes", "0002_remove_content_type_name")]
    operations = [migrations.RunPython(add_permissions, migrations.RunPython.noop)]
