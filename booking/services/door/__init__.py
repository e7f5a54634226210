"""Tickets and the door."""
