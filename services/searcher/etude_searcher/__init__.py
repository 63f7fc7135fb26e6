"""The searcher: decides which trials run, how long, and with which hyperparameters."""
