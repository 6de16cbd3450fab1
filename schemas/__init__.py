"""Pure values: what travels through the hub and how it can be wrong. No I/O, no clock, nothing else of ours."""
