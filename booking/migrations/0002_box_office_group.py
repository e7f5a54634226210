"""The group of those who sell at the counter: they see shows, sell and cancel, and nothing else."""

from django.db import migrations

GROUP = "Box office"
PERMISSIONS = [
    ("show", "view_show", "Can view show"),
    ("booking", "view_booking", "Can view booking"),
    ("booking", "add_booking", "Can add booking"),
    ("booking", "cancel_booking", "Can cancel bookings"),
]


def make_group(apps, schema_editor):
    ContentType = apps.get_model("contenttypes", "ContentType")
    Permission = apps.get_model("auth", "Permission")
    group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=GROUP)
    for model, codename, name in PERMISSIONS:
        # Django makes permissions only after all migrations; it leaves those alone that are there.
        content_type, _ = ContentType.objects.get_or_create(app_label="booking", model=model)
        permission, _ = Permission.objects.get_or_create(
            content_type=content_type, codename=codename, defaults={"name": name}
        )
        group.permissions.add(permission)


def remove_group(apps, schema_editor):
    apps.get_model("auth", "Group").objects.filter(name=GROUP).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("booking", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(make_group, remove_group)]
