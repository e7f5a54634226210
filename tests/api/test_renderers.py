"""The API's JSON renderer, which is compared with DRF's."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from django.utils.translation import gettext_lazy
from rest_framework.exceptions import ErrorDetail
from rest_framework.renderers import JSONRenderer as Original
from rest_framework.utils.serializer_helpers import ReturnDict

from booking.models import Booking
from booking.renderers import ApiResponse, JSONRenderer


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        [],
        {"a": [1, -1, 0, 2**63 - 1, True, False, None, "é \U0001f3ac"]},
        {"quoted": '"\\/\b\f\n\r\t\x00\x1f\x7f'},
        {"numbers": {0: ["One."], 7: ["Two."]}},
        {"ends of lines": "a\u2028b\u2029c"},
        {"lazy": gettext_lazy("Yes"), "detail": ErrorDetail("No.", code="no"), "choice": Booking.Status.BOOKED},
        {"time": datetime(2026, 1, 2, 3, 4, 5, 678901, timezone.utc)},
        {"time": datetime(2026, 1, 2, 3, 4, 5, 0, timezone(timedelta(hours=9)))},
        {"day": datetime(2026, 1, 2, tzinfo=timezone.utc).date(), "price": Decimal("1.50"), "id": UUID(int=7)},
        ReturnDict({"a": ("b", "c")}, serializer=None),
        {"lengths": timedelta(minutes=90), "bytes": b"bytes", "all": iter([1, 2])},
    ],
)
def test_the_output_equals_that_of_drf(data):
    copy = {**data, "all": [1, 2]} if data and "all" in data else data
    assert JSONRenderer().render(data) == Original().render(copy)


def test_a_response_is_rendered_as_json():
    answer = ApiResponse({"a": "é"}, 201, {"Location": "/there/"})
    assert (answer.status_code, answer.content, answer["Location"]) == (201, '{"a":"é"}'.encode(), "/there/")
    assert answer["Content-Type"] == "application/json"
