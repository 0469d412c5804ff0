"""Counts the primes below each number it is given: execq run examples/primes.py -- 1000 100000"""

import sys


def count_primes(limit):
    is_prime = bytearray([1]) * limit
    is_prime[0:2] = b"\0\0"
    for n in range(2, int(limit**0.5) + 1):
        if is_prime[n]:
            is_prime[n * n :: n] = bytes(len(range(n * n, limit, n)))
    return sum(is_prime)


for limit in map(int, sys.argv[1:] or ["1000000"]):
    print(f"{count_primes(limit)} primes below {limit}")
