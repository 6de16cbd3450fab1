"""Benchmarks: ratios of the hub to its peers and to the broker's own limit, in one run.

``python -m bench NAME [--json]`` with NAME one of `bench.catalogue.BENCHES`. Samples of all
variants are interleaved, each with a fresh process, virtual host and database; a ratio is the
median of the ratios of the repeats. Absolute figures are of one machine and one hour: read ratios.

Not here   anything that the hub needs to run; times are measured here and never asserted in tests
"""
