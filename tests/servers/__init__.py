"""Real servers for the tests: private, unprivileged, on free ports of 127.0.0.1, one per session.

A server is started by the first test that asks and shared by all workers of the session. A keeper
process holds it and stops it when the last user is gone, however that user ended.
"""
