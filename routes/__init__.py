"""The language of declarations: systems, intakes, routes, code tables (design §5, R-B1).

Form       YAML becomes typed models (`routes.model`, `routes.site`), which are compiled once to plain
           Python (`routes.intake`, `routes.route`), checked against each other (`routes.lint`) and
           proved by the examples kept beside them (`routes.examples`)
Promises   pure: no input or output, no clock; whatever a partner sends leads to messages or to one
           `Rejected` with every fault
Not here   reading folders: `shuniu.site`; what the catalogue means: `catalog`
"""
