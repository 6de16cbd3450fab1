"""From draft to published to withdrawn, and grants of what is published: the rules, as pure functions.

Not here   where all of it is kept: `hub.registry`; what a person sees: `catalog.pages`
"""
