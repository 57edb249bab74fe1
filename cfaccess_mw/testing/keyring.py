"""Whose keys sign the tokens of tests? Keys of this process, made when they are first needed, and kept nowhere."""

import functools
import time
from typing import Literal

from cfaccess_mw.emulator.signing_key import SigningKey


@functools.cache
def process_key(name: Literal["current", "previous", "unpublished"]) -> SigningKey:
    """A key that every kit of this process shares; making one takes up to a tenth of a second.

    Args:
        name: Which; ``unpublished`` signs what no team would.
    """
    return SigningKey.generate(now=time.time())
