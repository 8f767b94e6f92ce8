"""The engine runs without pandas, whether it is installed or not, and with the system's memory."""

from __future__ import annotations

import subprocess
import sys

USE = """
import sys
import kitetui.engine.core, kitetui.engine.sinks.tick_archive
from kitetui.engine.arrow import pa
import numpy as np
pa.array(["a"]), pa.array(np.arange(3)), pa.table({"x": [1]}).to_pylist()
loaded = sorted({name.partition(".")[0] for name in sys.modules} & {"pandas", "scipy"})
assert not loaded, loaded
assert pa.default_memory_pool().backend_name == "system"  # what is let go is given back from there
import importlib.util
importlib.util.find_spec("pandas")  # it is hidden no longer
"""


def test_pandas_is_not_loaded_and_memory_is_the_systems() -> None:
    done = subprocess.run([sys.executable, "-c", USE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
