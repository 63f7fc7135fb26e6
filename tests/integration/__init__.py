"""Parts of etude against real servers."""
