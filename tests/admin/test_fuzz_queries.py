"""No query string causes a server error on a page of the admin: all pages, with generated names and values.

`make fuzz` runs this with more examples.
"""

from urllib.parse import quote_plus

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from booking.models import Booking, Movie, Order, Payment, PaymentEvent, PriceList, Refund, Screen, Show, Till, User
from tests.factories import make_booking, make_price_list, make_show, make_ticket_type, make_user
from tests.hostile import bounded
from tests.tills import make_refund, till_of

pytestmark = pytest.mark.fuzz

MODELS = [User, Movie, Screen, Show, Booking, Order, Group, PriceList, Till, Payment, PaymentEvent, Refund]
SITE_PAGES = ["index", "autocomplete", "jsi18n", "password_change", "password_change_done", "login"]
# Arguments of pages that are not ids of rows.
ARGUMENTS = {"table": "days", "name": "sell", "url": "x", "upload_id": "1"}
LOOKUPS = [
    "", "__exact", "__iexact", "__in", "__range", "__gt", "__gte", "__lt", "__isnull", "__contains", "__icontains",
    "__regex", "__iregex", "__year", "__month", "__day", "__date", "__hour", "__week_day", "__iso_year__gte",
    "__id__exact", "__title__startswith", "__nonsense",
]  # fmt: skip
NAMES = [
    "q", "o", "p", "e", "all", "pk", "_facets", "_popup", "_to_field", "_changelist_filters", "day", "first_day",
    "last_day", "copy", "to", "rounds", "page", "state", "dates",
    "percent", "round_to", "since", "weekday",
    "term", "app_label", "model_name", "field_name", "next", "", "[]", "%00x",
]  # fmt: skip
VALUES = [
    "", "0", "1", "-1", "2", "x", "True", "None", "null", "9" * 20, "-" + "9" * 20, "9" * 400, "1e9", "1.5", "NaN",
    "inf", "99999", "9999", "10000", "99999999", "0001-01-01", "9999-12-31", "2099-02-30", "2099-06-01", "24:00",
    "0001-01-01 00:00:00+14:00", "9999-12-31 23:59:59-14:00", "2099-06-01T18:00:00Z", "2027-03-28 01:30", "a,b", "1,2",
    "1,2,3", ",", "(", "[", "a{99999}", "\\", "'", '"', "%", "_", "é", "٤", "\ud7ff", "\U0001f3ac", "\u202e",
    "a " * 2000,
    '"' + "a " * 50, "a" * 3000, "upcoming", "booked", "booking", "show", "movie", "-2.1.3", "2.-99", "id", "password",
    "?e=1", "e=1&e=2", "/admin/", "//evil.example", "id=x&q=%00", "\n", "\t", "{{7*7}}", "<script>",
]  # fmt: skip


def field_names():
    fields = [field.name for model in MODELS for field in model._meta.get_fields() if hasattr(field, "column")]
    return sorted(set(fields))


NAMES_OF_FILTERS = st.builds("{}{}".format, st.sampled_from(field_names()), st.sampled_from(LOOKUPS))
QUERIES = st.lists(
    st.tuples(
        st.one_of(NAMES_OF_FILTERS, st.sampled_from(NAMES), st.text(max_size=5)),
        st.one_of(*[st.sampled_from(VALUES)] * 3, st.text(max_size=8), st.datetimes().map(str), st.integers().map(str)),
    ),
    min_size=1,
    max_size=4,
)


def pages(ids):
    """Return the path of each page of the admin, with the id of an existing row."""
    yield from (reverse(f"admin:{name}") for name in SITE_PAGES)
    yield reverse("admin:app_list", args=["booking"])
    for model in MODELS:
        for pattern in admin.site._registry[model].get_urls():
            if pattern.name:
                names = pattern.pattern.regex.groupindex
                yield reverse(f"admin:{pattern.name}", kwargs={name: ARGUMENTS.get(name, ids[model]) for name in names})


def encoded(text):
    return quote_plus(text.encode(errors="surrogatepass"))


@pytest.fixture
def ids(db):
    """The id of a row of each model."""
    booking = make_booking(created_at=timezone.now())
    group = Group.objects.get(name="Box office")
    order = Order.objects.get()
    price_list = make_show(price_list=make_price_list({("S", make_ticket_type()): 12})).price_list
    rows = [booking.user, booking.show.movie, booking.show.screen, booking.show, booking, order, group, price_list]
    refund = make_refund()
    rows += [till_of(make_user(is_staff=True)), refund.payment, refund]
    rows += [PaymentEvent.objects.create(provider="demo", event_id="1", payload="{}", received_at=timezone.now())]
    return {type(row): row.pk for row in rows}


def test_pages_of_every_kind_are_requested(ids):
    paths = list(pages(ids))
    for path in ("/admin/", "/admin/booking/show/", "/admin/booking/show/plan/", "/admin/booking/movie/import/"):
        assert path in paths
    assert len(paths) == len(set(paths))


def test_no_query_string_causes_a_server_error(staff, ids):
    paths = st.sampled_from(sorted(pages(ids)))

    @bounded(100)
    @given(path=paths, query=QUERIES, posts=st.integers(0, 9))
    def ask(path, query, posts):
        address = f"{path}?{'&'.join(f'{encoded(name)}={encoded(value)}' for name, value in query)}"
        # A deletion is carried out by any post, and groups are needed by other tests.
        if posts == 0 and not path.endswith("/delete/"):
            response = staff.post(address, {"action": "copy", "_selected_action": ids[Show]})
        else:
            response = staff.get(address)
        assert response.status_code < 500, address

    ask()
