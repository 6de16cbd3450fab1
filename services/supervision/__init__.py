"""Case supervision (办件监督): a working-day clock over the flowing cases, and its warning cards."""
