"""The shows that this process was asked for last, each with its movie and screen, as long as the catalogue is the same.

Most of what a sale or a refusal reads is the show, which hardly ever changes. A statement that is sent anyway brings
along the catalogue's number, and only where that is another one is the show read anew.
"""

from booking.models import Show
from booking.prepared import PreparedQuery

# For a statement: booking/catalogue.py, which keeps pages, calls it the catalogue's version.
CATALOGUE = "(SELECT sum(number) FROM booking_catalogueversion)"
MAX_KEPT = 2000

_read = PreparedQuery(lambda pk: Show.objects.select_related("movie", "screen").filter(pk=pk).order_by(), 1)
# By id, each with the catalogue's number at that time. Nobody changes them.
_kept: dict[int, tuple[int, Show]] = {}


def find_show(show_id: int, catalogue: int) -> Show | None:
    """The show as it is since the catalogue has this number, if it is there."""
    kept = _kept.get(show_id)
    if kept and kept[0] == catalogue:
        return kept[1]
    shows: list[Show] = _read(show_id)
    if not shows:
        return None
    if len(_kept) >= MAX_KEPT:
        _kept.clear()
    _kept[show_id] = catalogue, shows[0]
    return shows[0]
