"""Parse, one service call, respond."""
