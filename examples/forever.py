"""Never ends. Run it with a limit: execq run examples/forever.py --timeout 2"""

import time

n = 0
while True:
    n += 1
    print("still here", n, flush=True)
    time.sleep(0.5)
