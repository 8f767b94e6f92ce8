"""The commands: what is typed, one file a subject. What they do stands in `kitetui.tools`."""

import os

# numpy's library of matrices makes a thread for each core when it is loaded. No matrix here is
# large enough for them, and they take a tenth of a start.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
