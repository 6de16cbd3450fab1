"""Exchange tables (前置库): rows that we and a partner leave for each other in a database of theirs.

It knows tables, rows and their control columns. It does not know which system is behind them, nor
anything of queues: `connectors.front_library` joins the two.
"""
