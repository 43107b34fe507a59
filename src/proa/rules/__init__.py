"""Pure rules that two components share: each says once what a fact of an object means. No I/O, no time of its own."""
