"""What a search is refused for."""


class Fault(Exception):  # noqa: N818 - it is the search's fault, not an error of the evaluator
    """Splunk would refuse the search, or the search names something that is not there."""
