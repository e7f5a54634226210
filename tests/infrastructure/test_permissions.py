"""PermissionBackend reads the same permissions as Django's ModelBackend."""

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group, Permission
from django.test import Client

from booking.infrastructure.permissions import PermissionBackend
from booking.models import User
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def seller():
    """A member of the box office with one permission of their own."""
    user = make_user(username="seller", is_staff=True)
    user.groups.add(Group.objects.get(name="Box office"))
    user.user_permissions.add(Permission.objects.get(codename="delete_movie"))
    return User.objects.get(pk=user.pk)


def test_the_permissions_are_those_of_the_user_and_the_groups(seller):
    expected = ModelBackend().get_all_permissions(User.objects.get(pk=seller.pk))
    assert "booking.delete_movie" in expected
    assert PermissionBackend().get_all_permissions(seller) == expected


def test_they_are_read_by_one_query(seller, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert seller.has_perm("booking.delete_movie")
        assert not seller.has_perm("booking.add_movie")
        assert seller.has_module_perms("booking")


def test_a_deactivated_user_has_none(seller):
    seller.is_active = False
    assert seller.get_all_permissions() == set()


def test_a_superuser_has_all():
    boss = User.objects.create_superuser("boss")
    assert len(boss.get_all_permissions()) == Permission.objects.count()


def test_a_permission_for_an_object_does_not_exist(seller):
    assert PermissionBackend().get_all_permissions(seller, seller) == set()


def test_sessions_belong_to_the_backend_of_django():
    """Otherwise an upgrade would sign everybody out."""
    User.objects.create_superuser("boss", password="red-velvet-seats")
    client = Client()
    assert client.login(username="boss", password="red-velvet-seats")
    assert client.session[BACKEND_SESSION_KEY] == "django.contrib.auth.backends.ModelBackend"
