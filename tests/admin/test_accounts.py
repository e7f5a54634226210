"""Staff who manage accounts can't give themselves further rights."""

import pytest
from django.contrib.auth.models import Group, Permission

from booking.models import User
from tests.factories import make_user
from tests.staff import signed_in_as, staff_with

pytestmark = pytest.mark.django_db
PERMISSIONS = ("view_user", "change_user", "delete_user")
USERS = "/admin/booking/user/"


@pytest.fixture
def manager():
    return staff_with(*PERMISSIONS)


def change(client, account, **values):
    joined = {"date_joined_0": "2026-01-01", "date_joined_1": "10:00:00"}
    form = {"username": account.username, "is_active": "on"} | joined | values
    return client.post(f"{USERS}{account.pk}/change/", form)


def test_only_superusers_change_rights(manager):
    account = make_user()
    assert change(manager, account, first_name="Ada", is_staff="on", is_superuser="on").status_code == 302
    account.refresh_from_db()
    assert (account.first_name, account.is_staff, account.is_superuser) == ("Ada", False, False)


def test_only_superusers_change_the_account_of_a_superuser(manager):
    boss = User.objects.create_superuser("boss", password="red-velvet-seats")
    assert change(manager, boss, first_name="Ada").status_code == 403
    password = {"password1": "velvet-seats-in-red", "password2": "velvet-seats-in-red", "usable_password": "true"}
    assert manager.post(f"{USERS}{boss.pk}/password/", password).status_code == 403
    assert manager.post(f"{USERS}{boss.pk}/delete/", {"post": "yes"}).status_code == 403
    boss.refresh_from_db()
    assert (boss.first_name, boss.check_password("red-velvet-seats")) == ("", True)


def test_only_superusers_change_the_permissions_of_a_group():
    group, permission = Group.objects.create(name="Door 2"), Permission.objects.get(codename="delete_show")
    client, path = staff_with("view_group", "change_group"), f"/admin/auth/group/{group.pk}/change/"
    assert client.post(path, {"name": "Door 3", "permissions": [permission.pk]}).status_code == 302
    group.refresh_from_db()
    assert (group.name, group.permissions.count()) == ("Door 3", 0)


def test_a_superuser_is_not_deleted_by_the_action(manager):
    boss = User.objects.create_superuser("boss")
    manager.post(USERS, {"action": "delete_selected", "_selected_action": [boss.pk], "post": "yes"})
    assert User.objects.filter(pk=boss.pk).exists()


def test_a_superuser_gives_rights():
    client = signed_in_as(User.objects.create_superuser("boss"))
    account = make_user()
    assert change(client, account, is_staff="on").status_code == 302
    account.refresh_from_db()
    assert account.is_staff
