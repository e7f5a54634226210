"""E-mails about orders: their text, their queue and sending them."""
