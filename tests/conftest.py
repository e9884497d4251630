"""Being here puts this folder on the path: tests of all kinds share the small worlds of `simulation`.

No test speaks to the network that this machine is on: the nodes that tests start are told so by the environment, and
those of `network`, which live in namespaces of their own, take that word out again.
"""

import os

from p2pcommons.config import NO_LAN

os.environ[NO_LAN] = "1"
