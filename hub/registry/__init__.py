"""The catalogue's records and what they do to the flow: versions, applications, grants, their use.

The rules are `catalog.lifecycle`'s, pure; here they meet the store and the releases. What is published
or granted becomes a release in the same transaction as its record, so neither is without the other.
"""
