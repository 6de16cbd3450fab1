"""The hop: what one message costs on its way through the hub, beside its peers and the broker."""
