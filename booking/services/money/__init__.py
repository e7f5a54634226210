"""Payments, refunds, tills and receipts."""
