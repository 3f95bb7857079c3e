"""The types of Sentry's issues: what stands behind the number in ``occurrence.type``.

From the group types that Sentry registers (``issues/grouptype.py``, ``monitors/grouptype.py``, ``uptime/grouptype.py``,
``incidents/grouptype.py``, late 2025). The category is the newer one, which an ``issue`` hook names as
``issueCategory``.
"""

from collections.abc import Mapping

_TYPES: Mapping[int, tuple[str, str]] = {
    1: ("error", "error"),
    1001: ("performance_slow_db_query", "db_query"),
    1004: ("performance_render_blocking_asset_span", "frontend"),
    1006: ("performance_n_plus_one_db_queries", "db_query"),
    1007: ("performance_consecutive_db_queries", "db_query"),
    1008: ("performance_file_io_main_thread", "mobile"),
    1009: ("performance_consecutive_http", "http_client"),
    1010: ("performance_n_plus_one_api_calls", "http_client"),
    1011: ("performance_m_n_plus_one_db_queries", "db_query"),
    1012: ("performance_uncompressed_assets", "frontend"),
    1013: ("performance_db_main_thread", "mobile"),
    1015: ("performance_large_http_payload", "http_client"),
    1016: ("performance_http_overhead", "http_client"),
    1017: ("performance_duration_regression", "metric"),
    1018: ("performance_p95_endpoint_regression", "metric"),
    1019: ("performance_streamed_spans_exp", "metric"),
    1020: ("db_query_injection_vulnerability", "db_query"),
    1021: ("query_injection_vulnerability", "db_query"),
    1906: ("performance_n_plus_one_db_queries_experimental", "db_query"),
    1910: ("performance_n_plus_one_api_calls_experimental", "http_client"),
    1911: ("performance_m_n_plus_one_db_queries_experimental", "db_query"),
    2001: ("profile_file_io_main_thread", "mobile"),
    2002: ("profile_image_decode_main_thread", "mobile"),
    2003: ("profile_json_decode_main_thread", "mobile"),
    2007: ("profile_regex_main_thread", "mobile"),
    2009: ("profile_frame_drop", "mobile"),
    2010: ("profile_function_regression_exp", "metric"),
    2011: ("profile_function_regression", "metric"),
    3501: ("llm_detected_experimental", "ai_detected"),
    4001: ("monitor_check_in_failure", "outage"),
    4002: ("monitor_check_in_timeout", "outage"),
    4003: ("monitor_check_in_missed", "outage"),
    5001: ("replay_click_dead", "frontend"),
    5002: ("replay_click_rage", "frontend"),
    5003: ("replay_hydration_error", "frontend"),
    6001: ("feedback", "feedback"),
    7001: ("uptime_domain_failure", "outage"),
    8001: ("metric_issue", "metric"),
    8002: ("metric_issue_poc", "metric"),
    10001: ("web_vitals", "frontend"),
    11001: ("preprod_static", "preprod"),
    11002: ("preprod_delta", "preprod"),
    12001: ("instrumentation_issue_experimental", "instrumentation"),
}


def issue_type(number: object) -> tuple[str | None, str | None]:
    """Type and category of an issue by its number; of an unknown one, the number as its type and no category."""
    if not isinstance(number, int) or isinstance(number, bool):
        return None, None
    return _TYPES.get(number) or (str(number), None)
