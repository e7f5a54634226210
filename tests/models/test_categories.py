"""Seat categories: those in use are not changed or deleted."""

import pytest
from django.db import DatabaseError, transaction

from booking.models import SeatCategory
from booking.models.plans import ImmutableError, categories_of
from tests.factories import make_plan

pytestmark = pytest.mark.django_db


@pytest.fixture
def recliner():
    """A category that no plan uses; its letter is also a row's label."""
    make_plan("R SSSS")
    return SeatCategory.objects.create(code="R", name="Recliner")


def test_the_categories_of_a_hall_are_those_of_its_seats():
    assert [category.code for category in categories_of(make_plan("P SSW").hall)] == ["S", "W"]


def test_an_unused_category_can_be_changed_and_deleted(recliner):
    recliner.colour = "#102030"
    recliner.save()
    SeatCategory.objects.filter(pk=recliner.pk).update(name="Lounger")
    recliner.delete()
    assert not SeatCategory.objects.filter(code="R").exists()


def test_an_unused_category_is_deleted_by_the_database(recliner):
    assert SeatCategory.objects.filter(pk=recliner.pk)._raw_delete(using="default") == 1


def test_a_used_category_can_not_be_deleted(recliner):
    make_plan("SS..RR")
    with pytest.raises(ImmutableError, match="A seat plan uses this category, so it can't be deleted"):
        recliner.delete()


@pytest.mark.parametrize("layout", ["R", "SS\nSS..RR", "S.R"])
def test_the_database_refuses_changes_of_a_used_category(recliner, layout):
    make_plan(layout)
    stored = SeatCategory.objects.filter(pk=recliner.pk)
    with pytest.raises(DatabaseError, match="uses cannot be changed"), transaction.atomic():
        stored.update(is_paired=True)
    with pytest.raises(DatabaseError, match="uses cannot be deleted"), transaction.atomic():
        stored._raw_delete(using="default")
