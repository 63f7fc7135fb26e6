"""Export: an experiment in the forms of other tools. Each form needs its library, and is imported when it is wanted."""

from etude.export.forms import FORMS, ExportError, export

__all__ = ["FORMS", "ExportError", "export"]
