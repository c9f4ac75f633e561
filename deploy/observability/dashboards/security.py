"""Who was refused, and how long certificates last."""

from deploy.observability.dashboards.board import Board, Query, lines, number
from deploy.observability.dashboards.expressions import RATE, per_second

DENIED = 'job="gateway",code=~"401|403"'
TOO_MANY = 'job="gateway",code="429"'
REFUSED = 'job="gateway",code=~"401|403|429"'

BOARD = Board(
    "orderly-security",
    "Orderly / Security",
    "Denials at the edge and between services, refused handshakes, and certificates.",
    (
        number(
            "Next certificate to end",
            "How long the certificate that ends first is good for.",
            "s",
            "min(orderly_certificate_expires_timestamp_seconds > 0) - time()",
        ),
        number(
            "Unusable files",
            "Processes whose new certificate files cannot be used.",
            "short",
            "sum(orderly_certificate_alarm)",
            bad=1,
        ),
        number(
            "Denied at the edge",
            "Requests answered 401 or 403, per second.",
            "reqps",
            f"{per_second('orderly_http_requests_total', DENIED)} or vector(0)",
        ),
        number(
            "Too many",
            "Requests answered 429: a caller that asks more than its share, per second.",
            "reqps",
            f"{per_second('orderly_http_requests_total', TOO_MANY)} or vector(0)",
        ),
        number(
            "Denied between services",
            "Requests of services that the call graph does not allow, in the time that is shown.",
            "short",
            "sum(increase(orderly_calls_denied_total[$__range])) or vector(0)",
            bad=1,
        ),
        number(
            "Handshakes refused",
            "TLS handshakes that failed, in the time that is shown.",
            "short",
            "sum(increase(orderly_handshakes_refused_total[$__range]))",
            bad=1,
        ),
        lines(
            "Certificates",
            "How long each is good for. A line that only falls is not renewed.",
            "s",
            Query("min by (job) (orderly_certificate_expires_timestamp_seconds > 0) - time()", "{{job}}"),
            width=12,
        ),
        lines(
            "Denied at the edge",
            "Requests without a good token (401), without the right (403), and too many of them (429).",
            "reqps",
            Query(
                per_second("orderly_http_requests_total", REFUSED, by="code"),
                "{{code}}",
            ),
            width=12,
        ),
        lines(
            "Decisions of the policies",
            "What was asked for and what the policies said, at the door and on the thing itself.",
            "ops",
            Query(per_second("orderly_policy_decisions_total", by="action, outcome"), "{{action}} {{outcome}}"),
            width=12,
        ),
        lines(
            "Between services",
            "Calls that the call graph does not allow, and handshakes that failed.",
            "short",
            Query(f"sum by (job, who) (increase(orderly_calls_denied_total[{RATE}]))", "{{job}} denied {{who}}"),
            Query(
                f"sum by (job, side) (increase(orderly_handshakes_refused_total[{RATE}]))",
                "{{job}} handshake as {{side}}",
            ),
            width=12,
        ),
    ),
)
