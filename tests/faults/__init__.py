"""Faults as tests, on real processes: killed workers, brokers and databases, bad receivers, bad input.

`steps`     the points at which a hub process can be killed: read from the hub's own code
`process`   hub processes that are forked in milliseconds, and killed
`bad_partner`, `bad_city`  partners that go wrong in every way a server can, and the hub that calls them
`receiver`  a partner's system on a socket, with a store of its own that outlives every hub
`entrances`  partners that tell what is new, and that push until they are answered
`flow`      records with every outcome a record can have, and the check of what became of them
"""
