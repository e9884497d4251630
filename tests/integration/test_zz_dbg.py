import sys; sys.path.insert(0,'/work/main'); sys.path.insert(0,'/work/main/tests')
import tests.integration.test_host as th, time
orig=th.until_async
async def timed(h,what,deadline_s=60):
    t=time.monotonic()
    try: return await orig(h,what,deadline_s=deadline_s)
    finally: print("WAIT", what, round(time.monotonic()-t,2), flush=True)
th.until_async=timed
from tests.integration.test_host import *
