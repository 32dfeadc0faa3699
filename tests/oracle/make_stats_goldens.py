"""Writes tests/golden/stats.json: what `assay stats` must answer, from exact fractions, enumeration and mpmath.

Nothing here shares a formula with base/stats: tails are summed outcome by outcome (fractions, or 60 digits where numbers are
long), inverses are found by bisection on those sums, sign flips and sample sizes by trying all of them.

usage: make_stats_goldens.py tests/golden/stats.json     (about a minute; needs mpmath and scipy)
"""
import itertools
import json
import math
import random
import sys
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from math import comb

import numpy
from mpmath import mp, mpf
from scipy.special import bdtrc

mp.dps = 50
CASES = []


def add(name, given, wanted):
    CASES.append({"name": name, "in": given, "out": wanted})


def tails(n, p):
    """Returns functions (P(X <= k), P(X >= k), P(X = k)) summed term by term with 50 digits."""
    p = mpf(p)
    q = 1 - p

    def pmf(k):
        if p == 0 or q == 0:
            return mpf(k == (0 if p == 0 else n))
        return mp.exp(mp.loggamma(n + 1) - mp.loggamma(k + 1) - mp.loggamma(n - k + 1) + k * mp.log(p) + (n - k) * mp.log(q))

    def run(k, step):
        """Sum from k outward; stops when a term cannot matter any more."""
        total, term = mpf(0), pmf(k) if 0 <= k <= n else mpf(0)
        while 0 <= k <= n and term > 0:
            total += term
            if term < total * mpf(10) ** -40 and (k - n * p) * step > 0:
                break
            if step > 0:
                term *= (n - k) * p / ((k + 1) * q) if q else 0
            else:
                term *= k * q / ((n - k + 1) * p) if p else 0
            k += step
        return total

    def below(k):
        return run(k, -1) if k <= n * p else 1 - run(k + 1, +1)

    def above(k):
        return run(k, +1) if k >= n * p else 1 - run(k - 1, -1)

    return below, above, pmf


def two_sided(k, n, p0):
    below, above, pmf = tails(n, p0)
    bound = pmf(k) * (1 + mpf("1e-7"))
    if n <= 3000:
        return min(mpf(1), sum(v for v in (pmf(j) for j in range(n + 1)) if v <= bound))
    mode = min(n, int(mp.floor((n + 1) * mpf(p0))))
    if pmf(mode) <= bound:
        return mpf(1)

    def edge(good, bad):  # between an outcome that counts and the mode, which does not
        while abs(good - bad) > 1:
            middle = (good + bad) // 2
            if pmf(middle) <= bound:
                good = middle
            else:
                bad = middle
        return good

    total = mpf(0)
    if pmf(0) <= bound:
        total += below(edge(0, mode))
    if pmf(n) <= bound:
        total += above(edge(n, mode))
    return total


def solve(f, target, rising):
    """x in (0, 1) with f(x) = target by bisection on a scale that reaches tiny x."""
    low, high = mpf("1e-40"), mpf(1) - mpf("1e-40")
    for _ in range(160):
        middle = mp.sqrt(low * high) if high < 0.5 else (low + high) / 2 if low > 1e-3 else mp.sqrt(low * high)
        if (f(middle) < target) == rising:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def proportion():
    for n, ks in ((1, (0, 1)), (2, (1,)), (10, (0, 3, 10)), (30, (23,)), (60, (25,)), (500, (382, 1, 499)), (1319, (1178,)), (20000, (3, 19990)),
                  (1000000, (0, 1, 17, 1000000, 999999))):
        for k in ks:
            for level in (0.95,) if n > 100 else (0.5, 0.9, 0.95, 0.999, 0.999999):
                tail = (1 - mpf(level)) / 2
                low = mpf(0) if k == 0 else solve(lambda p: tails(n, p)[1](k), tail, True)
                high = mpf(1) if k == n else 1 - solve(lambda q: tails(n, q)[1](n - k), tail, True)
                add("proportion", dict(k=k, n=n, level=level, method="clopper-pearson"), dict(value=k / n, low=float(low), high=float(high)))
                z = mp.sqrt(2) * mp.erfinv(1 - 2 * tail)
                p, c = mpf(k) / n, z * z / n
                half = mp.sqrt(p * (1 - p) / n + c / (4 * n)) * z
                add("proportion", dict(k=k, n=n, level=level, method="wilson"),
                    dict(value=k / n, low=float((p + c / 2 - half) / (1 + c)) if k else 0.0, high=float((p + c / 2 + half) / (1 + c))))


