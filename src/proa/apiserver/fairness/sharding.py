"""Shuffle sharding: every flow gets a hand of queues, so that a greedy one fills only its own (KEP-1040). Pure."""

from __future__ import annotations

from hashlib import sha256


def flow_hash(schema: str, distinguisher: str) -> int:
    """64 bits that tell flows apart."""
    return int.from_bytes(sha256(f"{schema}\0{distinguisher}".encode()).digest()[:8], "little")


def hand(entropy: int, deck: int, size: int) -> list[int]:
    """`size` different numbers below `deck`, each such hand equally likely over all values of `entropy`."""
    cards: list[int] = []
    for dealt in range(size):
        entropy, card = divmod(entropy, deck - dealt)
        # The card's number among those not dealt yet.
        for taken in sorted(cards):
            if card >= taken:
                card += 1
        cards.append(card)
    return cards
