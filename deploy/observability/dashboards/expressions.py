"""The few forms that most PromQL here has. Every rate is over `$__rate_interval`, which knows the scrape interval."""

from common.topology import PROCESSING_SERVICES

RATE = "$__rate_interval"
PROCESSING = f'job=~"{"|".join(PROCESSING_SERVICES)}"'  # those that read and write the log


def _series(metric: str, matchers: str) -> str:
    return f"{metric}{{{matchers}}}" if matchers else metric


def per_second(metric: str, matchers: str = "", *, by: str = "") -> str:
    """How often, added up over all processes."""
    return f"sum{f' by ({by}) ' if by else ''}(rate({_series(metric, matchers)}[{RATE}]))"


def share(metric: str, part: str, whole: str = "") -> str:
    """What part of all; 0 where there is nothing of the part."""
    return f"({per_second(metric, part)} or vector(0)) / {per_second(metric, whole)}"


def quantile(q: float, histogram: str, matchers: str = "", *, by: str = "") -> str:
    grouped = f"le, {by}" if by else "le"
    return f"histogram_quantile({q:g}, sum by ({grouped}) (rate({_series(histogram + '_bucket', matchers)}[{RATE}])))"
