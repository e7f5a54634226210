"""Models and database refuse changes of seat plans, categories and prices that shows use."""

from decimal import Decimal

import pytest
from django.db import DEFAULT_DB_ALIAS, IntegrityError, transaction

from booking.models import CheckIn, ImmutableError, Order, Price, SeatCategory, SeatPlan
from tests.factories import NOW, make_plan, make_price_list, make_show, make_ticket_type, make_user

pytestmark = pytest.mark.django_db


def refused_by_the_database(change):
    with pytest.raises(IntegrityError), transaction.atomic():
        change()
    return True


def test_equal_layouts_share_a_plan():
    assert make_plan("SS.S\n\nWW") == make_plan("\nA SS.S.\n\nB WW\n")
    assert SeatPlan.objects.count() == 1


def test_a_plan_is_named_by_its_size():
    one, two = make_plan("SSS"), make_plan("SS\nSS")
    assert (str(one), str(two)) == (f"3 seats in 1 row (plan {one.pk})", f"4 seats in 2 rows (plan {two.pk})")


def test_a_plan_is_not_saved_again():
    plan = make_plan("SSS")
    with pytest.raises(ImmutableError, match="can't be changed"):
        plan.save()
    assert refused_by_the_database(lambda: SeatPlan.objects.update(layout="A S"))


def test_a_category_changes_until_a_plan_uses_it():
    category = SeatCategory.objects.create(code="Q", name="Quiet")
    category.name = "Silent"
    category.save()
    make_plan("QQ")
    category.is_accessible = True
    with pytest.raises(ImmutableError, match="Add another category"):
        category.save()
    assert str(SeatCategory.objects.get(code="Q")) == "Silent (Q)"


def test_a_row_label_uses_no_category():
    category = SeatCategory.objects.create(code="Q", name="Quiet")
    make_plan("Q SS")
    assert not category.is_used()
    category.save()


def test_prices_change_until_a_show_uses_them():
    adult, child = make_ticket_type(name="Adult"), make_ticket_type(name="Child")
    price_list = make_price_list({("S", adult): 12}, name="Regular")
    price = price_list.prices.get()
    price.amount = Decimal(13)
    price.save()
    make_show(price_list=price_list)
    other = Price(price_list=price_list, category=price.category, ticket_type=child, amount=8)
    for change in (price.save, price.delete, other.save):
        with pytest.raises(ImmutableError, match="new version"):
            change()
    assert (str(price_list), str(price)) == ("Regular (version 1)", "Standard, Adult: 13")
    assert refused_by_the_database(lambda: Price.objects.update(amount=1))
    assert refused_by_the_database(Price.objects.all().delete)
    assert refused_by_the_database(lambda: Price.objects.bulk_create([other]))


def test_an_unused_price_is_deleted():
    price_list = make_price_list({("S", make_ticket_type()): 12})
    price_list.prices.get().delete()
    assert not price_list.prices.exists()


def test_an_order_is_named_by_its_reference():
    order = Order.objects.create(show=make_show(), created_at=NOW, reference="ACDEFGHJ")
    assert str(order) == "ACDEFGHJ"


def test_a_ticket_type_is_named_by_its_name():
    assert str(make_ticket_type(name="Adult")) == "Adult"


def test_scans_are_only_added():
    scan = CheckIn(show=make_show(), booking_id=7, action="in", nonce="a", by=make_user(), scanned_at=NOW, at=NOW)
    scan.save()
    for change in (scan.save, scan.delete):
        with pytest.raises(ImmutableError):
            change()
    assert refused_by_the_database(lambda: CheckIn.objects.update(action="undo", reason="Wrong"))
    assert refused_by_the_database(lambda: CheckIn.objects.all()._raw_delete(DEFAULT_DB_ALIAS))
