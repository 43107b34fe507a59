"""Asking programs outside of the server: the client of every webhook, admission reviews, conversion reviews."""
