"""ClientSettings: what the command line and the SDK are told by ``ETUDE_*`` environment variables."""

import getpass
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from etude.home import LOCAL_DATABASE, LOCAL_HOME
from etude.service.settings import default_storage


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user without a name
        return ""


NO_BROKER = "none"


class ClientSettings(BaseSettings):
    """Where a running installation is, or the folder of `etude run` that is to be looked at."""

    model_config = SettingsConfigDict(env_prefix="ETUDE_", env_ignore_empty=True, extra="ignore")

    amqp_url: str = "amqp://guest:guest@127.0.0.1:5672/"
    """Where commands go as events; ``none`` if they are to go over HTTP."""
    api_url: str = "http://127.0.0.1:8080"
    token: SecretStr = SecretStr("")
    """For an API that wants one."""
    storage: str = Field(default_factory=default_storage)
    """fsspec URL that clients and runners share."""
    user: str = Field(default_factory=_user)
    home: Path | None = None
    """Folder of `etude run`: what is asked for is answered from there, without a server."""

    @property
    def local_home(self) -> Path | None:
        """The folder that is meant: the one that is named, or, if no installation is, that of this directory."""
        if self.home is not None:
            return self.home
        here = Path(LOCAL_HOME)
        return here if "api_url" not in self.model_fields_set and (here / LOCAL_DATABASE).is_file() else None
