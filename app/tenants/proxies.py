"""The proxies that an environment names. Pure."""

from collections.abc import Mapping


def proxy_variables(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The variables that other programs would take a proxy from, in order; ``NO_PROXY`` alone names none.

    The relay takes none: a variable that was set for something else would lead hec_tokens to somebody else.
    """
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    return tuple(name for name in (*names, *map(str.lower, names)) if environ.get(name))