def binomial():
    cases = [(0, 1, 0.5), (1, 1, 0.5), (0, 1, 1e-300), (1, 1, 1e-300), (5, 10, 0.5), (2, 10, 0.1), (0, 10, 0.0), (10, 10, 1.0), (1, 10, 0.0), (9, 10, 1.0),
             (382, 500, 0.764), (387, 500, 0.858), (138, 500, 0.764), (23, 30, 0.7), (25, 60, 0.417), (1178, 1319, 0.9), (0, 1319, 0.5), (1319, 1319, 0.9),
             (1, 1000000, 1e-300), (3, 1000000, 1e-6), (500000, 1000000, 0.5), (501234, 1000000, 0.5), (517000, 1000000, 0.5), (1000000, 1000000, 0.9999),
             (0, 1000000, 1e-9), (4, 12, 1 / 3), (8, 12, 1 / 3), (7, 20, 0.25), (3, 20, 0.25)]
    for k, n, p0 in cases:
        below, above, _ = tails(n, p0)
        exact = dict(less=below(k), greater=above(k))
        exact["two-sided"] = two_sided(k, n, p0)
        for alternative, p in exact.items():
            add("binomial", dict(k=k, n=n, p0=p0, alternative=alternative), dict(p=float(p)))
    for k, n, p0 in ((0, 7, Fraction(1, 2)), (3, 7, Fraction(1, 4)), (5, 9, Fraction(3, 8)), (11, 16, Fraction(1, 2)), (6, 40, Fraction(1, 16))):
        pmf = [comb(n, j) * p0**j * (1 - p0) ** (n - j) for j in range(n + 1)]
        bound = pmf[k] * (1 + Fraction(1, 10**7))
        for alternative, p in (("less", sum(pmf[: k + 1])), ("greater", sum(pmf[k:])), ("two-sided", sum(v for v in pmf if v <= bound))):
            add("binomial", dict(k=k, n=n, p0=float(p0), alternative=alternative), dict(p=float(p)))


def mcnemar():
    for b, c in ((0, 0), (4, 0), (0, 4), (2, 3), (1, 1), (5, 15), (10, 12), (30, 70), (0, 1000), (400, 600), (0, 1070)):
        m = b + c
        p = min(Fraction(1), 2 * Fraction(sum(comb(m, j) for j in range(min(b, c) + 1)), 2**m)) if b != c else Fraction(1)
        add("mcnemar", dict(b=b, c=c), dict(p=float(p)))


def miller(values, cluster):
    n = len(values)
    mean = sum(values) / n
    e = [v - mean for v in values]
    pairs = sum((e[i] * e[j] for i in range(n) for j in range(n) if i != j and cluster[i] == cluster[j]), Fraction(0))
    return mean, sum(x * x for x in e) / (n * (n - 1)) + pairs / (n * n)


def root(x):
    return mp.sqrt(mpf(x.numerator) / x.denominator)


def sign_flips(d):
    d = [x for x in d if x]
    total = abs(sum(d))
    return Fraction(sum(abs(sum(s * x for s, x in zip(signs, d))) >= total for signs in itertools.product((1, -1), repeat=len(d))), 2 ** len(d))


