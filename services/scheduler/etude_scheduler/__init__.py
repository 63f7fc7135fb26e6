"""The scheduler: gives trials slots on runners, and takes them back."""
