"""Being here puts this folder on the path: tests of all kinds share the small worlds of `simulation`.

No test speaks to the network that this machine is on: the nodes that tests start are told so by the environment, and
those of `network`, which live in namespaces of their own, take that word out again.
"""

import os
import signal

from hypothesis import settings as hypothesis_settings

from p2pcommons.config import NO_LAN

# Time decides about no test; a failure prints how to see it again.
hypothesis_settings.register_profile("p2pcommons", deadline=None, print_blob=True)
hypothesis_settings.load_profile("p2pcommons")

os.environ[NO_LAN] = "1"

# A run in the background may have begun with SIGINT ignored, and what it starts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
