"""The soak of front-end databases: captured change for as long as is asked for, under faults.

`site`      what is exchanged: a table that a partner fills, a route, a table that another one finds
`writer`    the partner's programs, at random: late commits, rollbacks, keys used again, wrong rows
`verdict`   both tables and the receipts, row for row
`bench`     all of it together, on PostgreSQL or MariaDB
"""
