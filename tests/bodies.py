"""Request bodies in JSON."""

import json
from itertools import cycle

NO_WHOLE_NUMBERS = [
    "true",
    "false",
    "2.7",
    "2.0",
    "1e1",
    "[]",
    "[5]",
    "{}",
    '{"seat": 5}',
    '""',
    '" "',
    '" 5"',
    '"5 "',
    '"5\\n"',
    '"+5"',
    '"-5"',
    '"5.0"',
    '"1e1"',
    '"0x5"',
    '"1_0"',
    '"five"',
    '"null"',
    '"true"',
    '"٤"',
    '"५"',
    '"\uff15"',
    '"²"',
    '"5\\u0000"',
    '"\\ud800"',
    '"1000000000000000000000000000000"',
    json.dumps("9" * 100_000),
]


def send(client, path, body, content_type="application/json"):
    return client.generic("POST", path, body, content_type=content_type)


def reasons(answer, status):
    """Assert the status of a response, and return its JSON body."""
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/json")
    return answer.json()


def field_errors(answer):
    """Return the sentences of each field with an error in the input."""
    body = reasons(answer, 400)
    assert (list(body), body["code"]) == (["code", "detail", "errors"], "invalid")
    assert {tuple(error) for error in body["errors"]} == {("field", "code", "detail")}
    sentences = [error["detail"] for error in body["errors"]]
    assert body["detail"] == " ".join(dict.fromkeys(sentences))
    by_field = {}
    for error in body["errors"]:
        by_field.setdefault(error["field"], []).append(error["detail"])
    return by_field


def no_such_seat(field="seat_number"):
    """Return the body of a response about a seat that a show of 50 seats lacks."""
    error = {"detail": "This show has seats 1 to 50.", "code": "no_such_seat"}
    return {**error, "errors": [{"field": field, **error}]}


def each_of_both(more, fewer):
    """Pairs with each of `more` and each of `fewer`, not every combination: what refuses the one is the same for all
    of the other.
    """
    assert len(more) >= len(fewer)
    return list(zip(more, cycle(fewer), strict=False))
