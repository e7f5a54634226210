"""Instances that are created without Model.__init__ are the same as others."""

import pytest

from booking.models import Booking, Order, TicketType
from tests.factories import NOW, make_show, make_user

pytestmark = pytest.mark.django_db


def columns(instance):
    return {name: value for name, value in vars(instance).items() if name != "_state"}


def test_build_sets_the_values_and_the_defaults_of_the_constructor():
    values = {"show": make_show(), "user": make_user(), "seat_number": 5, "reference": "K7QXW4NA", "created_at": NOW}
    built, constructed = Booking.build(**values), Booking(**values)
    assert columns(built) == columns(constructed)
    assert built._state.adding


def test_build_keeps_related_instances(django_assert_num_queries):
    show, user = make_show(), make_user()
    order = Order.build(show=show, user=user, created_at=NOW)
    with django_assert_num_queries(0):
        assert (order.show, order.user) == (show, user)


def test_a_relation_may_be_none():
    booking = Booking.build(show=make_show(), user=None, ticket_type=None, seat_number=5, created_at=NOW)
    assert (booking.user, booking.ticket_type, booking.sold_by) == (None, None, None)


def test_a_default_is_computed_for_each_instance():
    first, second = Order.build(), Order.build()
    assert first.reference != second.reference


def test_built_instances_can_be_saved():
    show = make_show()
    Booking.build(show=show, user=make_user(), seat_number=5, created_at=NOW).save()
    assert Booking.objects.get().show == show


def test_build_refuses_names_that_are_no_fields():
    with pytest.raises(TypeError, match=r"Booking has no fields \['seat'\]"):
        Booking.build(seat=5)


def test_columns_that_were_not_loaded_are_read_on_access():
    pk = TicketType.objects.create(name="Pensioner", position=7).pk
    ticket_type = TicketType.from_db("default", ["id", "name"], [pk, "Pensioner"])
    assert (ticket_type.name, ticket_type.position) == ("Pensioner", 7)
