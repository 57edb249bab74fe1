"""What does something cost, told by what repeats exactly?"""

import gc
import sys
from collections.abc import Callable
from typing import Any


def calls(function: Callable[[], Any]) -> int:
    """How many calls of functions, of C's too, one call makes: it repeats exactly, whatever the machine is doing."""
    count = 0

    def note(frame: object, event: str, arg: object) -> None:
        nonlocal count
        count += event.endswith("call")

    before = sys.getprofile()
    gc.disable()  # what others left behind is called when it is collected
    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(before)
        gc.enable()
    return count
