"""The web page: static files, and the application that serves them."""

from etude_metrics.web.pages import pages

__all__ = ["pages"]
