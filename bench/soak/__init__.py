"""The soak: the whole hub as processes, for as long as is asked for, under load and faults.

`site`      what is exchanged: two senders, one of them bulk; a route in order, one without
`partners`  two receivers with stores of their own, which are ill now and then
`sender`    the load: cases of a few steps, each record sent until it is taken
`hubs`      the hub's processes: started again when they are killed, their memory watched
`faults`    what happens when, at random but the same for a seed
`verdict`   what the partners hold, held against what was sent
`bench`     all of it together
"""
