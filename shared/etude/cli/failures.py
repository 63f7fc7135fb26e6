"""Failures that are told in one message: the thing, and the way out."""

from etude.artifacts import ArtifactError
from etude.client import ApiError
from etude.client.change import ChangeError
from etude.client.commands import UndeliverableError
from etude.config import ConfigError
from etude.errors import Unavailable
from etude.export import ExportError

FAILURES = (ApiError, ArtifactError, ChangeError, ConfigError, ExportError, UndeliverableError, Unavailable)
