"""Reconciliation (对账): for each partner, resource and day, sender, hub and receiver compared.

The tables are added up in the partner's own SQL (`front_db.reconcile`), the hub's side from its
records (`hub.day`). What is still under way is counted apart and is no difference.
"""
