"""Functions for tests of orders in the admin."""

import re
from html import unescape

ORDERS = "/admin/booking/order/"


def page_of(order):
    return f"{ORDERS}{order.pk}/change/"


def text_of(page):
    """Return the text of a page or a part of it, without tags and runs of blanks."""
    html = page if isinstance(page, str) else page.content.decode()
    return unescape(re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", html)))


def links_of(page):
    """Return the links above an object: text and address."""
    tools = re.search('<ul class="object-tools">(.*?)</ul>', page.content.decode(), re.DOTALL)[1]
    links = re.findall(r'<a href="([^"]*)"[^>]*>([^<]*)</a>', tools)
    return {text: unescape(address) for address, text in links}
