"""Movies, screens, seat plans, price lists and shows."""
