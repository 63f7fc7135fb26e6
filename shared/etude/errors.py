"""What every part of etude may raise."""


class Unacceptable(ValueError):  # noqa: N818 - says what is to be done with it, not what it is
    """What is asked can never be done, however often it is tried. An event that leads to it is a dead letter."""


class Failure(Exception):  # noqa: N818 - what it is called depends on what failed
    """What a person can mend: the message names the thing and the way out, and is all that the command line tells."""


class Unavailable(Failure):
    """A server that is needed does not answer now. Handlers may raise it: their batch waits and is tried again."""
