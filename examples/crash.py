"""Fails halfway. The result says so: status nonzero_exit, with what was printed and the traceback."""

prices = {"tea": 3, "rice": 2}
for name in ("tea", "rice", "coffee"):
    print(name, prices[name])