def paired_and_cluster():
    draw = random.Random(5)
    grids = [([0, 1, 1, 0, 1], [1, 1, 1, 0, 1], None), ([1, 0], [0, 1], None), ([1] * 6, [1] * 6, None),
             ([0, 0, 0, 0], [1, 1, 1, 1], None), ([1, 0, 1, 1, 0, 1, 0, 0], [0, 0, 1, 0, 0, 1, 1, 0], [1, 1, 2, 2, 3, 3, 3, 4]),
             ([0.25, 0.5, 0.125, 1.0, 0.75], [0.5, 0.5, 0.625, 0.0, 1.0], None)]
    for n in (10, 12):
        grids.append(([draw.randrange(64) / 64 for _ in range(n)], [draw.randrange(64) / 64 for _ in range(n)], None))
        grids.append(([draw.randrange(8) / 8 for _ in range(n)], [draw.randrange(8) / 8 for _ in range(n)], [draw.randrange(6) for _ in range(n)]))
    for a, b, cluster in grids:
        names = cluster or list(range(len(a)))
        d = [Fraction(y) - Fraction(x) for x, y in zip(a, b)]
        mean, variance = miller(d, names)
        se, delta = root(variance), mpf(mean.numerator) / mean.denominator
        z = mp.sqrt(2) * mp.erfinv(mpf(0.9))
        sums = [sum(x for x, c in zip(d, names) if c == name) for name in dict.fromkeys(names)]
        given = dict(a=a, b=b, level=0.9, **(dict(cluster=cluster) if cluster else {}))
        add("paired", given, dict(delta=float(delta), se=float(se), low=float(delta - z * se), high=float(delta + z * se),
                                  p_normal=float(mp.erfc(abs(delta / se) / mp.sqrt(2))) if se else float(delta == 0), p_sign_flip=float(sign_flips(sums))))
        values = [Fraction(x) for x in b]
        mean, variance = miller(values, names)
        add("cluster", dict(value=b, cluster=[f"c{name}" for name in names]), dict(mean=float(mean), se=float(root(variance))))


def equivalence():
    for delta, se, margin, alpha in ((0.8, 0.3988, 0.3, 0.05), (-0.2, 0.4476, 0.3, 0.05), (0.0, 0.1, 0.3, 0.05), (0.05, 0.001, 0.3, 0.01), (0.3, 0.1, 0.3, 0.05),
                                     (-0.1, 0.01, 0.3, 0.001), (5.0, 0.2, 0.3, 0.05), (0, 0.5, 0, 0.6)):
        lower = mp.ncdf((mpf(-margin) - mpf(delta)) / mpf(se))
        upper = mp.ncdf((mpf(delta) - mpf(margin)) / mpf(se))
        p = max(lower, upper)
        add("tost", dict(delta=delta, se=se, margin=margin, alpha=alpha), dict(p=float(p), equivalent=bool(p < alpha)))


def multiple():
    for p in ([0.01, 0.04, 0.03, 0.005], [0.2], [1e-300, 0.5, 1.0, 0.0], [0.05, 0.05, 0.05], [0.9, 0.6, 0.02, 0.021, 0.3, 0.001]):
        m, exact = len(p), [Fraction(x) for x in p]
        order = sorted(range(m), key=lambda i: exact[i])
        down = {i: max(min(Fraction(1), (m - r) * exact[order[r]]) for r in range(at + 1)) for at, i in enumerate(order)}
        up = {i: min(min(Fraction(1), Fraction(m, r + 1) * exact[order[r]]) for r in range(at, m)) for at, i in enumerate(order)}
        add("holm", dict(p=p), dict(adjusted=[float(down[i]) for i in range(m)]))
        add("bh", dict(p=p), dict(adjusted=[float(up[i]) for i in range(m)]))


def rejecting(n, p0, alpha):
    """Smallest count whose upper tail under p0 is at most alpha: fractions for few items, Cephes' incomplete beta for many."""
    if n > 40:
        counts = numpy.arange(n + 2)
        return int(counts[numpy.where(counts > 0, bdtrc(counts - 1.0, n, p0), 1.0) <= alpha * (1 + 1e-12)][0])
    size, p = Fraction(0), Fraction(p0)
    for k in range(n, -1, -1):
        size += comb(n, k) * p**k * (1 - p) ** (n - k)
        if size > Fraction(alpha):
            return k + 1
    return 0


