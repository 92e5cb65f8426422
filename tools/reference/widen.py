"""Makes torch compute in float64 wherever a program asks for float32.

transformers rounds to float32 in the middle of a float64 model: `inv_freq` and the rotary angles (`dtype=torch.float`),
both kinds of RMS norm (`.float()`, `.to(torch.float32)`) and the softmax of eager attention (`dtype=torch.float32`). Rather
than replace those functions by ours, this mode sees every call into torch and changes what is asked for, so that the code that
runs stays transformers' own. It remembers the places, and refuses a float32 result that comes about in any other way.
"""

import collections
import pathlib
import sys

import torch
from torch.overrides import TorchFunctionMode


NARROW = (torch.float32, torch.float16, torch.bfloat16)


def caller():
    """`models/llama/modeling_llama.py:63` of the innermost transformers frame, or what else called."""
    frame = sys._getframe(1)
    while frame is not None:
        path = pathlib.PurePath(frame.f_code.co_filename)
        if "transformers" in path.parts:
            inside = path.parts[len(path.parts) - path.parts[::-1].index("transformers") :]
            return f"{'/'.join(inside)}:{frame.f_lineno} ({frame.f_code.co_qualname})"
        frame = frame.f_back
    return "outside transformers"


class Widen(TorchFunctionMode):
    """Within it, float32 means float64, except in places whose name contains `leave`; so `""` leaves everything."""

    def __init__(self, leave=None):
        super().__init__()
        self.leave = leave
        self.places = collections.Counter()

    def widens(self):
        """Counts the place that asks for float32; whether to give it float64."""
        place = caller()
        if self.leave is not None and self.leave in place:
            return False
        self.places[place] += 1
        return True

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.Tensor.float:
            func = torch.Tensor.double if self.widens() else func
        elif torch.float32 in [x for x in (*args, *kwargs.values()) if isinstance(x, torch.dtype)] and self.widens():
            wide = lambda x: torch.float64 if isinstance(x, torch.dtype) and x == torch.float32 else x
            args, kwargs = tuple(map(wide, args)), {key: wide(value) for key, value in kwargs.items()}
        result = func(*args, **kwargs)
        if self.leave is None and isinstance(result, torch.Tensor) and result.dtype in NARROW:
            raise AssertionError(f"{func} gave {result.dtype} in {caller()}")
        return result
