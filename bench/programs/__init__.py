"""Programs that one sample runs, each in a process of its own: the hub's roles and its peers."""
