"""A partner's kit: all that its engineer needs to be exchanging on the first day (design §6)."""
