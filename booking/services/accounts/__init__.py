"""Accounts, sessions and the limits of requests."""
