"""Domain services: each follows streams and publishes back; none knows a connector or a neighbour."""
