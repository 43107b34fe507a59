"""The controllers: one module or package each, listed in `registry`; they know each other only through the API."""
