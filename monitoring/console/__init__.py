"""The operator's console: map, figures, failures, and the journey of one message."""
