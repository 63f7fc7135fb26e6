"""Preload: what a runner imports once, so that no trial has to."""

from pydantic_settings import BaseSettings, SettingsConfigDict

PYTORCH = (
    "numpy",
    "torch",
    "torch.utils.data",
    "torch._dynamo",  # the first optimizer of a process imports it, which takes more than a second
    "etude.trial.pytorch",
    "etude.trial.pytorch.controller",
)


class PreloadSettings(BaseSettings):
    """What runners and ``etude run`` are told about imports."""

    model_config = SettingsConfigDict(env_prefix="ETUDE_", env_ignore_empty=True, extra="ignore")

    preload: list[str] = list(PYTORCH)
    """Modules, none of which may start threads or touch a GPU when it is imported: trials are forked afterwards."""
