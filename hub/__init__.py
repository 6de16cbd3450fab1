"""The engine: broker, pipeline, delivery, retry, failures, ledger, store.

Two public doors: `hub.port`, the contract of connectors, and `hub.streams`, the contract of
subscribers. The rest is its own.
"""
