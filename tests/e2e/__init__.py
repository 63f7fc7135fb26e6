"""A whole installation as separate processes on real servers."""
