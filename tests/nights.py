"""Nights when the clocks change, north and south of the equator."""

from datetime import datetime


def at(text):
    """Return a local time without a zone."""
    return datetime.fromisoformat(text)


# Zone, a local time that doesn't exist, and the local times around the gap.
FORWARD = [
    ("Europe/London", at("2099-03-29 01:30"), "01:00 to 02:00"),
    ("Australia/Sydney", at("2099-10-04 02:30"), "02:00 to 03:00"),
    ("America/Santiago", at("2099-09-06 00:30"), "00:00 to 01:00"),
]
# Zone, a local time that comes twice, its offsets, and the local times at the change.
BACK = [
    ("Europe/London", at("2099-10-25 01:30"), ["+01:00", "+00:00"], "02:00 to 01:00"),
    ("Australia/Sydney", at("2099-04-05 02:30"), ["+11:00", "+10:00"], "03:00 to 02:00"),
    ("America/Santiago", at("2099-04-04 23:30"), ["-03:00", "-04:00"], "00:00 to 23:00"),
]
# Zone and the evening before each of its two nights.
EVENINGS = [
    (zone, night.replace(hour=21, minute=45))
    for zone, night in (
        ("Europe/London", at("2099-03-28 00:00")),
        ("Europe/London", at("2099-10-24 00:00")),
        ("Australia/Sydney", at("2099-10-03 00:00")),
        ("Australia/Sydney", at("2099-04-04 00:00")),
        ("America/Santiago", at("2099-09-05 00:00")),
        ("America/Santiago", at("2099-04-04 00:00")),
    )
]
