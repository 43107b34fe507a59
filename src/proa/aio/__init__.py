"""Concurrency and time: owned tasks, the keyed queue, the broadcast, backoff, clocks real and virtual."""
