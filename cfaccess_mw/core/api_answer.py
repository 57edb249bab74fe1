"""What is in an answer of Cloudflare's API, as it was saved? Its ``result``, if that is all of it."""

from collections.abc import Mapping

from cfaccess_mw.core.errors import ConfigurationError


def unwrap(key: str, document: object) -> object:
    """Return the ``result`` of an answer, or the document itself where it is no answer.

    Args:
        key: What to call it in messages.
        document: What was saved.

    Raises:
        ConfigurationError: The answer says that it failed, or that there is more on further pages: what is missing
            could be what denies.
    """
    if not isinstance(document, Mapping) or "result" not in document:
        return document
    if document.get("success", True) is not True:
        raise ConfigurationError(f"{key}: is an answer of the API that says it failed; save one that succeeded")
    result, told = document["result"], document.get("result_info")
    total = told.get("total_count") if isinstance(told, Mapping) else None
    if isinstance(total, int) and isinstance(result, list | tuple) and total > len(result):
        raise ConfigurationError(f"{key}: is {len(result)} of {total}; save all pages of the API's answer, as one list")
    return result