def power():
    """Every n up to far beyond what the normal approximation asks for."""
    for p0, p1, alpha, wanted in ((0.5, 0.7, 0.05, 0.8), (0.7, 0.5, 0.05, 0.9), (0.764, 0.858, 0.05, 0.8), (0.9, 0.8, 0.01, 0.9), (0.01, 0.2, 0.05, 0.8),
                                  (0.0, 0.1, 0.05, 0.95), (0.5, 1.0, 0.05, 0.8), (0.3, 0.0, 0.05, 0.8), (0.7, 0.8, 0.05, 0.8), (0.5, 0.95, 0.03125, 0.7),
                                  (0.6, 0.65, 0.025, 0.9), (0.2, 0.1, 0.001, 0.99)):
        greater = p1 > p0
        a, b = (p0, p1) if greater else (1 - p0, 1 - p1)
        spread = math.sqrt(a * (1 - a)) + math.sqrt(b * (1 - b))
        last, short = int(60 * (spread / (b - a)) ** 2) + 100, 0
        for n in range(1, last + 1):
            count = rejecting(n, a, alpha)
            reach = 1.0 if count == 0 else 0.0 if count > n else float(bdtrc(count - 1.0, n, b)) if b < 1 else 1.0
            short = n if reach < wanted else short
        assert short < last * 0.6, (p0, p1, short, last)
        add("power", dict(p0=p0, p1=p1, alpha=alpha, power=wanted, alternative="greater" if greater else "less"), dict(n=short + 1))


def passk():
    for n, c, k in (([10], [3], 1), ([10, 10], [3, 0], 5), ([200, 200, 200], [13, 200, 1], 100), ([64] * 4, [0, 1, 33, 64], 8), ([1], [1], 1), ([1], [0], 1),
                    ([1000000], [1], 1), ([1000000, 500000], [3, 250000], 1000), ([5], [3], 5), ([20], [12], 9)):
        exact = sum(1 - Fraction(comb(m - r, k) if m - r >= k else 0, comb(m, k)) for m, r in zip(n, c)) / len(n)
        add("passk", dict(n=n, c=c, k=k), dict(value=float(mpf(exact.numerator) / exact.denominator)))


def possible():
    for text, n, samples, scale in (("89.3", 1319, 1, 100), ("89.30", 1319, 1, 100), ("76.4", 500, 1, 100), ("76.5", 500, 1, 100), ("41.7", 60, 1, 100), ("41.6", 60, 1, 100),
                                    ("41.5", 60, 1, 100), ("76.7", 30, 1, 100), ("79.8", 30, 64, 100), ("79.8", 30, 1, 100), ("0", 7, 1, 100), ("100", 7, 1, 100),
                                    ("100.1", 7, 1, 100), ("0.893", 1319, 1, 1), ("12.5", 8, 1, 100), ("12", 8, 1, 100), ("13", 8, 1, 100), ("14", 8, 1, 100),
                                    ("62", 8, 1, 100), ("63", 8, 1, 100), ("0.5", 200, 1, 100), ("7.3", 198, 4, 100), ("3.25", 30, 1, 10)):
        target, total = Decimal(text), n * samples
        unit = Decimal(1).scaleb(target.as_tuple().exponent)

        def prints(k):
            value = Fraction(k * scale, total)
            # enough digits that a tie stays a tie and nothing else becomes one
            wide = Decimal(value.numerator * 10**40 // value.denominator).scaleb(-40) + (0 if value.denominator * 10**40 % value.denominator else 0)
            exact = Fraction(wide) == value
            nudged = wide if exact else wide + Decimal("1e-40")
            return any(nudged.quantize(unit, rounding=rule) == target for rule in (ROUND_HALF_UP, ROUND_HALF_EVEN, ROUND_DOWN))

        near = sorted({max(0, min(total, k)) for k in (int(Fraction(target) * total / scale), -int(-Fraction(target) * total // scale))})
        near.sort(key=lambda k: (abs(Fraction(k * scale, total) - Fraction(target)), k))
        add("possible", dict(published=text, n=n, samples=samples, scale=scale), dict(possible=any(prints(k) for k in range(total + 1)), nearest=near))


def main():
    from decimal import getcontext
    getcontext().prec = 80
    for part in (proportion, binomial, mcnemar, paired_and_cluster, equivalence, multiple, power, passk, possible):
        begun = len(CASES)
        part()
        print(part.__name__, len(CASES) - begun, file=sys.stderr)
    with open(sys.argv[1], "w") as out:
        out.write("[\n" + ",\n".join(json.dumps(case) for case in CASES) + "\n]\n")


if __name__ == "__main__":
    main()
