"""The shows that this process was asked for last, each with its movie and screen, as long as the catalogue is the same.

Most of what a sale or a refusal reads is the show, which hardly ever changes. A statement that is sent anyway brings
along the catalogue's version, and only where that is another one is the show read anew.
"""

from booking.models import Show
from booking.prepared import PreparedQuery

MAX_KEPT = 2000

# Without what is long and nobody needs here.
read_show = PreparedQuery(
    lambda pk: Show.objects.select_related("movie", "screen").defer("movie__description").filter(pk=pk).order_by(), 1
)
# By id, each with the catalogue's version at that time. Nobody changes them.
_kept: dict[int, tuple[int, Show]] = {}


def kept_show(show_id: int) -> Show | None:
    """The show as this process knows it; it may have changed since."""
    kept = _kept.get(show_id)
    return kept[1] if kept else None


def keep_show(show: Show, version: int) -> None:
    """Keeps a show that was read when the catalogue had this version, or after that."""
    if len(_kept) >= MAX_KEPT and show.pk not in _kept:
        _kept.clear()
    _kept[show.pk] = version, show


def find_show(show_id: int, version: int) -> Show | None:
    """The show as it is since the catalogue has this version, if it is there."""
    kept = _kept.get(show_id)
    if kept and kept[0] == version:
        return kept[1]
    shows: list[Show] = read_show(show_id)
    if not shows:
        return None
    keep_show(shows[0], version)
    return shows[0]
